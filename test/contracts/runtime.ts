import { Agent, type IncomingMessage, request } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import type { SandboxExit } from '../../src/backends/index.ts'
import type { CallFailure, CallHandle, CallHead, Link, StartSpec } from '../../src/contracts/index.ts'
import { createLambdaContract } from '../../src/contracts/lambda/contract.ts'
import { systemClock } from '../../src/core/index.ts'

export interface Told {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

/** The Lambda contract with a runtime that a test plays, over real sockets. */
export class PlayedRuntime {
  readonly link: Link
  readonly env: Readonly<Record<string, string>>
  readonly logs: readonly string[]
  readonly closed: readonly string[]
  readonly #port: number
  readonly #spec: StartSpec
  readonly #exit: (exit: SandboxExit) => void
  readonly #agent = new Agent({ keepAlive: false })

  private constructor(
    link: Link,
    spec: StartSpec,
    env: Readonly<Record<string, string>>,
    port: number,
    exit: (exit: SandboxExit) => void,
    said: { readonly logs: readonly string[]; readonly closed: readonly string[] },
  ) {
    this.link = link
    this.#spec = spec
    this.env = env
    this.#port = port
    this.#exit = exit
    this.logs = said.logs
    this.closed = said.closed
  }

  static async open(
    options: { concurrency?: number; config?: Record<string, string>; startMs?: number; entry?: string } = {},
  ): Promise<PlayedRuntime> {
    const { concurrency = 1, config = {}, startMs, entry = 'index.mjs#main' } = options
    const spec: StartSpec = {
      entry,
      config,
      secrets: {},
      function: { project: 'p', app: 'a', name: 'f', version: 3 },
      instance: 'i-1',
      concurrency,
      memoryMiB: 128,
      timeoutMs: 5_000,
      choice: { name: 'lambda', ...(startMs !== undefined && { startMs }) },
      port: 9001,
      cpuMillicores: 1_000,
    }
    const preparation = await createLambdaContract(systemClock).prepare(spec)
    let port = 0
    await preparation.process!.beforeStart!({
      connect: () => Promise.reject(new Error('nobody is asked to')),
      listen: () =>
        new Promise<Server>(resolve => {
          const server = createServer().listen(0, '127.0.0.1', () => {
            port = (server.address() as AddressInfo).port
            resolve(server)
          })
        }),
    })
    const exited = Promise.withResolvers<SandboxExit>()
    const logs: string[] = []
    const closed: string[] = []
    const link = preparation.open(
      {
        exited: exited.promise,
        terminate: () => exited.resolve(GONE),
      } as Parameters<typeof preparation.open>[0],
      {
        onLog: (call, _stream, said) => logs.push(`${call}: ${said}`),
        onClose: ({ kind, detail }) => closed.push(`${kind}: ${detail}`),
      },
    )
    return new PlayedRuntime(link, spec, preparation.process!.env, port, exited.resolve, { logs, closed })
  }

  load(): Promise<{ initMs: number }> {
    return this.link.load(this.#spec)
  }

  exit(): void {
    this.#exit(GONE)
  }

  next(): Promise<Told> {
    return this.ask('GET', 'invocation/next')
  }

  respond(id: string, body: string, headers: Record<string, string> = {}): Promise<Told> {
    return this.ask('POST', `invocation/${id}/response`, body, headers)
  }

  ask(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Told> {
    return new Promise((resolve, reject) => {
      const asked = request(this.at(method, path, headers), response => {
        void text(response).then(
          said => resolve({ status: response.statusCode!, headers: response.headers, text: said }),
          reject,
        )
      })
      asked.once('error', reject)
      asked.end(body)
    })
  }

  at(method: string, path: string, headers: Record<string, string> = {}) {
    return {
      method,
      headers,
      host: '127.0.0.1',
      port: this.#port,
      path: `/2018-06-01/runtime/${path}`,
      agent: this.#agent,
    }
  }

  call(more: Partial<CallHead> = {}): PlayedCall {
    return new PlayedCall(this.link, {
      id: 'c-1',
      method: 'GET',
      target: '/',
      headers: [],
      deadline: 1_700_000_000_000,
      body: null,
      ...more,
    })
  }
}

const GONE: SandboxExit = { code: 1, signal: undefined, reason: 'exit', tail: '' }

/** One call, and all that is said to its sink. */
export class PlayedCall {
  readonly handle: CallHandle
  readonly ended: Promise<PlayedCall>
  status = 0
  headers: Readonly<Record<string, string>> = {}
  bytes = 0
  text = ''
  failure: CallFailure | undefined
  isOver = false

  constructor(link: Link, head: CallHead, passesOn = true) {
    const ended = Promise.withResolvers<PlayedCall>()
    this.ended = ended.promise
    const over = () => {
      if (this.isOver) throw new Error('a call ends once')
      this.isOver = true
      ended.resolve(this)
    }
    this.handle = link.invoke(head, {
      onHead: (status, headers) => {
        this.status = status
        const pairs = headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1]!]] : []))
        this.headers = Object.fromEntries(pairs) as Record<string, string>
      },
      onData: chunk => {
        this.bytes += chunk.length
        if (this.text.length < 10_000) this.text += Buffer.from(chunk).toString()
        if (passesOn) queueMicrotask(() => this.handle.consumed(chunk.length))
      },
      onEnd: over,
      onFail: failure => {
        this.failure = failure
        over()
      },
    })
  }
}
