import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLocalBackend, type Sandbox } from '../../../src/backends/index.ts'
import type { HeaderBlock, Link, LinkEvents, StartSpec } from '../../../src/contracts/index.ts'
import { LIMITS_DEFAULT, systemClock } from '../../../src/core/index.ts'
import { nodejsEnvironment } from '../../../src/environments/index.ts'
import { nothingLeftAt } from '../../support/leftovers.ts'
import { ANSWER_MS_MAX, type Answered, Calling } from './calling.ts'
import type { ContractUnderTest, Place, Program } from './under-test.ts'

const PROGRAMS = join(import.meta.dirname, '../../fixtures/contracts')

export interface CallOptions {
  readonly body: Uint8Array | null | undefined
  readonly method?: string
  readonly target?: string
  readonly headers?: readonly string[]
}

/** A real backend in which the suite's programs run. */
export class ContractBench {
  readonly #under: ContractUnderTest
  readonly #place: Place
  readonly #lasting = new Map<Program, Running>()
  #count = 0

  private constructor(under: ContractUnderTest, place: Place) {
    this.#under = under
    this.#place = place
  }

  static async open(under: ContractUnderTest): Promise<ContractBench> {
    return new ContractBench(under, await (under.place ?? localPlace)())
  }

  async close(): Promise<void> {
    for (const running of this.#lasting.values()) await running.end()
    await this.#place.close()
  }

  /** The same, loaded, each time it is asked for; a new one only where that has ended. */
  async lasting(program: Program): Promise<Running> {
    const known = this.#lasting.get(program)
    if (known !== undefined && known.closes === 0) return known
    const running = await this.start(program)
    this.#lasting.set(program, running)
    await running.link.load(running.spec)
    return running
  }

  async start(program: Program): Promise<Running> {
    const { name, contract, capabilities } = this.#under
    const id = `contract-${++this.#count}`
    const launch = await this.#place.launch(name, program.entry)
    const spec: StartSpec = {
      entry: program.entry,
      config: { GREETING: "hello 'there'" },
      secrets: { KEY: 's3cret' },
      function: { project: 'p', app: 'a', name: 'f', version: 1 },
      instance: id,
      concurrency: capabilities.concurrency ? 2 : 1,
      memoryMiB: 128,
      timeoutMs: 30_000,
      choice: { name, ...program.choice },
      port: undefined,
      cpuMillicores: 1_000,
      isImage: launch.image !== undefined,
    }
    const preparation = await contract.prepare(spec)
    const { process } = preparation
    const starting = this.#place.backend.start(
      { id, launch, grant: this.#place.grant, ...(process && { process }) },
      new AbortController().signal,
    )
    starting.catch(() => preparation.discard?.())
    const sandbox = await starting
    return new Running(this.#under, spec, heardFrom(sandbox), events => preparation.open(sandbox, events))
  }
}

/** The programs of `test/fixtures/contracts`, with the package that they use for WebSockets. */
export async function copyPrograms(to: string): Promise<void> {
  await cp(PROGRAMS, to, { recursive: true })
  const webSockets = join('node_modules', 'ws')
  await cp(join(import.meta.dirname, '../../..', webSockets), join(to, webSockets), { recursive: true })
}

/** What of the local backend's is tried: its sandbox by itself, the other one that it has, or gVisor. */
export interface LocalTier {
  readonly isolation?: 'unshare'
  readonly tier?: 'gvisor'
}

/** The local backend. When it is closed, nothing may be left of it. */
export async function localPlace({ isolation, tier }: LocalTier = {}): Promise<Place> {
  const home = await mkdtemp(join(tmpdir(), 'atelier-contract-'))
  const bundlePath = join(home, 'bundles', 'one')
  await mkdir(bundlePath, { recursive: true })
  await copyPrograms(bundlePath)
  const backend = await openLocalBackend({
    runPath: join(home, 'run'),
    bundlesPath: join(home, 'bundles'),
    isolation: isolation ?? 'auto',
    clock: systemClock,
  })
  return {
    backend,
    grant: { bundlePath, limits: LIMITS_DEFAULT, network: 'none' },
    async launch(contract, entry) {
      const status = await nodejsEnvironment.probe()
      if (!status.ready) throw new Error(status.reason)
      const { command, env } = nodejsEnvironment.commandFor!(contract, entry)!
      const { environment, mounts } = status.launch
      const program = { environment, mounts, command, env: { ...env }, directory: '/function' }
      return tier === undefined ? program : { ...program, isolation: tier }
    },
    async close() {
      await backend.close()
      try {
        await nothingLeftAt(home)
      } finally {
        await rm(home, { recursive: true, force: true })
      }
    },
  }
}

/** A sandbox, and what it wrote on its standard error so far. */
interface Heard {
  readonly sandbox: Sandbox
  stderr: string
}

function heardFrom(sandbox: Sandbox): Heard {
  const heard = { sandbox, stderr: '' }
  sandbox.stderr.on('data', (piece: Buffer) => (heard.stderr += piece.toString()))
  return heard
}

/** One instance, and calls to it. */
export class Running {
  readonly spec: StartSpec
  readonly sandbox: Sandbox
  readonly link: Link
  readonly closed: Promise<void>
  readonly logs: string[] = []
  closes = 0
  #number = 0
  readonly #under: ContractUnderTest
  readonly #heard: Heard
  readonly #open: (events: LinkEvents) => Link

  constructor(under: ContractUnderTest, spec: StartSpec, heard: Heard, open: (events: LinkEvents) => Link) {
    this.#under = under
    this.#heard = heard
    this.#open = open
    this.spec = spec
    this.sandbox = heard.sandbox
    const { promise, resolve } = Promise.withResolvers<void>()
    this.closed = promise
    this.link = open({
      onLog: (_call, _stream, text) => void this.logs.push(text),
      onClose: () => {
        this.closes++
        resolve()
      },
    })
  }

  /** The same process, spoken to over a link that knows nothing of this one's. */
  anew(): Running {
    return new Running(this.#under, this.spec, this.#heard, this.#open)
  }

  begin(what: string, options: CallOptions): Calling {
    const { body } = options
    const told = body === undefined ? undefined : this.#under.body(what, body ?? new Uint8Array(0))
    const headers = ['x-do', what, ...(options.headers ?? [])]
    return this.#invoke(headers, body === null && told?.length === 0 ? null : told, options)
  }

  call(what: string, options: CallOptions): Promise<Answered> {
    return this.begin(what, options).answer
  }

  /** Has the raw program answer with these bytes. */
  raw(bytes: Uint8Array | undefined, ends: boolean): Promise<Answered> {
    const raw =
      bytes === undefined ? [] : ['x-raw', bytes.length === 0 ? '=' : Buffer.from(bytes).toString('base64')]
    return this.#invoke([...raw, ...(ends ? ['x-ends', 'yes'] : [])], null, {}).answer
  }

  /** Asks the program for a WebSocket; `what` it is to do stands in `x-do`. */
  webSocket(
    what: string,
    options: { readonly protocols?: string; readonly passesOn?: boolean } = {},
  ): Calling {
    const { protocols, passesOn = true } = options
    const head = {
      id: `call-${++this.#number}`,
      method: 'GET',
      target: '/a/../path?q=1',
      headers: ['x-do', what, ...(protocols === undefined ? [] : ['sec-websocket-protocol', protocols])],
      deadline: Date.now() + 30_000,
      body: undefined,
      webSocket: true,
    }
    return new Calling(head.id, sink => this.link.invoke(head, sink), passesOn)
  }

  /** What a program that describes its request says of one with these headers. */
  async described(block: HeaderBlock): Promise<string> {
    const head = { id: 'described', method: 'GET', target: '/', headers: ['x-do', 'describe'], block }
    const call = new Calling(head.id, sink => this.link.invoke({ ...head, deadline: 0, body: null }, sink))
    return (await call.answer).body.toString()
  }

  async stderrSays(pattern: RegExp): Promise<void> {
    for (let waitedMs = 0; !pattern.test(this.#heard.stderr); waitedMs += 10) {
      if (waitedMs > ANSWER_MS_MAX) throw new Error(`stderr says ${JSON.stringify(this.#heard.stderr)}`)
      await sleep(10)
    }
  }

  async end(): Promise<void> {
    await this.sandbox.kill()
    this.link.destroy()
  }

  #invoke(
    headers: readonly string[],
    body: Uint8Array | null | undefined,
    { method = 'POST', target = '/a/path?q=1' }: Partial<CallOptions>,
  ): Calling {
    const head = {
      id: `call-${++this.#number}`,
      method,
      target,
      headers,
      deadline: Date.now() + 30_000,
      body,
    }
    return new Calling(head.id, sink => this.link.invoke(head, sink))
  }
}
