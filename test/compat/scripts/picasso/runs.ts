import assert from 'node:assert/strict'
import { type Step, told } from '../../step.ts'
import { type Client, headersOf, JSON_TYPE } from './client.ts'

const NOT_AUTHORISED = 'Not authorized. Reason: The request you have made requires authentication. (HTTP 401)'

/** Calls, and the end of it all. */
export function runSteps(client: Client): readonly Step[] {
  return [
    {
      command: 'openstack fn routes execute APP /hello',
      operations: ['POST /v1/r/:project_id/:app/*'],
      async run(at) {
        const message = `App ${client.app} sync route /hello execution finished`
        told(await client.execute(at, '/hello', '{}'), 200, { result: 'Hello World!\n', message })
      },
    },
    {
      command: `openstack fn routes execute APP /hello --data '"{\\"name\\": \\"Ann\\"}"'`,
      operations: ['POST /v1/r/:project_id/:app/*'],
      async run(at) {
        const { json } = await client.execute(at, '/hello', '{"name": "Ann"}')
        assert.equal(json.result, 'Hello Ann!\n')
      },
    },
    {
      command: 'openstack fn routes execute APP /hello --supply-auth-properties',
      operations: ['POST /v1/r/:project_id/:app/*'],
      async run(at) {
        const { token, projectId } = await at.session('ann')
        const properties = { OS_AUTH_URL: at.authUrl, OS_TOKEN: token, OS_PROJECT_ID: projectId }
        const reply = await client.execute(at, '/hello', JSON.stringify(properties))
        told(reply, 200)
        assert.equal(reply.json.result, 'Hello World!\n')
      },
    },
    {
      command: 'openstack fn routes execute APP /open, which anybody may call',
      operations: ['POST /r/:app/*'],
      async run(at) {
        const message = `App ${client.app} sync route /open execution finished`
        told(await client.execute(at, '/open', '{}'), 200, { result: 'Hello World!\n', message })
        const bare = await at.ask('picasso', 'POST', `/r/${client.app}/open`)
        assert.equal(bare.json.result, 'Hello World!\n')
        const hidden = await at.ask('picasso', 'POST', `/r/${client.app}/hello`)
        told(hidden, 403, { error: { message: 'Unable to execute private route /hello' } })
        const none = await at.ask('picasso', 'POST', `/r/${client.app}/none`)
        told(none, 404, { error: { message: 'Route /none not found' } })
      },
    },
    {
      command: 'openstack fn routes execute APP /later, which runs when it may',
      operations: ['POST /v1/r/:project_id/:app/*'],
      async run(at) {
        const reply = await client.execute(at, '/later', '{"name": "Ann"}')
        told(reply, 200, '{}')
        const id = reply.headers['atelier-invocation-id']
        assert.equal((await at.recordOf('ann', String(id))).status, 'ok')
      },
    },
    {
      command: 'openstack fn routes expose-url APP /open',
      operations: ['GET /v1/:project_id/apps/:app/routes/*'],
      async run(at) {
        // The client finds the service by type and name, and prints its address and the route's.
        const { catalog } = await at.session('ann')
        const found = catalog.find(({ type, name }) => type === 'functions' && name === 'picasso')
        const endpoint = found?.endpoints.find(each => each.interface === 'public')?.url
        assert.equal(endpoint, at.server.dialect('picasso'))
        const { json } = await client.inProject(at, 'GET', `/${client.app}/routes/open`)
        assert.equal(json.route.is_public, true)
        assert.equal((await fetch(`${endpoint}/r/${client.app}/open`, { method: 'POST' })).status, 200)
      },
    },
    {
      command: 'openstack fn apps delete APP, while it has routes',
      operations: [],
      async run(at) {
        const reply = await client.inProject(at, 'DELETE', `/${client.app}`)
        told(reply, 403, { error: { message: `Unable to delete app ${client.app} with routes` } })
      },
    },
    {
      command: 'openstack fn routes delete APP /hello',
      operations: ['DELETE /v1/:project_id/apps/:app/routes/*'],
      async run(at) {
        for (const path of ['hello', 'later', 'open']) {
          const reply = await client.inProject(at, 'DELETE', `/${client.app}/routes/${path}`)
          told(reply, 200, { message: 'Route successfully deleted' })
        }
        const none = await client.inProject(at, 'DELETE', `/${client.app}/routes/hello`)
        told(none, 404, { error: { message: 'Route not found' } })
      },
    },
    {
      command: 'openstack fn apps delete APP',
      operations: ['DELETE /v1/:project_id/apps/:app'],
      async run(at) {
        for (const name of [client.app, client.configured])
          told(await client.inProject(at, 'DELETE', `/${name}`), 200, { message: 'App successfully deleted' })
        const none = await client.inProject(at, 'DELETE', `/${client.app}`)
        told(none, 404, { error: { message: `App ${client.app} not found` } })
      },
    },
    {
      command: 'openstack fn apps list, with a token that is not good',
      operations: [],
      async run(at) {
        const { projectId } = await at.session('ann')
        for (const token of ['gAAAAABforged', await at.token('bob')]) {
          const reply = await at.ask('picasso', 'GET', `/v1/${projectId}/apps`, {
            headers: headersOf(token, undefined),
          })
          told(reply, 401, { error: { message: NOT_AUTHORISED } })
          assert.equal(reply.headers['content-type'], JSON_TYPE)
        }
      },
    },
    {
      command: 'curl http://HOST:10001/api/swagger.json',
      operations: ['GET /api/swagger.json'],
      async run(at) {
        const { json } = await at.ask('picasso', 'GET', '/api/swagger.json')
        assert.deepEqual([json.swagger, json.info.title], ['2.0', 'Picasso API'])
        assert.equal(Object.keys(json.paths).length, 6)
      },
    },
    {
      command: 'a browser at http://HOST:10001/api',
      operations: ['GET /api'],
      async run(at) {
        const reply = await at.ask('picasso', 'GET', '/api')
        assert.match(String(reply.headers['content-type']), /^text\/html/)
      },
    },
  ]
}
