import assert from 'node:assert/strict'
import type { Dialect } from '../../src/dialects/dialect.ts'
import { fn } from '../../src/dialects/fn/dialect.ts'
import { ironfunctions } from '../../src/dialects/ironfunctions/dialect.ts'
import { picasso } from '../../src/dialects/picasso/dialect.ts'
import { qinling } from '../../src/dialects/qinling/dialect.ts'
import { codeOf, form, output, zip } from '../dialects/qinling/cloud.ts'
import type { DialectFixture } from '../support/dialects.ts'

/** Stands in everything that is project blue's alone, but in no name that an address has. */
export const MARK = 'mark-91d3'

/** Parts of addresses by `<collection>/<parameter>`, or by the parameter alone. */
export type Things = Readonly<Record<string, string>>
export type Body = Readonly<Record<string, unknown>> | FormData | undefined

/** What a dialect's operations are tried with. */
export interface Ground {
  readonly dialect: Dialect
  /** What anybody may ask: an operation that is added needs a token, or a line here. */
  readonly open: readonly string[]
  /** Operations that make a thing of the caller's own, whatever others have. */
  readonly making: readonly string[]
  /** Reads that take what they show: nobody looks twice. */
  readonly taking?: readonly string[]
  /** Operations that say 500 to what is wrong with a request, since upstream's clients know them so. */
  readonly blunt?: readonly string[]
  /** Whether its calls need a queue. */
  readonly durable?: boolean
  /** One of everything in project blue, each with the mark. */
  furnish(at: DialectFixture, token: string, admin: string): Promise<Things>
  /** What each operation takes that takes something. */
  readonly bodies: Readonly<Record<string, (things: Things) => Body>>
  /** How that stands which no operation shows. */
  hidden?(at: DialectFixture, things: Things): Promise<string>
  /** What lists need besides. */
  query?(name: string, things: Things): string
}

const ROUTE = {
  path: '/hello',
  image: 'iron/hello',
  type: 'sync',
  format: 'default',
  config: { SETTING: MARK },
  headers: { 'X-Mark': [MARK] },
}

async function made(
  at: DialectFixture,
  path: string,
  asking: { token: string; body?: unknown; form?: FormData },
): Promise<{ readonly id: string; readonly [field: string]: unknown }> {
  const answer = await at.ask('POST', path, asking)
  assert.ok(answer.status < 300, `POST ${path}: ${answer.status} ${answer.text}`)
  return answer.json
}

const picassoGround: Ground = {
  dialect: picasso,
  open: [
    'POST /r/:app/*',
    'GET /api',
    'GET /api/json',
    'GET /api/yaml',
    'GET /api/static/*',
    'GET /api/static/index.html',
    'GET /api/static/swagger-initializer.js',
    'GET /api/swagger.json',
  ],
  making: ['POST /v1/:project_id/apps'],
  async furnish(at, token) {
    const project_id = (await at.fixture.identity.authenticate(token)).projectId
    const base = `/v1/${project_id}/apps`
    const given = { name: 'demo', description: MARK, config: { SETTING: MARK } }
    const { app } = (await made(at, base, { token, body: { app: given } })) as unknown as {
      app: { name: string }
    }
    await made(at, `${base}/${app.name}/routes`, { token, body: { route: ROUTE } })
    return { project_id, app: app.name, '*': 'hello' }
  },
  bodies: {
    'POST /v1/:project_id/apps': () => ({ app: { name: 'other', description: 'd', config: { A: 'b' } } }),
    'PUT /v1/:project_id/apps/:app': () => ({ config: { A: 'b' } }),
    'POST /v1/:project_id/apps/:app/routes': () => ({ route: { ...ROUTE, path: '/new' } }),
    'PUT /v1/:project_id/apps/:app/routes/*': () => ({ image: 'iron/hello', config: { A: 'b' } }),
    'POST /v1/r/:project_id/:app/*': () => ({ name: 'Ann' }),
  },
}

const ironGround: Ground = {
  dialect: ironfunctions,
  open: ['GET /', 'GET /version', 'GET /v1/version', 'GET /stats', 'ANY /r/:app', 'ANY /r/:app/*'],
  making: ['POST /v1/apps'],
  taking: ['GET /tasks', 'GET /v1/tasks'],
  blunt: ['DELETE /tasks', 'DELETE /v1/tasks'],
  durable: true,
  async furnish(at, token) {
    await made(at, '/v1/apps', { token, body: { app: { name: 'demo', config: { SETTING: MARK } } } })
    await made(at, '/v1/apps/demo/routes', { token, body: { route: { ...ROUTE, jwt_key: MARK } } })
    const later = { ...ROUTE, path: '/later', type: 'async' }
    await made(at, '/v1/apps/demo/routes', { token, body: { route: later } })
    const blue = await at.fixture.identity.authenticate(token)
    await at.fixture.control.updateFunction(blue, 'demo', 'later', { async: { paused: true } })
    // One that is reserved, and one that is next.
    for (let i = 0; i < 2; i++) await made(at, '/r/demo/later', { token, body: { secret: MARK } })
    const { json: task } = await at.ask('GET', '/tasks', { token })
    assert.ok(task.payload.includes(MARK))
    return { app: 'demo', '*': 'hello', task: task.id, project: blue.projectId }
  },
  async hidden(at, things) {
    const { state, dueAt } = await at.queue!.get(things['project']!, things['task']!)
    const { queued } = at.queue!.usage(things['project']!)
    return `task ${state}, due at ${dueAt}, of ${queued}`
  },
  bodies: {
    'POST /v1/apps': () => ({ app: { name: 'other', config: { A: 'b' } } }),
    'PATCH /v1/apps/:app': () => ({ app: { config: { A: 'b' } } }),
    'POST /v1/apps/:app/routes': () => ({ route: { ...ROUTE, path: '/new', jwt_key: 'k' } }),
    'PATCH /v1/apps/:app/routes/*': () => ({
      route: { image: 'iron/hello', headers: { A: ['b'] }, config: { A: 'b' }, jwt_key: 'k' },
    }),
    'DELETE /tasks': things => ({ id: things['task'], env_vars: { A: 'b' } }),
    'DELETE /v1/tasks': things => ({ id: things['task'], env_vars: { A: 'b' } }),
  },
}

const fnGround: Ground = {
  dialect: fn,
  open: ['GET /', 'GET /version', 'GET /ping', 'POST /invoke/:id', 'ANY /t/:app', 'ANY /t/:app/*'],
  making: ['POST /v2/apps'],
  async furnish(at, token) {
    const marked = { config: { SETTING: MARK }, annotations: { 'of/blue': MARK } }
    const app = await made(at, '/v2/apps', { token, body: { name: 'demo', syslog_url: MARK, ...marked } })
    const body = { name: 'hello', app_id: app.id, image: 'fnproject/hello', ...marked }
    const hello = await made(at, '/v2/fns', { token, body })
    const way = { name: 'way', app_id: app.id, fn_id: hello.id, type: 'http', source: '/hi' }
    const trigger = await made(at, '/v2/triggers', {
      token,
      body: { ...way, annotations: marked.annotations },
    })
    return { 'apps/id': app.id, 'fns/id': hello.id, 'triggers/id': trigger.id }
  },
  bodies: {
    'POST /v2/apps': () => ({
      name: 'other',
      syslog_url: 'tcp://logs:1',
      shape: 'GENERIC_X86',
      config: { A: 'b' },
      annotations: { a: 'b' },
    }),
    'PUT /v2/apps/:id': () => ({ config: { A: 'b' }, syslog_url: 'tcp://logs:1', annotations: { a: 'b' } }),
    'POST /v2/fns': things => ({
      name: 'new',
      app_id: things['apps/id'],
      image: 'fnproject/hello',
      config: { A: 'b' },
    }),
    'PUT /v2/fns/:id': () => ({ image: 'fnproject/hello', config: { A: 'b' }, annotations: { a: 'b' } }),
    'POST /v2/triggers': things => ({
      name: 'new',
      app_id: things['apps/id'],
      fn_id: things['fns/id'],
      type: 'http',
      source: '/new',
    }),
    'PUT /v2/triggers/:id': () => ({ name: 'way', annotations: { a: 'b' } }),
  },
  query: (name, things) => (name === 'GET /v2/triggers' ? `?app_id=${things['apps/id']}` : ''),
}

const NONE = (): undefined => undefined
const COUNT = () => ({ count: 1 })

const qinlingGround: Ground = {
  dialect: qinling,
  open: ['GET /', 'GET /v1', 'POST /v1/webhooks/:id/invoke'],
  making: ['POST /v1/functions'],
  async furnish(at, token, admin) {
    at.behaviour = () => output(`"${MARK}"`)
    const marked = { name: MARK, description: MARK }
    const image = 'openstackqinling/python3-runtime'
    const own = { image, is_public: false, ...marked }
    const runtime = (await made(at, '/v1/runtimes', { token: admin, body: { image } })).id
    const hidden = (await made(at, '/v1/runtimes', { token: admin, body: own })).id
    const archive = zip('def main(**_): return 1')
    const fields = { runtime_id: runtime, code: codeOf(archive), entry: 'main.main', ...marked }
    const id = (await made(at, '/v1/functions', { token, form: form(fields, archive) })).id
    const body = { function_id: id, description: MARK }
    await made(at, `/v1/functions/${id}/versions`, { token, body: { description: MARK } })
    await made(at, '/v1/aliases', { token, body: { name: 'prod', ...body } })
    const execution = await made(at, '/v1/executions', { token, body })
    const job = { function_id: id, name: MARK, pattern: '0 * * * *', function_input: MARK }
    return {
      'runtimes/id': hidden,
      'functions/id': id,
      number: '1',
      name: 'prod',
      'executions/id': execution.id,
      'jobs/id': (await made(at, '/v1/jobs', { token, body: job })).id,
      'webhooks/id': (await made(at, '/v1/webhooks', { token, body })).id,
      runtime,
    }
  },
  bodies: {
    'POST /v1/runtimes': () => ({ image: 'python3', name: 'n', description: 'd' }),
    'PUT /v1/runtimes/:id': () => ({ name: 'n', description: 'd' }),
    'POST /v1/functions': things => {
      const archive = zip('def main(**_): return 2')
      const fields = { runtime_id: things['runtime']!, code: codeOf(archive), entry: 'main.main' }
      return form({ ...fields, name: 'n', description: 'd', cpu: '100', timeout: '5' }, archive)
    },
    'PUT /v1/functions/:id': () => form({ name: 'n', description: 'd', entry: 'main.main', cpu: '100' }),
    'POST /v1/functions/:id/scale_up': COUNT,
    'POST /v1/functions/:id/scale_down': COUNT,
    'POST /v1/functions/:id/detach': NONE,
    'POST /v1/functions/:id/versions': () => ({ description: 'd' }),
    'POST /v1/functions/:id/versions/:number/scale_up': COUNT,
    'POST /v1/functions/:id/versions/:number/scale_down': COUNT,
    'POST /v1/functions/:id/versions/:number/detach': NONE,
    'POST /v1/aliases': things => ({
      name: 'next',
      function_id: things['functions/id'],
      function_version: 1,
      description: 'd',
    }),
    'PUT /v1/aliases/:name': () => ({ description: 'd' }),
    'POST /v1/executions': things => ({
      function_id: things['functions/id'],
      input: '{"name": "Ann"}',
      description: 'd',
    }),
    'POST /v1/jobs': things => ({
      function_id: things['functions/id'],
      name: 'n',
      pattern: '0 * * * *',
      function_input: '{}',
    }),
    'PUT /v1/jobs/:id': () => ({ name: 'n', pattern: '0 * * * *', function_input: '{}' }),
    'POST /v1/webhooks': things => ({ function_id: things['functions/id'], description: 'd' }),
    'PUT /v1/webhooks/:id': () => ({ description: 'd' }),
  },
}

export const grounds: readonly Ground[] = [picassoGround, ironGround, fnGround, qinlingGround]
