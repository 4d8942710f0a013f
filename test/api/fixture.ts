import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { type ApiLimits, createApi, type ServerStatus } from '../../src/api/index.ts'
import { type AsyncCalls, createAsyncCalls } from '../../src/async/index.ts'
import { createAddressPolicy, type Principal, type Role, systemClock } from '../../src/core/index.ts'
import type { InstanceView } from '../../src/pool/index.ts'
import { type EventStore, openEventStore } from '../../src/store/index.ts'
import { createMetrics, createTelemetry, type RunningTelemetry } from '../../src/telemetry/index.ts'
import { createTopics } from '../../src/topics/index.ts'
import {
  createTriggers,
  Kinds,
  kindLoaders,
  type StoredRequests,
  storedRequests,
  storedStates,
  type Triggers,
} from '../../src/triggers/index.ts'
import { CallLog } from '../support/async-calls.ts'
import { ControlFixture } from '../support/control.ts'

import { InProcessInvoker } from './invoker.ts'

export interface Login {
  readonly headers: { readonly authorization: string }
  readonly principal: Principal
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS'

/** The whole API over a real store, identity, control plane and telemetry; functions run in this process. */
export class ApiFixture {
  api!: FastifyInstance
  telemetry!: RunningTelemetry
  events!: EventStore
  triggers!: Triggers
  requests!: StoredRequests
  /** Calls that outlive their caller: accepted, and run by nobody. */
  readonly calls = new CallLog(() => this.control.clock.now())
  queue!: AsyncCalls
  readonly control: ControlFixture
  readonly invoker = new InProcessInvoker()
  readonly instances: InstanceView[] = []
  readonly killed: string[] = []
  /** Everything that was logged, as JSON. */
  readonly logged: string[] = []
  notReady: string[] = []
  admin!: Login
  member!: Login
  reader!: Login
  /** A member of another project. */
  stranger!: Login
  readonly #folder: string
  topics!: ReturnType<typeof createTopics>
  readonly #kinds: Kinds
  readonly #limits: Partial<ApiLimits>
  /** Whether the API may manage logins and users. */
  readonly #managed: boolean

  private constructor(
    folder: string,
    control: ControlFixture,
    kinds: Kinds,
    limits: Partial<ApiLimits>,
    managed: boolean,
  ) {
    this.#managed = managed
    this.#kinds = kinds
    this.#folder = folder
    this.control = control
    this.#limits = limits
  }

  static async open(limits: Partial<ApiLimits> = {}, { managed = true } = {}): Promise<ApiFixture> {
    let made: ApiFixture | undefined
    const parts = {
      addresses: createAddressPolicy(),
      get requests() {
        return made!.requests
      },
    }
    const kinds = new Kinds(kindLoaders(parts))
    const control = await ControlFixture.open({ triggers: kinds })
    const folder = await mkdtemp(join(tmpdir(), 'atelier-api-'))
    const fixture = new ApiFixture(folder, control, kinds, limits, managed)
    made = fixture
    const path = join(fixture.#folder, 'telemetry')
    fixture.telemetry = createTelemetry({ path, clock: systemClock })
    fixture.events = await openEventStore({ url: join(fixture.#folder, 'events.db') })
    const onProblem = (message: string, cause: unknown) =>
      void fixture.logged.push(`${message}: ${String(cause)}`)
    fixture.requests = storedRequests({ store: fixture.events, clock: control.clock, onProblem })
    fixture.topics = createTopics({ store: fixture.events, clock: systemClock, onProblem })
    await fixture.#start()
    const by = control.admin
    await control.control.createProject(by, { name: 'elsewhere' })
    await control.identity.createUser(by, { name: 'root', password: PASSWORD })
    await control.identity.grant(by, { user: 'root', project: 'default', role: 'admin' })
    fixture.admin = await fixture.login('root')
    fixture.member = await fixture.user('mia', 'default', 'member')
    fixture.reader = await fixture.user('rolf', 'default', 'reader')
    fixture.stranger = await fixture.user('sam', 'elsewhere', 'member')
    return fixture
  }

  async user(name: string, project: string, role: Role): Promise<Login> {
    await this.control.identity.createUser(this.control.admin, { name, password: PASSWORD })
    await this.control.identity.grant(this.control.admin, { user: name, project, role })
    return this.login(name)
  }

  async login(user: string): Promise<Login> {
    const { token, principal } = await this.control.identity.login({ user, password: PASSWORD })
    return { headers: { authorization: `Bearer ${token}` }, principal }
  }

  /** One request; `body` is sent as JSON. */
  call(method: Method, url: string, by?: Login, options: CallOptions = {}): Promise<LightMyRequestResponse> {
    return this.api.inject({
      method,
      url,
      headers: { ...by?.headers, ...options.headers },
      ...(options.body !== undefined && { payload: options.body as object }),
    })
  }

  /** A deploy of one file as `app/name`. */
  async deploy(by: Login, options: DeployOptions = {}): Promise<LightMyRequestResponse> {
    const { app = 'shop', name = 'cart', code = 'export default () => 1', settings, headers = {} } = options
    const form = new FormData()
    if (settings !== undefined)
      form.append('settings', typeof settings === 'string' ? settings : JSON.stringify(settings))
    if (code !== null) form.append('package', new Blob([code]), options.fileName ?? 'main.js')
    const request = new Request('http://x/', { method: 'POST', body: form })
    return this.api.inject({
      method: 'POST',
      url: `/v1/apps/${app}/functions/${name}/deploy`,
      headers: { ...by.headers, 'content-type': request.headers.get('content-type')!, ...headers },
      payload: Buffer.from(await request.arrayBuffer()),
    })
  }

  /** As after a restart of the server. */
  async restart(): Promise<void> {
    await this.api.close()
    await this.triggers.close()
    await this.queue.close()
    await this.control.restart()
    await this.#start()
  }

  /** Listens on a real port. */
  async listen(): Promise<string> {
    return this.api.listen({ host: '127.0.0.1', port: 0 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api.close()
    await this.triggers.close()
    await this.requests.close()
    await this.queue.close()
    await this.topics.close()
    await this.events.close()
    await this.telemetry.close()
    await this.control.dispose()
    await rm(this.#folder, { recursive: true, force: true })
  }

  status(): ServerStatus {
    return {
      version: '0.0.0-test',
      startedAt: 1_800_000_000_000,
      roles: ['control', 'data', 'event'],
      isolation: { backend: 'fake', tier: 'none', notes: ['only a test'] },
      dataPath: '/somewhere/secret',
      routerUrl: 'http://127.0.0.1:1882',
      notReady: this.notReady,
    }
  }

  async #start(): Promise<void> {
    const { control } = this
    this.triggers = createTriggers({
      table: control.table,
      kinds: this.#kinds,
      async: this.calls.engine,
      invoker: this.invoker,
      states: storedStates(this.events, control.clock),
      clock: control.clock,
      onProblem: (message, cause) => this.logged.push(`${message}: ${String(cause)}`),
    })
    await this.triggers.start()
    const log = (fields: object, message: string) =>
      void this.logged.push(JSON.stringify({ ...fields, message }))
    this.queue = await createAsyncCalls({
      store: this.events,
      invoker: this.invoker,
      table: control.table,
      clock: systemClock,
    })
    this.api = await createApi({
      control: control.control,
      identity: control.identity,
      ...(this.#managed && { sessions: control.identity, users: control.identity }),
      telemetry: this.telemetry,
      pool: {
        instances: () => this.instances,
        kill: async id => {
          this.killed.push(id)
          return true
        },
      },
      invoker: this.invoker,
      async: this.queue,
      asyncUrl: id => `http://127.0.0.1:1881/v1/async-invocations/${id}`,
      table: control.table,
      environments: [control.nodejs, control.python],
      triggers: this.triggers,
      triggerKinds: this.#kinds,
      topics: this.topics,
      store: control.store,
      status: () => this.status(),
      metrics: createMetrics(),
      log: { debug: log, info: log, warn: log, error: log },
      clock: control.clock,
      limits: this.#limits,
    })
  }
}

export const PASSWORD = 'correct horse battery staple'

interface CallOptions {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

interface DeployOptions {
  readonly app?: string
  readonly name?: string
  readonly code?: string | null
  readonly fileName?: string
  readonly settings?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** A problem document of this status and code; returned for further looks. */
export function problem(answer: LightMyRequestResponse, status: number, code: string) {
  const body = answer.json<{
    status: number
    code: string
    detail: string
    type: string
    instance: string
    errors?: { pointer: string; detail: string }[]
  }>()
  const seen = { status: answer.statusCode, code: body.code, type: String(answer.headers['content-type']) }
  const wanted = { status, code, type: 'application/problem+json; charset=utf-8' }
  if (JSON.stringify(seen) !== JSON.stringify(wanted))
    throw new Error(`expected ${JSON.stringify(wanted)}, but got ${answer.statusCode} ${answer.body}`)
  return body
}
