import assert from 'node:assert/strict'
import type { Place } from '../place.ts'
import { goHeaders, type Script, type Step, told } from '../step.ts'
import type { Reply } from '../wire.ts'
import { taskSteps } from './ironfunctions-tasks.ts'

const WHOLE = {
  app_name: 'shop',
  path: '/hello',
  image: 'iron/hello',
  memory: 128,
  headers: {},
  type: 'sync',
  format: 'default',
  max_concurrency: 1,
  timeout: 30,
  idle_timeout: 0,
  config: {},
  jwt_key: '',
}
const LOADED = 'Successfully loaded route'

/** IronFunctions' command line `fn`: the requests that its commands make of the API v1, by Go's HTTP client. */
export function ironfunctionsScript(): Script {
  async function ask(at: Place, method: string, path: string, body?: string): Promise<Reply> {
    const reply = await at.ask('ironfunctions', method, path, { headers: goHeaders(body), body })
    if (!path.startsWith('/r/'))
      assert.equal(reply.headers['content-type'], 'application/json; charset=utf-8')
    return reply
  }
  const hello = '/v1/apps/shop/routes/hello'
  /** How `fn call` calls: what it is given, as JSON whatever it is. */
  const call = (at: Place, path: string, body: string): Promise<Reply> =>
    at.ask('ironfunctions', 'POST', path, {
      body,
      headers: goHeaders(body).filter(([name]) => name !== 'Accept'),
    })

  const steps: readonly Step[] = [
    {
      command: 'fn apps create shop --config LEVEL=3',
      operations: ['POST /v1/apps'],
      async run(at) {
        const app = { name: 'shop', config: { LEVEL: '3' } }
        const reply = await ask(at, 'POST', '/v1/apps', '{"app":{"config":{"LEVEL":"3"},"name":"shop"}}')
        told(reply, 200, { message: 'App successfully created', app })
        const again = await ask(at, 'POST', '/v1/apps', '{"app":{"name":"shop"}}')
        told(again, 409, '{"error":{"message":"App already exists"}}\n')
      },
    },
    {
      command: 'fn apps list',
      operations: ['GET /v1/apps'],
      async run(at) {
        const apps = [{ name: 'shop', config: { LEVEL: '3' } }]
        told(await ask(at, 'GET', '/v1/apps'), 200, { message: 'Successfully listed applications', apps })
      },
    },
    {
      command: 'fn apps inspect shop',
      operations: ['GET /v1/apps/:app'],
      async run(at) {
        const app = { name: 'shop', config: { LEVEL: '3' } }
        told(await ask(at, 'GET', '/v1/apps/shop'), 200, { message: 'Successfully loaded app', app })
        told(await ask(at, 'GET', '/v1/apps/none'), 404, '{"error":{"message":"App not found"}}\n')
      },
    },
    {
      command: 'fn apps config set shop COLOUR red',
      operations: ['PATCH /v1/apps/:app'],
      async run(at) {
        const app = { name: 'shop', config: { LEVEL: '3', COLOUR: 'red' } }
        const reply = await ask(at, 'PATCH', '/v1/apps/shop', '{"app":{"config":{"COLOUR":"red"}}}')
        told(reply, 200, { message: 'App successfully updated', app })
      },
    },
    {
      command: 'fn apps config unset shop COLOUR',
      operations: ['PATCH /v1/apps/:app'],
      async run(at) {
        const reply = await ask(at, 'PATCH', '/v1/apps/shop', '{"app":{"config":{"COLOUR":""}}}')
        assert.deepEqual(reply.json.app.config, { LEVEL: '3' })
      },
    },
    {
      command: 'fn routes create shop /hello iron/hello',
      operations: ['POST /v1/apps/:app/routes'],
      async run(at) {
        const body =
          '{"route":{"image":"iron/hello","max_concurrency":1,"memory":128,"path":"/hello","timeout":30,"type":"sync"}}'
        const reply = await ask(at, 'POST', '/v1/apps/shop/routes', body)
        told(reply, 200, { message: 'Route successfully created', route: WHOLE })
        const again = await ask(at, 'POST', '/v1/apps/shop/routes', body)
        told(again, 409, '{"error":{"message":"Route already exists"}}\n')
      },
    },
    {
      command: 'fn routes create other /later iron/hello --type async, which makes its app',
      operations: ['POST /v1/apps/:app/routes'],
      async run(at) {
        const body = '{"route":{"image":"iron/hello","memory":64,"path":"/later","type":"async"}}'
        const reply = await ask(at, 'POST', '/v1/apps/other/routes', body)
        const route = { ...WHOLE, app_name: 'other', path: '/later', type: 'async', memory: 64 }
        told(reply, 200, { message: 'Route successfully created', route })
        assert.equal((await ask(at, 'GET', '/v1/apps/other')).json.app.config, null)
      },
    },
    {
      command: 'fn routes list shop',
      operations: ['GET /v1/apps/:app/routes'],
      async run(at) {
        const message = 'Sucessfully listed routes'
        told(await ask(at, 'GET', '/v1/apps/shop/routes'), 200, { message, routes: [WHOLE] })
        told(await ask(at, 'GET', '/v1/apps/none/routes'), 200, { message, routes: [] })
      },
    },
    {
      command: 'fn routes inspect shop /hello',
      operations: ['GET /v1/apps/:app/routes/*'],
      async run(at) {
        told(await ask(at, 'GET', hello), 200, { message: LOADED, route: WHOLE })
        const none = await ask(at, 'GET', '/v1/apps/shop/routes/none')
        told(none, 404, '{"error":{"message":"Route not found"}}\n')
      },
    },
    {
      command: 'fn routes update shop /hello --memory 64',
      operations: ['PATCH /v1/apps/:app/routes/*'],
      async run(at) {
        const reply = await ask(at, 'PATCH', hello, '{"route":{"memory":64}}')
        told(reply, 200, { message: 'Route successfully updated', route: { ...WHOLE, memory: 64 } })
        const moved = await ask(at, 'PATCH', hello, '{"route":{"path":"/x"}}')
        told(moved, 400, '{"error":{"message":"Could not update route - path is immutable"}}\n')
      },
    },
    {
      command: 'fn routes config set shop /hello LEVEL 4',
      operations: ['PATCH /v1/apps/:app/routes/*'],
      async run(at) {
        const reply = await ask(at, 'PATCH', hello, '{"route":{"config":{"LEVEL":"4"}}}')
        assert.deepEqual(reply.json.route.config, { LEVEL: '4' })
      },
    },
    {
      command: 'fn routes config unset shop /hello LEVEL',
      operations: ['PATCH /v1/apps/:app/routes/*'],
      async run(at) {
        const reply = await ask(at, 'PATCH', hello, '{"route":{"config":{"LEVEL":""}}}')
        assert.deepEqual(reply.json.route.config, {})
      },
    },
    {
      command: 'fn call shop /hello < name.json',
      operations: ['ANY /r/:app/*'],
      async run(at) {
        const reply = await call(at, '/r/shop/hello', '{"name":"Ann"}\n')
        told(reply, 200, 'Hello Ann!\n')
        assert.match(String(reply.headers['content-type']), /^text\/plain/)
        told(
          await call(at, '/r/shop/none', ''),
          404,
          '{"error":{"message":"Route not found on that application"}}\n',
        )
        told(await call(at, '/r/none/x', ''), 404, '{"error":{"message":"App not found"}}\n')
      },
    },
    {
      command: 'curl http://HOST:8080/r/shop/hello?payload={"name":"Ann"}',
      operations: ['ANY /r/:app/*'],
      async run(at) {
        const path = `/r/shop/hello?payload=${encodeURIComponent('{"name":"Ann"}')}`
        told(await at.ask('ironfunctions', 'GET', path), 200, 'Hello Ann!\n')
      },
    },
    {
      command: 'fn call other /later, which runs when it may',
      operations: ['ANY /r/:app/*'],
      async run(at) {
        const reply = await call(at, '/r/other/later', '{}')
        told(reply, 202)
        assert.deepEqual(Object.keys(reply.json), ['call_id'])
        assert.equal((await at.recordOf('ann', reply.json.call_id)).status, 'ok')
      },
    },
    ...taskSteps(),
    {
      command: 'curl http://HOST:8080/r/shop, where no route is and then one of the path /',
      operations: ['ANY /r/:app'],
      async run(at) {
        const message = 'Route not found on that application'
        const none = await at.ask('ironfunctions', 'GET', '/r/shop')
        told(none, 404, `{"error":{"message":"${message}"}}\n`)
        const route = '{"route":{"image":"iron/hello","path":"/"}}'
        told(await ask(at, 'POST', '/v1/apps/shop/routes', route), 200)
        told(await at.ask('ironfunctions', 'GET', '/r/shop'), 200, 'Hello World!\n')
        told(await ask(at, 'DELETE', '/v1/apps/shop/routes/'), 200)
      },
    },
    {
      command: 'curl http://HOST:8080/v1/routes',
      operations: ['GET /v1/routes'],
      async run(at) {
        const { json } = await ask(at, 'GET', '/v1/routes')
        const paths = json.routes.map((each: { path: string }) => each.path)
        assert.deepEqual(paths.sort(), ['/hello', '/later'])
      },
    },
    {
      command: 'fn routes delete shop /hello',
      operations: ['DELETE /v1/apps/:app/routes/*'],
      async run(at) {
        const full = await ask(at, 'DELETE', '/v1/apps/shop')
        told(full, 400, '{"error":{"message":"Cannot remove apps with routes"}}\n')
        told(await ask(at, 'DELETE', hello), 200, '{"message":"Route deleted"}\n')
        told(await ask(at, 'DELETE', hello), 404, '{"error":{"message":"Route not found"}}\n')
        told(await ask(at, 'DELETE', '/v1/apps/other/routes/later'), 200)
      },
    },
    {
      command: 'fn apps delete shop',
      operations: ['DELETE /v1/apps/:app'],
      async run(at) {
        for (const app of ['shop', 'other'])
          told(await ask(at, 'DELETE', `/v1/apps/${app}`), 200, '{"message":"App deleted"}\n')
        told(await ask(at, 'DELETE', '/v1/apps/shop'), 404, '{"error":{"message":"App not found"}}\n')
      },
    },
    {
      command: 'fn version',
      operations: ['GET /version', 'GET /v1/version'],
      async run(at) {
        for (const path of ['/version', '/v1/version'])
          told(await ask(at, 'GET', path), 200, '{"version":"0.2.72"}\n')
      },
    },
    {
      command: 'curl http://HOST:8080/stats',
      operations: ['GET /stats'],
      async run(at) {
        const { json } = await ask(at, 'GET', '/stats')
        assert.deepEqual(Object.keys(json), ['Queue', 'Running', 'Complete'])
        assert.ok(json.Complete >= 2)
      },
    },
    {
      command: 'curl http://HOST:8080/',
      operations: ['GET /'],
      async run(at) {
        const goto = 'https://github.com/iron-io/functions'
        told(await ask(at, 'GET', '/'), 200, `{"goto":"${goto}","hello":"world!"}\n`)
        told(await ask(at, 'PUT', '/v1/apps'), 404, '"Not Found"\n')
      },
    },
  ]
  return { dialect: 'ironfunctions', client: 'fn of IronFunctions', steps }
}
