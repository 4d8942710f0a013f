import assert from 'node:assert/strict'
import { type Step, told } from '../../step.ts'
import { type Client, routeBody, VIEW } from './client.ts'

/** Their routes. */
export function routeSteps(client: Client): readonly Step[] {
  return [
    {
      command: 'openstack fn routes list APP, before there is one',
      operations: ['GET /v1/:project_id/apps/:app/routes'],
      async run(at) {
        const message = 'Successfully loaded app routes'
        told(await client.inProject(at, 'GET', `/${client.app}/routes`), 200, { routes: [], message })
        const none = await client.inProject(at, 'GET', '/unknown/routes')
        told(none, 404, { error: { message: 'App unknown not found' } })
      },
    },
    {
      command: 'openstack fn routes create APP /hello sync iron/hello',
      operations: ['POST /v1/:project_id/apps/:app/routes'],
      async run(at) {
        const body =
          '{"route": {"type": "sync", "path": "/hello", "image": "iron/hello", "memory": 128, "timeout": 30, ' +
          '"max_concurrency": 1, "is_public": "false", "config": {}}}'
        const reply = await client.inProject(at, 'POST', `/${client.app}/routes`, body)
        told(reply, 200, { route: VIEW, message: 'App route successfully created' })
        const again = await client.inProject(at, 'POST', `/${client.app}/routes`, body)
        told(again, 409, { error: { message: `App ${client.app} route /hello already exist` } })
      },
    },
    {
      command:
        'openstack fn routes create APP /open sync iron/hello --is-public --memory 64 --timeout 20 --max-concurrency 2',
      operations: ['POST /v1/:project_id/apps/:app/routes'],
      async run(at) {
        const given = { path: '/open', memory: 64, timeout: 20, max_concurrency: 2 }
        const reply = await client.inProject(
          at,
          'POST',
          `/${client.app}/routes`,
          routeBody({ ...given, is_public: 'true' }),
        )
        const message = 'App route successfully created'
        told(reply, 200, { route: { ...VIEW, ...given, is_public: true }, message })
      },
    },
    {
      command: `openstack fn routes create APP /later async iron/hello --config '{"LEVEL": "3"}'`,
      operations: ['POST /v1/:project_id/apps/:app/routes'],
      async run(at) {
        const given = { path: '/later', type: 'async' }
        const sent = routeBody({ ...given, config: { LEVEL: '3' } })
        const reply = await client.inProject(at, 'POST', `/${client.app}/routes`, sent)
        told(reply, 200, { route: { ...VIEW, ...given }, message: 'App route successfully created' })
      },
    },
    {
      command: 'openstack fn routes list APP',
      operations: ['GET /v1/:project_id/apps/:app/routes'],
      async run(at) {
        const { json } = await client.inProject(at, 'GET', `/${client.app}/routes`)
        const paths = json.routes.map((each: { path: string }) => each.path).sort()
        assert.deepEqual(paths, ['/hello', '/later', '/open'])
        for (const each of json.routes) assert.deepEqual(Object.keys(each).sort(), Object.keys(VIEW).sort())
      },
    },
    {
      command: 'openstack fn routes show APP /hello',
      operations: ['GET /v1/:project_id/apps/:app/routes/*'],
      async run(at) {
        const reply = await client.inProject(at, 'GET', `/${client.app}/routes/hello`)
        told(reply, 200, { route: VIEW, message: 'App route successfully loaded' })
        const none = await client.inProject(at, 'GET', `/${client.app}/routes/unknown`)
        told(none, 404, { error: { message: 'Route not found' } })
      },
    },
    {
      command: 'openstack fn routes update APP /open --memory 96 --timeout 25',
      operations: ['PUT /v1/:project_id/apps/:app/routes/*'],
      async run(at) {
        const path = `/${client.app}/routes/open`
        const changed = {
          ...VIEW,
          path: '/open',
          memory: 96,
          timeout: 25,
          max_concurrency: 2,
          is_public: true,
        }
        const answer = { route: changed, message: 'Route successfully updated' }
        told(await client.inProject(at, 'PUT', path, '{"memory": 96, "timeout": 25}'), 200, answer)
        // What the command sends without an option, and with --type, which it does not send.
        told(await client.inProject(at, 'PUT', path, '{}'), 200, answer)
        const moved = await client.inProject(at, 'PUT', path, '{"path": "/x"}')
        told(moved, 400, { error: { message: 'Could not update route - path is immutable' } })
      },
    },
  ]
}
