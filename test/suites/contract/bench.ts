import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLocalBackend, type Sandbox } from '../../../src/backends/index.ts'
import type {
  CallFailure,
  CallHandle,
  CallSink,
  HeaderBlock,
  Link,
  LinkEvents,
  StartSpec,
} from '../../../src/contracts/index.ts'
import { LIMITS_DEFAULT, systemClock } from '../../../src/core/index.ts'
import { nodejsEnvironment } from '../../../src/environments/index.ts'
import type { ContractUnderTest, Place, Program } from './under-test.ts'

const PROGRAMS = join(import.meta.dirname, '../../fixtures/contracts')
const ANSWER_MS_MAX = 20_000

export interface Answered {
  readonly status: number | undefined
  readonly headers: readonly string[]
  readonly body: Buffer
  readonly failure: CallFailure | undefined
}

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
  #count = 0

  private constructor(under: ContractUnderTest, place: Place) {
    this.#under = under
    this.#place = place
  }

  static async open(under: ContractUnderTest): Promise<ContractBench> {
    return new ContractBench(under, await (under.place ?? localPlace)())
  }

  close(): Promise<void> {
    return this.#place.close()
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
    return new Running(this.#under, spec, sandbox, events => preparation.open(sandbox, events))
  }
}

/** The programs of `test/fixtures/contracts`, with the package that they use for WebSockets. */
export async function copyPrograms(to: string): Promise<void> {
  await cp(PROGRAMS, to, { recursive: true })
  const webSockets = join('node_modules', 'ws')
  await cp(join(import.meta.dirname, '../../..', webSockets), join(to, webSockets), { recursive: true })
}

async function localPlace(): Promise<Place> {
  const home = await mkdtemp(join(tmpdir(), 'atelier-contract-'))
  const bundlePath = join(home, 'bundles', 'one')
  await mkdir(bundlePath, { recursive: true })
  await copyPrograms(bundlePath)
  const backend = await openLocalBackend({
    runPath: join(home, 'run'),
    bundlesPath: join(home, 'bundles'),
    isolation: 'auto',
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
      return { environment, mounts, command, env: { ...env }, directory: '/function' }
    },
    async close() {
      await backend.close()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** One instance, and calls to it. */
export class Running {
  readonly spec: StartSpec
  readonly sandbox: Sandbox
  readonly link: Link
  readonly closed: Promise<void>
  readonly logs: string[] = []
  closes = 0
  #stderr = ''
  #number = 0
  readonly #under: ContractUnderTest

  constructor(
    under: ContractUnderTest,
    spec: StartSpec,
    sandbox: Sandbox,
    open: (events: LinkEvents) => Link,
  ) {
    this.#under = under
    this.spec = spec
    this.sandbox = sandbox
    sandbox.stderr.on('data', (piece: Buffer) => (this.#stderr += piece.toString()))
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
    return new Calling(sink => this.link.invoke(head, sink), passesOn)
  }

  /** What a program that describes its request says of one with these headers. */
  async described(block: HeaderBlock): Promise<string> {
    const head = { id: 'described', method: 'GET', target: '/', headers: ['x-do', 'describe'], block }
    const call = new Calling(sink => this.link.invoke({ ...head, deadline: 0, body: null }, sink))
    return (await call.answer).body.toString()
  }

  async stderrSays(pattern: RegExp): Promise<void> {
    for (let waitedMs = 0; !pattern.test(this.#stderr); waitedMs += 10) {
      if (waitedMs > ANSWER_MS_MAX) throw new Error(`stderr says ${JSON.stringify(this.#stderr)}`)
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
    return new Calling(sink => this.link.invoke(head, sink))
  }
}

/** One call, gathered. What comes is passed on at once. */
export class Calling {
  readonly answer: Promise<Answered>
  readonly handle: CallHandle
  /** Messages of a WebSocket as they came; `close` is what closed it. */
  readonly messages: { readonly data: Buffer; readonly text: boolean }[] = []
  status: number | undefined
  headers: readonly string[] = []
  close: Uint8Array | undefined
  #parts: Buffer[] = []
  #onPart: (() => void) | undefined

  constructor(invoke: (sink: CallSink) => CallHandle, passesOn = true) {
    const { promise, resolve } = Promise.withResolvers<Answered>()
    this.answer = Promise.race([promise, late()])
    this.answer.catch(() => {}) // not every test waits for an answer, and some calls have none
    const over = (failure: CallFailure | undefined) =>
      resolve({ status: this.status, headers: this.headers, body: Buffer.concat(this.#parts), failure })
    this.handle = invoke({
      onHead: (given, fields) => {
        this.status = given
        this.headers = fields
        this.#onPart?.()
      },
      onMessage: (data, text) => {
        this.messages.push({ data: Buffer.from(data), text })
        if (passesOn) this.handle.consumed(data.length)
        this.#onPart?.()
      },
      onData: chunk => {
        this.#parts.push(Buffer.from(chunk))
        this.handle.consumed(chunk.length)
        this.#onPart?.()
      },
      onEnd: close => {
        this.close = close
        over(undefined)
      },
      onFail: over,
    })
  }

  write(chunk: Uint8Array): boolean {
    return this.handle.write(chunk)
  }

  finish(): void {
    this.handle.end()
  }

  /** Resolves when the answer ends with `text` so far. */
  received(text: string): Promise<void> {
    return this.until(() => Buffer.concat(this.#parts).toString().endsWith(text))
  }

  /** Resolves when `holds` does, which is asked again whenever something comes. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#onPart = resolve
      await Promise.race([promise, late()])
    }
  }

  async opened(): Promise<void> {
    await this.until(() => this.status !== undefined)
  }

  say(text: string): boolean {
    return this.handle.writeMessage(Buffer.from(text), true)
  }

  /** The answer to a message, as text. */
  async answerTo(text: string): Promise<string> {
    const before = this.messages.length
    this.say(text)
    await this.until(() => this.messages.length > before)
    return this.messages[before]!.data.toString()
  }
}

async function late(): Promise<never> {
  await sleep(ANSWER_MS_MAX, undefined, { ref: false })
  throw new Error('no answer came in time')
}
