import assert from 'node:assert/strict'
import type { Place } from '../place.ts'
import { goHeaders, type Step, told } from '../step.ts'
import type { Reply } from '../wire.ts'

/** What takes queued calls of the asynchronous route `/later` of the app `other`, which belongs to ann. */
export function taskSteps(): readonly Step[] {
  /** How a node of IronFunctions asks for its work. */
  const run = (at: Place, method: string, path: string, body?: string): Promise<Reply> =>
    at.ask('ironfunctions', method, path, {
      body,
      headers: goHeaders(undefined).filter(([name]) => name !== 'Accept'),
    })
  /** A call of the route, by its id. */
  async function queued(at: Place, body: string): Promise<string> {
    const reply = await at.ask('ironfunctions', 'POST', '/r/other/later', { body, headers: goHeaders(body) })
    told(reply, 202)
    return reply.json.call_id
  }
  /** Whether what waits is left to others. */
  async function paused(at: Place, isSo: boolean): Promise<void> {
    at.server.logIn(await at.token('ann'))
    const path = '/v1/apps/other/functions/later'
    assert.equal((await at.server.api('PATCH', path, { async: { paused: isSo } })).status, 200)
  }
  let given: Reply | undefined

  return [
    {
      command: 'a runner of IronFunctions with API_URL=http://HOST:8080',
      operations: ['GET /tasks', 'DELETE /tasks'],
      async run(at) {
        await paused(at, true)
        const id = await queued(at, '{"name":"Ann"}\n')
        const task = await run(at, 'GET', '/tasks')
        told(task, 202)
        const { env_vars: variables, created_at: createdAt, ...rest } = task.json
        const never = '0001-01-01T00:00:00.000Z'
        assert.deepEqual(rest, {
          image: 'iron/hello',
          payload: '{"name":"Ann"}\n',
          priority: 0,
          id,
          app_name: 'other',
          path: '/later',
          started_at: never,
          completed_at: never,
        })
        assert.deepEqual([variables.METHOD, variables.ROUTE], ['POST', '/later'])
        assert.match(createdAt, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
        told(await run(at, 'DELETE', '/tasks', task.text), 202, task.text)
        const late = '{"error":{"message":"The task is not reserved, or no longer"}}\n'
        told(await run(at, 'DELETE', '/tasks', task.text), 500, late)
        told(await run(at, 'GET', '/tasks'), 202, 'null\n')
      },
    },
    {
      command: 'curl http://HOST:8080/v1/tasks',
      operations: ['GET /v1/tasks'],
      async run(at) {
        const id = await queued(at, '{}')
        given = await run(at, 'GET', '/v1/tasks')
        assert.deepEqual([given.status, given.json.id], [202, id])
      },
    },
    {
      command: 'curl -X DELETE --data-binary @task.json http://HOST:8080/v1/tasks',
      operations: ['DELETE /v1/tasks'],
      async run(at) {
        told(await run(at, 'DELETE', '/v1/tasks', given!.text), 202, given!.text)
        await paused(at, false)
      },
    },
  ]
}
