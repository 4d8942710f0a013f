import assert from 'node:assert/strict'
import { type Step, told } from '../../step.ts'
import { type Client, ID, NO_TIMES } from './client.ts'

/** Triggers, calls through them, and the end of it all. */
export function triggerSteps(client: Client): readonly Step[] {
  return [
    {
      command: 'fn create trigger shop hello way --type http --source /hi',
      operations: ['POST /v2/triggers'],
      async run(at) {
        const found = await client.fnNamed(at)
        const body =
          `{"app_id":"${found.app_id}",${NO_TIMES},"fn_id":"${found.id}","name":"way",` +
          '"source":"/hi","type":"http"}'
        const { status, json, text } = await client.ask(at, 'POST', '/v2/triggers', body)
        assert.equal(status, 200, text)
        client.trigger = json.id
        assert.match(client.trigger, ID)
        const endpoint = json.annotations['fnproject.io/trigger/httpEndpoint']
        assert.equal(endpoint, `${at.server.dialect('fn')}/t/shop/hi`)
        assert.deepEqual([json.fn_id, json.type, json.source], [client.fn, 'http', '/hi'])
        const again = await client.ask(at, 'POST', '/v2/triggers', body.replace('"way"', '"road"'))
        told(again, 409, { message: 'Trigger with the same type and source exists on this app' })
      },
    },
    {
      command: 'fn list triggers shop hello',
      operations: ['GET /v2/triggers'],
      async run(at) {
        const { json } = await client.ask(
          at,
          'GET',
          `/v2/triggers?app_id=${client.app}&fn_id=${(await client.fnNamed(at)).id}`,
        )
        assert.deepEqual([json.items.length, json.items[0].id], [1, client.trigger])
      },
    },
    {
      command: 'fn inspect trigger shop hello way',
      operations: ['GET /v2/triggers'],
      async run(at) {
        assert.equal((await client.triggerNamed(at)).id, client.trigger)
      },
    },
    {
      command: 'curl http://HOST:8080/v2/triggers/ID',
      operations: ['GET /v2/triggers/:id'],
      async run(at) {
        told(
          await client.ask(at, 'GET', `/v2/triggers/${client.trigger}`),
          200,
          await client.triggerNamed(at),
        )
      },
    },
    {
      command: `fn update trigger shop hello way --annotation 'of/us="yes"'`,
      operations: ['PUT /v2/triggers/:id'],
      async run(at) {
        const found = await client.triggerNamed(at)
        const sent = JSON.stringify({ ...found, annotations: { 'of/us': 'yes' } })
        const { status, json } = await client.ask(at, 'PUT', `/v2/triggers/${client.trigger}`, sent)
        assert.equal(status, 200)
        assert.deepEqual(json.annotations, { ...found.annotations, 'of/us': 'yes' })
      },
    },
    {
      command: 'curl http://HOST:8080/t/shop/hi',
      operations: ['ANY /t/:app/*'],
      async run(at) {
        for (const [method, body] of [
          ['GET', undefined],
          ['POST', '{"name":"Ann"}'],
        ] as const) {
          const reply = await at.ask('fn', method, '/t/shop/hi?a=b', { body })
          told(reply, 200, body ? '{"message":"Hello Ann"}\n' : '{"message":"Hello World"}\n')
        }
        told(await client.ask(at, 'GET', '/t/shop/none'), 404, { message: 'Trigger not found' })
      },
    },
    {
      command: 'curl http://HOST:8080/t/shop, a trigger of the source /',
      operations: ['ANY /t/:app'],
      async run(at) {
        const body = JSON.stringify({
          app_id: client.app,
          fn_id: client.fn,
          name: 'root',
          source: '/',
          type: 'http',
        })
        const { json } = await client.ask(at, 'POST', '/v2/triggers', body)
        told(await at.ask('fn', 'GET', '/t/shop'), 200, '{"message":"Hello World"}\n')
        told(await client.ask(at, 'DELETE', `/v2/triggers/${json.id}`), 204, '')
      },
    },
    {
      command: 'fn delete trigger shop hello way',
      operations: ['DELETE /v2/triggers/:id'],
      async run(at) {
        told(await client.ask(at, 'DELETE', `/v2/triggers/${(await client.triggerNamed(at)).id}`), 204, '')
        told(await client.ask(at, 'GET', '/t/shop/hi'), 404, { message: 'Trigger not found' })
      },
    },
    {
      command: 'fn delete function shop hello',
      operations: ['DELETE /v2/fns/:id'],
      async run(at) {
        told(await client.ask(at, 'DELETE', `/v2/fns/${(await client.fnNamed(at)).id}`), 204, '')
        told(await client.ask(at, 'POST', `/invoke/${client.fn}`, '{}'), 404, { message: 'Fn not found' })
      },
    },
    {
      command: 'fn delete app shop',
      operations: ['DELETE /v2/apps/:id'],
      async run(at) {
        told(await client.ask(at, 'DELETE', `/v2/apps/${(await client.appNamed(at)).id}`), 204, '')
        told(await client.ask(at, 'GET', `/v2/apps/${client.app}`), 404, { message: 'App not found' })
      },
    },
    {
      command: 'fn version',
      operations: ['GET /version'],
      async run(at) {
        told(await client.ask(at, 'GET', '/version'), 200, { version: '0.3.753' })
      },
    },
    {
      command: 'curl http://HOST:8080/ and http://HOST:8080/ping',
      operations: ['GET /', 'GET /ping'],
      async run(at) {
        const body = { goto: 'https://github.com/fnproject/fn', hello: 'world!' }
        for (const path of ['/', '/ping']) told(await client.ask(at, 'GET', path), 200, body)
        told(await client.ask(at, 'GET', '/v3'), 404, { message: 'Path not found: GET /v3' })
        told(await client.ask(at, 'PATCH', '/v2/apps', '{}'), 405, {
          message: 'Method not allowed: PATCH /v2/apps',
        })
      },
    },
  ]
}
