import assert from 'node:assert/strict'
import { type Step, told } from '../../step.ts'
import { type Client, ID, NO_TIMES } from './client.ts'

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/

/** Apps, their functions, and calls of these. */
export function thingSteps(client: Client): readonly Step[] {
  return [
    {
      command: 'fn create app shop --config LEVEL=3',
      operations: ['POST /v2/apps'],
      async run(at) {
        const body = `{"config":{"LEVEL":"3"},${NO_TIMES},"name":"shop"}`
        const { status, json } = await client.ask(at, 'POST', '/v2/apps', body)
        assert.equal(status, 200)
        client.app = json.id
        assert.match(client.app, ID)
        const { created_at, updated_at } = json
        for (const time of [created_at, updated_at]) assert.match(time, TIME)
        const whole = {
          id: client.app,
          name: 'shop',
          config: { LEVEL: '3' },
          annotations: {},
          created_at,
          updated_at,
        }
        assert.deepEqual(json, whole)
        told(await client.ask(at, 'POST', '/v2/apps', body), 409, { message: 'App already exists' })
      },
    },
    {
      command: 'fn list apps',
      operations: ['GET /v2/apps'],
      async run(at) {
        const { json } = await client.ask(at, 'GET', '/v2/apps')
        assert.deepEqual(Object.keys(json), ['items'])
        assert.deepEqual(
          json.items.map((each: { name: string }) => each.name),
          ['shop'],
        )
      },
    },
    {
      command: 'fn inspect app shop',
      operations: ['GET /v2/apps'],
      async run(at) {
        assert.deepEqual((await client.appNamed(at)).config, { LEVEL: '3' })
        told(await client.ask(at, 'GET', '/v2/apps?name=none'), 200, { items: [] })
      },
    },
    {
      command: 'curl http://HOST:8080/v2/apps/ID',
      operations: ['GET /v2/apps/:id'],
      async run(at) {
        told(await client.ask(at, 'GET', `/v2/apps/${client.app}`), 200, await client.appNamed(at))
        told(await client.ask(at, 'GET', '/v2/apps/none'), 404, { message: 'App not found' })
      },
    },
    {
      command: 'fn config app shop COLOUR red',
      operations: ['PUT /v2/apps/:id'],
      async run(at) {
        const found = await client.appNamed(at)
        const sent = JSON.stringify({ ...found, config: { COLOUR: 'red' } })
        const { json } = await client.ask(at, 'PUT', `/v2/apps/${client.app}`, sent)
        assert.deepEqual(json.config, { LEVEL: '3', COLOUR: 'red' })
      },
    },
    {
      command: 'fn unset config app shop COLOUR',
      operations: ['PUT /v2/apps/:id'],
      async run(at) {
        const found = await client.appNamed(at)
        const sent = JSON.stringify({ ...found, config: { ...found.config, COLOUR: '' } })
        const { json } = await client.ask(at, 'PUT', `/v2/apps/${client.app}`, sent)
        assert.deepEqual(json.config, { LEVEL: '3' })
      },
    },
    {
      command: 'fn create function shop hello fnproject/hello:0.0.1 --memory 256',
      operations: ['POST /v2/fns'],
      async run(at) {
        const { id } = await client.appNamed(at)
        const body = `{"app_id":"${id}",${NO_TIMES},"image":"fnproject/hello:0.0.1","memory":256,"name":"hello"}`
        const { status, json, text } = await client.ask(at, 'POST', '/v2/fns', body)
        assert.equal(status, 200, text)
        client.fn = json.id
        assert.match(client.fn, ID)
        const { created_at, updated_at } = json
        const annotations = {
          'fnproject.io/fn/invokeEndpoint': `${at.server.dialect('fn')}/invoke/${client.fn}`,
        }
        const limits = { memory: 256, timeout: 30, idle_timeout: 30 }
        const what = { id: client.fn, name: 'hello', app_id: id, image: 'fnproject/hello:0.0.1' }
        assert.deepEqual(json, { ...what, ...limits, config: {}, annotations, created_at, updated_at })
        const again = await client.ask(at, 'POST', '/v2/fns', body)
        told(again, 409, { message: 'Fn with specified name already exists' })
      },
    },
    {
      command: 'fn list functions shop',
      operations: ['GET /v2/fns'],
      async run(at) {
        const { json } = await client.ask(at, 'GET', `/v2/fns?app_id=${(await client.appNamed(at)).id}`)
        assert.deepEqual([json.items.length, json.items[0].name], [1, 'hello'])
      },
    },
    {
      command: 'fn inspect function shop hello',
      operations: ['GET /v2/fns'],
      async run(at) {
        assert.equal((await client.fnNamed(at)).memory, 256)
      },
    },
    {
      command: 'curl http://HOST:8080/v2/fns/ID',
      operations: ['GET /v2/fns/:id'],
      async run(at) {
        told(await client.ask(at, 'GET', `/v2/fns/${client.fn}`), 200, await client.fnNamed(at))
        told(await client.ask(at, 'GET', '/v2/fns/none'), 404, { message: 'Fn not found' })
      },
    },
    {
      command: 'fn update function shop hello --memory 128 --timeout 60',
      operations: ['PUT /v2/fns/:id'],
      async run(at) {
        const sent = JSON.stringify({ ...(await client.fnNamed(at)), memory: 128, timeout: 60 })
        const { status, json } = await client.ask(at, 'PUT', `/v2/fns/${client.fn}`, sent)
        assert.deepEqual([status, json.memory, json.timeout, json.idle_timeout], [200, 128, 60, 30])
      },
    },
    {
      command: 'fn config function shop hello LEVEL 4',
      operations: ['PUT /v2/fns/:id'],
      async run(at) {
        const sent = JSON.stringify({ ...(await client.fnNamed(at)), config: { LEVEL: '4' } })
        assert.deepEqual((await client.ask(at, 'PUT', `/v2/fns/${client.fn}`, sent)).json.config, {
          LEVEL: '4',
        })
      },
    },
    {
      command: 'fn unset config function shop hello LEVEL',
      operations: ['PUT /v2/fns/:id'],
      async run(at) {
        const sent = JSON.stringify({ ...(await client.fnNamed(at)), config: { LEVEL: '' } })
        assert.deepEqual((await client.ask(at, 'PUT', `/v2/fns/${client.fn}`, sent)).json.config, {})
      },
    },
    {
      command: 'fn invoke shop hello --display-call-id < name.json',
      operations: ['POST /invoke/:id'],
      async run(at) {
        const reply = await client.invoke(at, '{"name":"Ann"}\n')
        told(reply, 200, '{"message":"Hello Ann"}\n')
        assert.match(String(reply.headers['fn-call-id']), /^[0-9a-z]{26}$/i)
        told(await client.ask(at, 'POST', '/invoke/none', '{}'), 404, { message: 'Fn not found' })
      },
    },
    {
      command: 'curl -H "Fn-Invoke-Type: detached" -X POST http://HOST:8080/invoke/ID',
      operations: ['POST /invoke/:id'],
      async run(at) {
        const headers = [['Fn-Invoke-Type', 'detached']] as const
        const reply = await at.ask('fn', 'POST', `/invoke/${client.fn}`, { headers, body: '{"name":"Ann"}' })
        told(reply, 202, '')
        assert.equal((await at.recordOf('ann', String(reply.headers['fn-call-id']))).status, 'ok')
      },
    },
  ]
}
