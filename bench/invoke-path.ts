/**
 * What a warm call costs between router and code: `node bench/invoke-path.ts`.
 *
 * One echo instance in another process, over a socket pair with the real frames contract. Compared in interleaved rounds, as calls
 * per second and CPU of this process for each call: the bare link (its floor), and the same calls through invoker and pool.
 * Then the same without any process, where only invoker and pool are left; and what a deadline costs.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Backend, Sandbox, SandboxExit } from '../src/backends/index.ts'
import { type CallSink, type Contract, framesContract, type Link } from '../src/contracts/index.ts'
import {
  FunctionTable,
  LIMITS_DEFAULT,
  SCALING_DEFAULT,
  systemClock,
  type TableFunction,
  type TableVersion,
} from '../src/core/index.ts'
import { DeadlineWheel, Timed } from '../src/invoker/deadlines.ts'
import { createInvoker, type InvokeRequest } from '../src/invoker/index.ts'
import { createPool } from '../src/pool/index.ts'

const CALLS = Number(process.env['CALLS'] ?? 20_000)
const ROUNDS = 5
const HEADERS = ['host', 'example.org', 'user-agent', 'bench', 'accept', '*/*']

/** Starts the echo process; nothing is isolated. */
class EchoBackend implements Pick<Backend, 'start'> {
  async start(spec: { readonly id: string }): Promise<Sandbox> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'echo-shim.mjs')], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    const exited = new Promise<SandboxExit>(resolve =>
      child.on('exit', (code, signal) =>
        resolve({ code: code ?? undefined, signal: signal ?? undefined, reason: 'exit', tail: '' }),
      ),
    )
    return {
      id: spec.id,
      pid: child.pid,
      channel: child.stdio[3] as Duplex,
      stdin: undefined,
      connect: () => Promise.reject(new Error('nobody is asked to')),
      listen: () => Promise.reject(new Error('nobody is asked to')),
      begin: () => {},
      terminate: () => child.kill(),
      stdout: child.stdout!,
      stderr: child.stderr!,
      fits: () => true,
      attach: async () => {},
      usage: () => ({ memoryBytes: 0, memoryPeakBytes: 0, cpuMs: 0 }),
      resetPeak: () => {},
      kill: async () => void child.kill('SIGKILL'),
      exited,
    }
  }
}

/** A link that answers by itself, at the end of the turn. */
const instantContract: Contract = {
  name: 'instant',
  capabilities: { streaming: true, concurrency: true, webSocket: true, lateLoad: true },
  prepare: () => ({ open: instantLink }),
}

function instantLink(): Link {
  const handle = {
    number: 1,
    write: () => true,
    writeMessage: () => true,
    end: () => {},
    consumed: () => {},
    cancel: () => {},
  }
  const body = Buffer.from('Hello, World!')
  return {
    ready: Promise.resolve(),
    load: async () => ({ initMs: 0 }),
    invoke: (_, sink) => {
      queueMicrotask(() => {
        sink.onHead(200, ['content-type', 'text/plain'])
        sink.onData(body)
        sink.onEnd()
      })
      return handle
    },
    drain: () => {},
    destroy: () => {},
    ping: async () => true,
  }
}

const version: TableVersion = {
  id: 'v1',
  functionId: 'f',
  projectId: 'p',
  projectName: 'p',
  appName: 'a',
  functionName: 'f',
  number: 1,
  environment: 'echo',
  bundleDigest: 'sha256:0',
  entry: 'x',
  config: {},
  secrets: [],
  network: 'none',
  limits: { ...LIMITS_DEFAULT, concurrency: 1_000 },
  scaling: { ...SCALING_DEFAULT, instancesMax: 1 },
}
const target: TableFunction = {
  id: 'f',
  projectId: 'p',
  projectName: 'p',
  appName: 'a',
  name: 'f',
  access: 'public',
  versions: new Map([[1, version]]),
  aliases: new Map([['live', [{ version: 1, weight: 100 }]]]),
}
const request: InvokeRequest = {
  target,
  qualifier: undefined,
  trigger: 'http',
  method: 'GET',
  path: '/',
  headers: HEADERS,
  body: null,
}

interface Figures {
  readonly perSecond: number
  readonly cpuUs: number
}

/** Keeps `inFlight` calls going until `CALLS` are done. */
function measure(inFlight: number, call: (done: () => void) => void): Promise<Figures> {
  return new Promise(resolve => {
    let begun = 0
    let ended = 0
    const cpu = process.cpuUsage()
    const since = performance.now()
    const next = (): void => {
      if (begun >= CALLS) return
      begun++
      call(() => {
        if (++ended < CALLS) return next()
        const used = process.cpuUsage(cpu)
        resolve({
          perSecond: CALLS / ((performance.now() - since) / 1000),
          cpuUs: (used.user + used.system) / CALLS,
        })
      })
    }
    for (let i = 0; i < inFlight; i++) next()
  })
}

function platform(contract: Contract) {
  const table = new FunctionTable()
  const pool = createPool({
    backend: new EchoBackend() as unknown as Backend,
    contracts: () => contract,
    environments: new Map([
      [
        'echo',
        {
          launch: { environment: 'echo', command: [], env: {}, mounts: [] },
          contract: contract.name,
          warm: 0,
        },
      ],
    ]),
    bundles: { locate: async () => '/' },
    secrets: { read: async () => ({}) },
    table,
    clock: systemClock,
    onLog: () => {},
    onTrouble: (message, cause) => console.error(message, cause),
    limits: { instancesMax: 10, memoryMiBMax: 10_000 },
  })
  const observer = { onInvocation: () => {}, onLog: () => {} }
  return { pool, invoker: createInvoker({ table, pool, observer, clock: systemClock }) }
}

const ignored = { onHead: () => {}, onData: () => {} }
type Invoke = ReturnType<typeof platform>['invoker']
const throughInvoker = (invoker: Invoke) => (done: () => void) =>
  void invoker.invoke(request, {
    ...ignored,
    onEnd: done,
    onFail: error => {
      throw error
    },
  })
const throughLink = (link: Link) => {
  let count = 0
  return (done: () => void) => {
    const sink: CallSink = {
      ...ignored,
      onEnd: done,
      onFail: failure => {
        throw new Error(failure.message)
      },
    }
    link.invoke(
      {
        id: `call${count++}`,
        method: 'GET',
        target: '/',
        headers: HEADERS,
        deadline: Date.now() + 30_000,
        body: null,
      },
      sink,
    )
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const show = (name: string, figures: readonly Figures[]): void =>
  console.log(
    `${name.padEnd(44)} ${Math.round(median(figures.map(each => each.perSecond)))
      .toLocaleString('en')
      .padStart(9)} calls/s  ${median(figures.map(each => each.cpuUs))
      .toFixed(2)
      .padStart(6)} us CPU`,
  )

/** What one deadline set and cleared again costs, in nanoseconds. */
function deadlineCost(): { wheel: number; timeout: number } {
  class Never extends Timed {
    onDue(): void {}
  }
  const wheel = new DeadlineWheel(systemClock, 20)
  const alarms = Array.from({ length: 1_000 }, () => new Never())
  const timed = (work: () => void): number => {
    const since = performance.now()
    for (let i = 0; i < 200; i++) work()
    return ((performance.now() - since) * 1e6) / 200_000
  }
  const turn = () => {
    for (const alarm of alarms) wheel.set(alarm, performance.now() + 30_000)
    for (const alarm of alarms) wheel.clear(alarm)
  }
  const timers: NodeJS.Timeout[] = []
  const classic = () => {
    for (let i = 0; i < 1_000; i++) timers[i] = setTimeout(() => {}, 30_000)
    for (const timer of timers) clearTimeout(timer)
  }
  turn()
  classic()
  return { wheel: timed(turn), timeout: timed(classic) }
}

const real = platform(framesContract)
const lease = await real.pool.acquire(version, 10_000, undefined)
const bare = throughLink(lease.link)
const whole = throughInvoker(real.invoker)
for (const inFlight of [1, 32]) {
  const [floor, ours]: [Figures[], Figures[]] = [[], []]
  await measure(inFlight, bare)
  await measure(inFlight, whole)
  for (let round = 0; round < ROUNDS; round++) {
    floor.push(await measure(inFlight, bare))
    ours.push(await measure(inFlight, whole))
  }
  show(`bare link, ${inFlight} in flight`, floor)
  show(`invoker and pool, ${inFlight} in flight`, ours)
  const ratios = ours.map((each, index) => each.perSecond / floor[index]!.perSecond)
  console.log(`${'share of the bare link'.padEnd(44)} ${median(ratios).toFixed(2).padStart(9)}`)
}
lease.release('ok')
await real.pool.close(1_000)

const alone = platform(instantContract)
;(await alone.pool.acquire(version, 10_000, undefined)).release('ok')
const figures: Figures[] = []
for (let round = 0; round <= ROUNDS; round++) figures.push(await measure(32, throughInvoker(alone.invoker)))
show('invoker and pool alone, no process', figures.slice(1))
await alone.pool.close(0)

const cost = deadlineCost()
console.log(
  `${'a deadline set and cleared: wheel, setTimeout'.padEnd(44)} ${cost.wheel.toFixed(0)} ns, ${cost.timeout.toFixed(0)} ns`,
)
