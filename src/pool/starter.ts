import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { Grant, Launch, Sandbox, SandboxExit, SandboxSpec } from '../backends/index.ts'
import type { ContractCapabilities, LoadSpec, Preparation } from '../contracts/index.ts'
import {
  AtelierError,
  asAtelierError,
  type Clock,
  type ContractChoice,
  type TableVersion,
} from '../core/index.ts'
import { type Instance, within } from './instance.ts'
import type { PoolEnvironment, PoolOptions, PoolPolicy } from './options.ts'
import { isLeaving } from './states.ts'

/**
 * Brings instances to life: a generic one, one that is a version's from its start, or a generic one that becomes a version's.
 * Each either resolves with a usable instance or rejects with the reason; removing what is left is the pool's work.
 */
export class Starter {
  readonly #options: PoolOptions
  readonly #policy: PoolPolicy
  readonly #clock: Clock

  constructor(options: PoolOptions, policy: PoolPolicy) {
    this.#options = options
    this.#policy = policy
    this.#clock = options.clock
  }

  /** Resolves when the shim has said hello; where what runs starts with its code, when that can be given. */
  async startGeneric(instance: Instance): Promise<void> {
    await this.#boot(instance, undefined)
    instance.become('ready')
  }

  /** For a version at once: with no generic instance at hand this is faster than to start one and specialise it. */
  async startFor(instance: Instance, version: TableVersion): Promise<void> {
    const began = this.#clock.monotonic()
    const [grant, secrets] = await Promise.all([this.#grantOf(version), this.#secretsOf(version)])
    const spec = loadSpec(instance, version, secrets)
    if (version.contract === undefined) {
      await this.#boot(instance, grant)
      instance.loadFor(version, this.#capabilitiesOf(instance))
    } else await this.#bootOwn(instance, version, version.contract, grant, spec)
    instance.startingMs = this.#clock.monotonic() - began
    await this.#load(instance, version, spec)
  }

  async specialise(instance: Instance, version: TableVersion): Promise<void> {
    const began = this.#clock.monotonic()
    instance.loadFor(version, this.#capabilitiesOf(instance))
    const [grant, secrets] = await Promise.all([this.#grantOf(version), this.#secretsOf(version)])
    await instance.sandbox.attach(grant)
    instance.startingMs = this.#clock.monotonic() - began
    await this.#load(instance, version, loadSpec(instance, version, secrets))
  }

  /** A process with a shim of ours. */
  async #boot(instance: Instance, grant: Grant | undefined): Promise<void> {
    const environment = this.#environment(instance.environment)
    const { launch } = environment
    const preparation = await this.#options.contracts(environment.contract).prepare()
    const { id } = instance
    if (grant) await this.#start(instance, preparation, { id, launch, grant })
    // It says nothing before it has its code, and then somebody waits.
    else if (launch.startsWithCode) return this.#start(instance, preparation, { id, launch })
    else {
      const env = { ...launch.env, ...NOBODY_WAITS }
      await this.#start(instance, preparation, { id, launch: { ...launch, env } })
    }
    await this.#untilReady(instance)
  }

  /** A process of the tenant's own, for one version from its beginning. */
  async #bootOwn(
    instance: Instance,
    version: TableVersion,
    choice: ContractChoice,
    grant: Grant,
    spec: LoadSpec,
  ): Promise<void> {
    const contract = this.#options.contracts(choice.name)
    const { launch, commandFor } = this.#environment(instance.environment)
    const found = commandFor?.(choice.name, version.entry)
    if (found === undefined)
      throw new AtelierError(
        'FUNCTION_LOAD_FAILED',
        `Function "${nameOf(version)}" cannot run: environment "${version.environment}" starts no process for contract "${choice.name}".`,
      )
    // From its first word on, what it says is its owner's.
    instance.loadFor(version, contract.capabilities)
    const { environment, env, mounts, isolation } = launch
    const own: Launch = {
      environment,
      mounts,
      env: { ...env, ...found.env },
      command: found.command,
      ...(isolation && { isolation }),
      ...(found.image === undefined ? { directory: CODE } : { image: found.image }),
    }
    const { tier, inside } = this.#options.backend.capabilities(own)
    if (isolation !== undefined && tier !== isolation)
      throw new AtelierError(
        'BACKEND_FAILED',
        `Function "${nameOf(version)}" cannot run: its project asks for isolation "${isolation}", and this has "${tier}".`,
      )
    const preparation = await contract.prepare({
      ...spec,
      choice,
      cpuMillicores: version.limits.cpuMillicores,
      port: inside.ownPorts ? undefined : await freePort(),
      isImage: found.image !== undefined,
    })
    const { process } = preparation
    await this.#start(instance, preparation, {
      id: instance.id,
      launch: own,
      grant,
      ...(process && { process }),
    })
    await this.#untilReady(instance)
  }

  async #start(instance: Instance, preparation: Preparation, spec: SandboxSpec): Promise<void> {
    let sandbox: Sandbox
    try {
      sandbox = await this.#options.backend.start(spec, instance.startAbort.signal)
    } catch (error) {
      preparation.discard?.()
      throw error
    }
    if (isLeaving(instance.state)) {
      preparation.discard?.()
      await sandbox.kill()
      throw givenUp(instance)
    }
    instance.sandbox = sandbox
    instance.voice.listen(preparation.takesStdout ? undefined : sandbox.stdout, sandbox.stderr)
    instance.link = preparation.open(sandbox, {
      onLog: (call, stream, text) => instance.voice.hear(call, stream, text),
      onClose: failure => instance.closed(failure),
    })
    // A process may end without closing its stream (a child holds it); what it wrote last is read first.
    void sandbox.exited.then(exit =>
      this.#clock.after(this.#policy.exitReasonMs, () =>
        instance.closed({ kind: 'closed', detail: `The process ended (${exitText(exit)}).` }),
      ),
    )
  }

  async #untilReady(instance: Instance): Promise<void> {
    const ready = instance.link.ready.then(() => true)
    if (!(await within(this.#clock, this.#policy.startMsMax, ready)))
      throw new AtelierError(
        'BACKEND_FAILED',
        `An instance of environment "${instance.environment}" did not come up within ${this.#policy.startMsMax} ms.`,
      )
    if (isLeaving(instance.state) || instance.isClosed) throw givenUp(instance)
  }

  async #load(instance: Instance, version: TableVersion, spec: LoadSpec): Promise<void> {
    const began = this.#clock.monotonic()
    // A contract that knows a limit of its own says more than we could when it is passed.
    const loadMsMax = Math.max(this.#policy.loadMsMax, (version.contract?.startMs ?? 0) + OWN_LIMIT_FIRST_MS)
    const loading = instance.link.load(spec)
    let loaded: { initMs: number } | undefined
    try {
      loaded = await within(this.#clock, loadMsMax, loading)
    } catch (thrown) {
      throw await this.#whyNotLoaded(instance, version, thrown)
    }
    if (loaded === undefined)
      throw new AtelierError(
        'FUNCTION_LOAD_FAILED',
        `Function "${nameOf(version)}" was not loaded within ${loadMsMax} ms; do less at the top of its module.`,
      )
    if (isLeaving(instance.state) || instance.isClosed) throw givenUp(instance)
    // Measured here rather than taken from the instance: what is billed is not for the code to say.
    instance.initialisingMs = this.#clock.monotonic() - began
    instance.become('loaded')
  }

  /** What the caller is told. When the process ended while it loaded, its exit says more than the closed stream. */
  async #whyNotLoaded(instance: Instance, version: TableVersion, thrown: unknown): Promise<unknown> {
    // The code's own words are its owner's: they stand in its log, and not in an answer to whoever may call.
    if (!instance.isClosed) {
      if (version.contract !== undefined) return thrown // its words are ours
      instance.voice.note(asAtelierError(thrown).message)
      return new AtelierError(
        'FUNCTION_LOAD_FAILED',
        `Function "${nameOf(version)}" could not be loaded; the function's log tells why.`,
        { cause: thrown },
      )
    }
    const exit = await within(this.#clock, this.#policy.exitReasonMs, instance.sandbox.exited)
    if (instance.endedBecause !== undefined) return givenUp(instance)
    if (exit?.error !== undefined) return exit.error
    if (exit?.reason === 'memory')
      return new AtelierError(
        'FUNCTION_OUT_OF_MEMORY',
        `Function "${nameOf(version)}" needs more than its ${version.limits.memoryMiB} MiB to load; raise limits.memoryMiB.`,
        { cause: thrown },
      )
    if (thrown instanceof AtelierError && thrown.fault !== 'function' && exit === undefined) return thrown
    return new AtelierError(
      'FUNCTION_LOAD_FAILED',
      `Function "${nameOf(version)}" ended while it was loaded${exit ? ` (${exitText(exit)})` : ''}; its log may say why.`,
      { cause: thrown },
    )
  }

  async #grantOf(version: TableVersion): Promise<Grant> {
    const bundlePath = await this.#options.bundles.locate(version.bundleDigest)
    return { bundlePath, limits: version.limits, network: version.network }
  }

  async #secretsOf(version: TableVersion): Promise<Readonly<Record<string, string>>> {
    if (version.secrets.length === 0) return {}
    return this.#options.secrets.read(version.projectId, version.secrets)
  }

  #capabilitiesOf(instance: Instance): ContractCapabilities {
    return this.#options.contracts(this.#environment(instance.environment).contract).capabilities
  }

  #environment(name: string): PoolEnvironment {
    const environment = this.#options.environments.get(name)
    if (environment) return environment
    throw new AtelierError('BACKEND_FAILED', `Environment "${name}" cannot run on this machine.`)
  }
}

function loadSpec(
  instance: Instance,
  version: TableVersion,
  secrets: Readonly<Record<string, string>>,
): LoadSpec {
  const { limits } = version
  return {
    entry: version.entry,
    config: version.config,
    secrets,
    function: {
      project: version.projectName,
      app: version.appName,
      name: version.functionName,
      version: version.number,
    },
    instance: instance.id,
    concurrency: limits.concurrency,
    memoryMiB: limits.memoryMiB,
    timeoutMs: limits.timeoutMs,
  }
}

/** A port of this machine that is free now, for where sandboxes share them. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

const CODE = '/function'
const OWN_LIMIT_FIRST_MS = 2_000

/** Tells the shim that it may take its time before HELLO, so that its first call need not. */
const NOBODY_WAITS = { ATELIER_GENERIC: '1' }

/** `exit code 1`, `signal SIGKILL`. */
function exitText(exit: SandboxExit): string {
  if (exit.signal !== undefined) return `signal ${exit.signal}`
  return exit.code === undefined ? 'for an unknown reason' : `exit code ${exit.code}`
}

function nameOf(version: TableVersion): string {
  return `${version.appName}/${version.functionName}`
}

function givenUp(instance: Instance): AtelierError {
  const why = instance.endedBecause ?? 'its stream was closed'
  return new AtelierError('BACKEND_FAILED', `Instance ${instance.id} ended while it started: ${why}.`)
}
