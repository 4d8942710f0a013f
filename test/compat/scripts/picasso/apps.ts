import assert from 'node:assert/strict'
import { type Step, told } from '../../step.ts'
import type { Client } from './client.ts'

const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/

/** Apps. */
export function appSteps(client: Client): readonly Step[] {
  return [
    {
      command: 'openstack fn apps list, before there is one',
      operations: ['GET /v1/:project_id/apps'],
      async run(at) {
        told(await client.inProject(at, 'GET', ''), 200, {
          apps: [],
          message: 'Successfully listed applications',
        })
      },
    },
    {
      command: 'openstack fn apps create demo',
      operations: ['POST /v1/:project_id/apps'],
      async run(at) {
        const { projectId } = await at.session('ann')
        const reply = await client.inProject(at, 'POST', '', '{"app": {"name": "demo", "config": {}}}')
        told(reply, 200)
        const { app: made } = reply.json
        client.app = `demo-${projectId}`.slice(0, 30)
        assert.match(made.id, /^[0-9a-f]{32}$/)
        for (const time of [made.created_at, made.updated_at]) assert.match(time, TIME)
        const { id, created_at, updated_at } = made
        const description = `App for project ${projectId}`
        const whole = {
          id,
          name: client.app,
          config: null,
          description,
          created_at,
          updated_at,
          project_id: projectId,
        }
        assert.deepEqual(reply.json, { app: whole, message: 'App successfully created' })
      },
    },
    {
      command: 'openstack fn apps create demo, again',
      operations: [],
      async run(at) {
        const reply = await client.inProject(at, 'POST', '', '{"app": {"name": "demo", "config": {}}}')
        told(reply, 409, { error: { message: `App ${client.app} already exists` } })
      },
    },
    {
      command: `openstack fn apps create set --config '{"LEVEL": "3"}'`,
      operations: ['POST /v1/:project_id/apps'],
      async run(at) {
        const reply = await client.inProject(
          at,
          'POST',
          '',
          '{"app": {"name": "set", "config": {"LEVEL": "3"}}}',
        )
        told(reply, 200)
        client.configured = reply.json.app.name
        assert.deepEqual(reply.json.app.config, { LEVEL: '3' })
      },
    },
    {
      command: 'openstack fn apps list',
      operations: ['GET /v1/:project_id/apps'],
      async run(at) {
        const reply = await client.inProject(at, 'GET', '')
        const names = reply.json.apps.map((each: { name: string }) => each.name)
        assert.deepEqual(names, [client.app, client.configured])
      },
    },
    {
      command: 'openstack fn apps show APP',
      operations: ['GET /v1/:project_id/apps/:app'],
      async run(at) {
        const { json } = await client.inProject(at, 'GET', `/${client.app}`)
        const fields = ['id', 'name', 'config', 'description', 'created_at', 'updated_at', 'project_id']
        assert.deepEqual([Object.keys(json.app), json.message], [fields, 'Successfully loaded app'])
        const none = await client.inProject(at, 'GET', '/unknown')
        told(none, 404, { error: { message: 'App unknown not found' } })
      },
    },
    {
      command: `openstack fn apps update APP '"{\\"LEVEL\\": \\"4\\"}"'`,
      operations: ['PUT /v1/:project_id/apps/:app'],
      async run(at) {
        const reply = await client.inProject(at, 'PUT', `/${client.configured}`, '{"config": {"LEVEL": "4"}}')
        told(reply, 200)
        assert.deepEqual(
          [reply.json.message, reply.json.app.config],
          ['App successfully updated', { LEVEL: '4' }],
        )
      },
    },
  ]
}
