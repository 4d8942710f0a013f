import { Buffer } from 'node:buffer'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  type AsyncCalls,
  type AsyncResult,
  createAsyncCalls,
  type NewAsyncCall,
} from '../../src/async/index.ts'
import { createDialectRecords, type DialectRecords, type ImageSource } from '../../src/control/index.ts'
import {
  type AsyncCall,
  AtelierError,
  type LogLine,
  newId,
  type Principal,
  type Role,
} from '../../src/core/index.ts'
import type { Dialect, DialectParts } from '../../src/dialects/dialect.ts'
import { createDialectServer, type DialectServer } from '../../src/dialects/index.ts'
import { environments } from '../../src/environments/index.ts'
import type { InvokeRequest, Invoker } from '../../src/invoker/index.ts'
import type { InstanceView } from '../../src/pool/index.ts'
import { type EventStore, openEventStore } from '../../src/store/index.ts'
import type { TelemetryReader } from '../../src/telemetry/index.ts'
import { ControlFixture } from './control.ts'

/** JSON that a test reads as it likes. */
// oxlint-disable-next-line typescript/no-explicit-any
type Answered = any

/** What a function of the fixture answers; throws for a call that fails. */
export type Behaviour = (request: InvokeRequest) => {
  readonly status?: number
  readonly headers?: readonly string[]
  readonly body: string
}

/** With the causes of errors, and nothing cut. */
const DEEP = { depth: 8, maxStringLength: null, maxArrayLength: null } as const

/** A registry in memory that has every image but those of `missing/`. */
const IMAGES: ImageSource = {
  pull: async ({ reference }) => {
    if (reference.startsWith('missing/'))
      throw new AtelierError('BUILD_FAILED', `Image "${reference}" could not be pulled: not found`)
    return { pinned: `${reference}@sha256:${'0'.repeat(64)}`, architecture: '' }
  },
}

/**
 * A dialect on a real control plane and identity. Images are pulled from a registry in memory, and calls are answered by
 * `behaviour`: how images run behind dialects is for `images.slow.test.ts`.
 */
export class DialectFixture {
  readonly fixture: ControlFixture
  readonly calls: InvokeRequest[] = []
  readonly accepted: NewAsyncCall[] = []
  readonly acceptedIds: string[] = []
  readonly records: DialectRecords
  /** What the pool says that it holds. */
  instances: InstanceView[] = []
  behaviour: Behaviour = () => ({ body: 'Hello World!\n' })
  /** How accepted calls stand, by id. */
  readonly ends = new Map<string, { call: Partial<AsyncCall>; answer?: AsyncResult }>()
  /** What the dialect wrote into the server's log: fields and causes, as text. */
  readonly logged: string[] = []
  /** What calls have said, by invocation; `any` for all others. */
  readonly logs = new Map<string, readonly string[]>()
  server!: DialectServer
  url = ''
  /** The real queue of asynchronous calls, where the test asked for it. */
  queue: AsyncCalls | undefined
  #events: EventStore | undefined

  private constructor(fixture: ControlFixture) {
    this.fixture = fixture
    this.records = createDialectRecords(fixture.store, fixture.clock)
  }

  static async open(
    dialect: Dialect,
    settings: Partial<DialectParts['settings']> = {},
    /** `durable`: accepted calls go into a real queue. Otherwise they are noted, and the test says how they end. */
    { durable = false }: { readonly durable?: boolean } = {},
  ): Promise<DialectFixture> {
    const fixture = await ControlFixture.open({
      environments,
      images: IMAGES,
    })
    const self = new DialectFixture(fixture)
    if (durable) await self.#openQueue()
    self.server = await createDialectServer(dialect, self.#parts(settings))
    const { port } = (await self.server.listen({ port: 0, host: '127.0.0.1' })).address() as AddressInfo
    self.url = `http://127.0.0.1:${port}`
    return self
  }

  async dispose(): Promise<void> {
    const closed = this.server.close()
    this.fixture.clock.advance(1_000) // the moment that is left to clients who keep their connections
    await closed
    await this.queue?.close()
    await this.#events?.close()
    await this.fixture.dispose()
  }

  /** A user of this project, logged in. */
  async login(project: string, role: Role = 'member'): Promise<{ token: string; principal: Principal }> {
    await this.fixture.member(project)
    const { identity, admin } = this.fixture
    const name = `${role}-of-${project}`
    const password = 'correct horse battery staple'
    const known = await identity.listUsers(admin)
    if (!known.some(each => each.name === name)) {
      await identity.createUser(admin, { name, password })
      await identity.grant(admin, { user: name, project, role })
    }
    return identity.login({ user: name, password, project })
  }

  /** One request. `body` is sent as JSON unless it is a text. */
  async ask(
    method: string,
    path: string,
    {
      token,
      body,
      form,
      headers = {},
    }: { token?: string; body?: unknown; form?: FormData; headers?: Record<string, string> } = {},
  ): Promise<{ status: number; headers: Headers; text: string; json: Answered }> {
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(token !== undefined && { 'x-auth-token': token }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(form && { body: form }),
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json')
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    }
  }

  async #openQueue(): Promise<void> {
    const { folder, table, clock } = this.fixture
    this.#events = await openEventStore({ url: join(folder, 'events.db') })
    this.queue = await createAsyncCalls({ store: this.#events, invoker: this.#invoker(), table, clock })
  }

  #parts(settings: Partial<DialectParts['settings']>): DialectParts {
    const { fixture } = this
    return {
      control: fixture.control,
      invoker: this.#invoker(),
      async: this.queue ?? this.#notedCalls(),
      telemetry: {
        listLogs: async (_projectId, { invocationId }) =>
          (this.logs.get(invocationId ?? '') ?? this.logs.get('any') ?? []).map(
            text => ({ stream: 'stdout', text }) as LogLine,
          ),
      } as Partial<TelemetryReader> as TelemetryReader,
      identity: fixture.identity,
      table: fixture.table,
      records: this.records,
      secrets: fixture.control.secrets,
      images: IMAGES,
      pool: { instances: () => this.instances, kill: async id => this.#kill(id) },
      settings: {
        openProject: '',
        ironfunctions: { jwtKey: '' },
        picasso: { functionsUrl: '' },
        qinling: { endpoint: '', swiftUrl: '', executionDays: 90 },
        ...settings,
      },
      clock: fixture.clock,
      log: {
        isLevelEnabled: () => true,
        debug: (fields, message) => void this.logged.push(inspect({ message, ...fields }, DEEP)),
        error: (fields, message) => void this.logged.push(inspect({ message, ...fields }, DEEP)),
      },
    }
  }

  #notedCalls(): AsyncCalls {
    return {
      accept: async calls => {
        this.accepted.push(...calls)
        return calls.map(() => {
          const id = newId(Date.now())
          this.acceptedIds.push(id)
          return { id, duplicate: false }
        })
      },
      get: async (_projectId, id) => (this.ends.get(id)?.call ?? { state: 'queued' }) as AsyncCall,
      result: async (_projectId, id) => this.ends.get(id)!.answer!,
      reserve: async () => undefined,
    } as Partial<AsyncCalls> as AsyncCalls
  }

  #kill(id: string): boolean {
    const before = this.instances.length
    this.instances = this.instances.filter(each => each.id !== id)
    return this.instances.length < before
  }

  #invoker(): Invoker {
    return {
      invoke: (request, sink) => {
        this.calls.push(request)
        queueMicrotask(() => {
          try {
            const { status = 200, headers = [], body } = this.behaviour(request)
            sink.onHead(status, ['content-type', 'text/plain; charset=utf-8', ...headers])
            sink.onData(Buffer.from(body))
            sink.onEnd()
          } catch (error) {
            sink.onFail(error as AtelierError)
          }
        })
        return {
          id: newId(Date.now()),
          version: 1,
          write: () => true,
          writeMessage: () => true,
          end: () => {},
          consumed: () => {},
          cancel: () => {},
        }
      },
    }
  }
}
