import type { TestContext } from 'node:test'
import type { AcceptedCall, AsyncCalls, NewAsyncCall } from '../../src/async/index.ts'
import {
  AtelierError,
  FunctionTable,
  type HttpTrigger,
  type Principal,
  systemClock,
  type TableFunction,
  type TableVersion,
} from '../../src/core/index.ts'
import type { IdentityProvider } from '../../src/identity/index.ts'
import type { CreateFront } from '../../src/router/front.ts'
import { createRouter, type HookReceiver, type Router, type RouterLimits } from '../../src/router/index.ts'
import { type Handler, HandlerInvoker } from './handlers.ts'

export interface RouterFixture {
  readonly router: Router
  readonly table: FunctionTable
  readonly invoker: HandlerInvoker
  readonly queue: ListedCalls
  readonly port: number
  readonly url: string
  readonly logged: { fields: object; message: string }[]
}

export interface FixtureOptions {
  readonly front?: CreateFront | undefined
  readonly limits?: Partial<RouterLimits>
  readonly trustForwarded?: boolean
  /** By function name; each lives at `/acme/main/<name>` and is public unless its name begins with "private". */
  readonly handlers?: Readonly<Record<string, Handler>>
  readonly hooks?: HookReceiver
  readonly triggers?: readonly (Partial<HttpTrigger> & { function: string })[]
}

/** A router on a free port with functions in this process; closed when the test is over. */
export async function startRouter(t: TestContext, options: FixtureOptions = {}): Promise<RouterFixture> {
  const handlers = {
    hello: (call: Parameters<Handler>[0]) =>
      call.respond(200, ['content-type', 'text/plain'], 'Hello, World!'),
    ...options.handlers,
  }
  const invoker = new HandlerInvoker(handlers)
  const table = new FunctionTable()
  table.publish([{ kind: 'project', id: 'p-acme', value: { id: 'p-acme', name: 'acme', enabled: true } }])
  for (const name of Object.keys(handlers)) publishFunction(table, { name })
  for (const { function: name, ...trigger } of options.triggers ?? [])
    publishTrigger(table, { functionId: `acme-${name}`, ...trigger })
  const queue = new ListedCalls()
  const logged: RouterFixture['logged'] = []
  const log = (fields: object, message: string) => void logged.push({ fields, message })
  const router = createRouter({
    table,
    invoker,
    async: queue,
    asyncUrl: id => `http://127.0.0.1:1881/v1/async-invocations/${id}`,
    identity: new TokenTable(),
    log: { warn: log, error: log },
    clock: systemClock,
    limits: options.limits ?? {},
    trustForwarded: options.trustForwarded ?? false,
    ...(options.hooks && { hooks: options.hooks }),
    ...(options.front && { front: options.front }),
  })
  const { port } = await router.listen(0, '127.0.0.1')
  t.after(() => router.close())
  return { router, table, invoker, queue, port, url: `http://127.0.0.1:${port}`, logged }
}

export function publishFunction(
  table: FunctionTable,
  { project = 'acme', app = 'main', name }: { project?: string; app?: string; name: string },
): TableFunction {
  const version = { id: `v-${name}`, number: 1 } as TableVersion
  const value: TableFunction = {
    id: `${project}-${name}`,
    projectId: `p-${project}`,
    projectName: project,
    appName: app,
    name,
    access: name.startsWith('private') ? 'private' : 'public',
    versions: new Map([[1, version]]),
    aliases: new Map([['live', [{ version: 1, weight: 100 }]]]),
  }
  table.publish([{ kind: 'function', id: value.id, value }])
  return value
}

/** A queue that keeps what it accepted, or refuses with `refusal`. */
export class ListedCalls implements Pick<AsyncCalls, 'accept'> {
  readonly calls: NewAsyncCall[] = []
  refusal: AtelierError | undefined

  async accept(calls: readonly NewAsyncCall[]): Promise<AcceptedCall[]> {
    if (this.refusal) throw this.refusal
    return calls.map(call => ({ id: `call-${this.calls.push(call)}`, duplicate: false }))
  }
}

let triggersMade = 0

export function publishTrigger(table: FunctionTable, partial: Partial<HttpTrigger>): HttpTrigger {
  const value = makeTrigger(partial)
  table.publish([{ kind: 'trigger', id: value.id, value }])
  return value
}

export function makeTrigger(partial: Partial<HttpTrigger>): HttpTrigger {
  const number = ++triggersMade
  return {
    id: `t-${number}`,
    projectId: 'p-acme',
    functionId: 'acme-hello',
    name: `t-${number}`,
    methods: [],
    path: '/',
    stripPrefix: false,
    alias: 'live',
    revision: 1,
    createdAt: number,
    updatedAt: number,
    ...partial,
  }
}

/** Identity with three tokens: a member, a reader and another project's member. `fresh-…` ones are not cached yet. */
class TokenTable implements Pick<IdentityProvider, 'authenticate' | 'cached'> {
  readonly name = 'table'

  cached(token: string): Principal | undefined {
    return PRINCIPALS.get(token)
  }

  async authenticate(token: string): Promise<Principal> {
    const principal = token.startsWith('fresh-') ? PRINCIPALS.get(token.slice(6)) : undefined
    if (token === 'down')
      throw new AtelierError('UNAVAILABLE', 'The identity service cannot be asked.', { retryAfterS: 3 })
    if (!principal)
      throw new AtelierError('UNAUTHENTICATED', 'The token is unknown or has expired; log in again.')
    return principal
  }
}

const PRINCIPALS = new Map<string, Principal>(
  (
    [
      ['member', 'acme', 'member'],
      ['reader', 'acme', 'reader'],
      ['stranger', 'globex', 'member'],
      ['operator', 'globex', 'admin'],
    ] as const
  ).map(([token, project, role]) => [
    token,
    {
      userId: token,
      userName: token,
      projectId: `p-${project}`,
      projectName: project,
      roles: [role],
      expiresAt: 4e12,
    },
  ]),
)
