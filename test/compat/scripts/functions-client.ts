import assert from 'node:assert/strict'
import { FunctionsClient, functionsClientMissing } from '../functions-client.ts'
import type { Script, Step } from '../step.ts'

/** IronFunctions' client for Python, which Picasso itself stood on: installed from where it is published, and unmodified. */
export function functionsClientScript(): Script {
  let client: FunctionsClient | undefined
  const app = 'python'
  const names = (things: readonly { readonly name: string }[]) => things.map(({ name }) => name)

  const steps: readonly Step[] = [
    {
      command: 'functionsclient: apps.list()',
      operations: ['GET /v1/apps'],
      async run() {
        assert.deepEqual(await client!.call('list'), { value: [] })
      },
    },
    {
      command: 'functionsclient: apps.create(name)',
      operations: ['POST /v1/apps'],
      async run() {
        assert.deepEqual(await client!.call('create', [app]), { value: { name: app, config: null } })
        const again = await client!.call('create', [app])
        assert.deepEqual(again, { reason: 'App already exists', status: 409 })
        assert.deepEqual(names((await client!.call('list')).value), [app])
      },
    },
    {
      command: 'functionsclient: apps.update(name, config=…)',
      operations: ['PATCH /v1/apps/:app'],
      async run() {
        const updated = await client!.call('update', [app], { config: { LEVEL: '3' } })
        assert.deepEqual(updated, { value: { name: app, config: { LEVEL: '3' } } })
        const renamed = await client!.call('update', [app], { name: 'other' })
        assert.deepEqual(renamed, { reason: 'Could not update app - name is immutable', status: 400 })
      },
    },
    {
      command: 'functionsclient: apps.show(name)',
      operations: ['GET /v1/apps/:app'],
      async run() {
        assert.deepEqual((await client!.call('show', [app])).value.config, { LEVEL: '3' })
        assert.deepEqual(await client!.call('show', ['none']), { reason: 'App not found', status: 404 })
      },
    },
    {
      command: 'functionsclient: routes.create(type=…, path=…, image=…)',
      operations: ['POST /v1/apps/:app/routes'],
      async run() {
        const route = { type: 'async', path: '/hello', image: 'iron/hello' }
        const { value } = await client!.call('create', [], route, app)
        assert.deepEqual([value.app_name, value.type, value.memory], [app, 'async', 128])
      },
    },
    {
      command: 'functionsclient: routes.list()',
      operations: ['GET /v1/apps/:app/routes'],
      async run() {
        const { value } = await client!.call('list', [], {}, app)
        assert.deepEqual([value.length, value[0].path], [1, '/hello'])
      },
    },
    {
      command: 'functionsclient: routes.update(path, type="sync")',
      operations: ['PATCH /v1/apps/:app/routes/*'],
      async run() {
        const { value } = await client!.call('update', ['/hello'], { type: 'sync' }, app)
        assert.equal(value.type, 'sync')
      },
    },
    {
      command: 'functionsclient: routes.show(path)',
      operations: ['GET /v1/apps/:app/routes/*'],
      async run() {
        assert.equal((await client!.call('show', ['/hello'], {}, app)).value.image, 'iron/hello')
        const none = await client!.call('show', ['/none'], {}, app)
        assert.deepEqual(none, { reason: 'Route not found', status: 404 })
      },
    },
    {
      command: 'functionsclient: routes.execute(path, name="Johnny")',
      operations: ['ANY /r/:app/*'],
      async run() {
        const said = await client!.call('execute', ['/hello'], { name: 'Johnny' }, app)
        assert.deepEqual(said, { value: 'Hello Johnny!\n' })
      },
    },
    {
      command: 'functionsclient: routes.delete(path)',
      operations: ['DELETE /v1/apps/:app/routes/*'],
      async run() {
        const full = await client!.call('delete', [app])
        assert.deepEqual(full, { reason: 'Cannot remove apps with routes', status: 400 })
        assert.deepEqual(await client!.call('delete', ['/hello'], {}, app), { value: null })
      },
    },
    {
      command: 'functionsclient: apps.delete(name)',
      operations: ['DELETE /v1/apps/:app'],
      async run() {
        assert.deepEqual(await client!.call('delete', [app]), { value: null })
        assert.deepEqual(await client!.call('list'), { value: [] })
      },
    },
  ]
  return {
    dialect: 'ironfunctions',
    client: 'python-functionsclient',
    skip: functionsClientMissing,
    async prepare(at) {
      try {
        client = await FunctionsClient.install(at.folder, at.server.dialect('ironfunctions'))
      } catch (error) {
        return `it cannot be installed: ${String(error)}`
      }
      at.closing.push(() => client?.close())
      return undefined
    },
    steps,
  }
}
