import assert from 'node:assert/strict'
import { until } from '../../../support/server-process.ts'
import type { Person, Place } from '../../place.ts'
import { type Step, told } from '../../step.ts'
import type { Reply } from '../../wire.ts'
import { WAIT_MS_MAX, type Work } from './work.ts'

/** What Qinling's API has and its client has no command for, asked with the client's headers. */
export function stepsByHand(work: Work): readonly Step[] {
  async function ask(at: Place, person: Person, method: string, path: string, body?: string): Promise<Reply> {
    const headers = [
      ['User-Agent', 'python-qinlingclient'],
      ['Accept', '*/*'],
      ['X-Auth-Token', await at.token(person)],
      ['Content-Type', 'application/json'],
    ] as const
    return at.ask('qinling', method, path, { headers, body })
  }

  return [
    {
      command: 'curl http://HOST:7070/ and http://HOST:7070/v1',
      operations: ['GET /', 'GET /v1'],
      async run(at) {
        const url = at.server.dialect('qinling')
        const links = [{ href: `${url}/v1`, target: 'v1', rel: 'self' }]
        const versions = [{ id: 'v1.0', status: 'CURRENT', links }]
        told(await at.ask('qinling', 'GET', '/'), 200, { versions })
        const moved = await at.ask('qinling', 'GET', '/v1')
        assert.deepEqual([moved.status, moved.headers['location']], [302, '/v1/'])
        told(await at.ask('qinling', 'GET', '/v1/'), 200, { uri: `${url}/v1` })
      },
    },
    {
      command: `curl -X PUT -d '{"description": "of all"}' http://HOST:7070/v1/runtimes/ID`,
      operations: ['PUT /v1/runtimes/:id'],
      async run(at) {
        const path = `/v1/runtimes/${work.idOf('python3')}`
        const reply = await ask(at, 'admin', 'PUT', path, '{"description": "of all"}')
        told(reply, 200)
        assert.deepEqual([reply.json.name, reply.json.description], ['python3', 'of all'])
      },
    },
    {
      command: 'curl http://HOST:7070/v1/functions/ID/versions/1?download=true',
      operations: ['GET /v1/functions/:id/versions/:number'],
      async run(at) {
        const path = `/v1/functions/${work.idOf('versioned')}/versions/1?download=true`
        const reply = await ask(at, 'ann', 'GET', path)
        told(reply, 200)
        assert.equal(reply.headers['content-type'], 'application/zip')
        const name = `attachment; filename="${work.idOf('versioned')}_1"`
        assert.equal(reply.headers['content-disposition'], name)
        assert.match(reply.text, /old code/)
      },
    },
    {
      command: `curl -X POST -d '{"count": 1}' http://HOST:7070/v1/functions/ID/versions/1/scale_up`,
      operations: ['POST /v1/functions/:id/versions/:number/scale_up'],
      async run(at) {
        const path = `/v1/functions/${work.idOf('versioned')}/versions/1`
        told(await ask(at, 'admin', 'POST', `${path}/scale_up`, '{"count": 1}'), 202, '')
        await until(
          'there is a worker',
          async () => {
            const { json } = await ask(
              at,
              'admin',
              'GET',
              `/v1/functions/${work.idOf('versioned')}/workers?function_version=1`,
            )
            return json.workers.length >= 1
          },
          WAIT_MS_MAX,
        )
      },
    },
    {
      command: `curl -X POST -d '{"count": 1}' http://HOST:7070/v1/functions/ID/versions/1/scale_down`,
      operations: ['POST /v1/functions/:id/versions/:number/scale_down'],
      async run(at) {
        const path = `/v1/functions/${work.idOf('versioned')}/versions/1/scale_down`
        told(await ask(at, 'admin', 'POST', path, '{"count": 1}'), 202, '')
      },
    },
    {
      command:
        'openstack --os-auth-type admin_token --os-token TOKEN --os-endpoint http://HOST:7070 runtime list',
      operations: ['GET /v1/runtimes'],
      async run(at) {
        const variables = { OS_AUTH_TYPE: 'admin_token', OS_ENDPOINT: at.server.dialect('qinling') }
        const list = (token: string) =>
          at.bare({ ...variables, OS_TOKEN: token }, 'runtime', 'list', '-f', 'json')
        const { stdout, stderr } = await list(await at.token('ann'))
        assert.equal(JSON.parse(stdout || stderr).length, 1)
        const forged = await list('forged')
        assert.notEqual(forged.code, 0)
        assert.match(forged.stderr, /HTTP 401/)
      },
    },
    {
      command: 'openstack --os-auth-type none --os-endpoint http://HOST:7070 runtime list',
      operations: ['GET /v1/runtimes'],
      async run(at) {
        const variables = { OS_AUTH_TYPE: 'none', OS_ENDPOINT: at.server.dialect('qinling') }
        const { stdout, stderr } = await at.bare(variables, 'runtime', 'list', '-f', 'json')
        assert.equal(JSON.parse(stdout || stderr).length, 1)
      },
    },
    {
      command: 'curl http://HOST:7070/v1/functions, without a token that is good',
      operations: [],
      async run(at) {
        const headers = [['X-Auth-Token', 'gAAAAABforged']] as const
        const reply = await at.ask('qinling', 'GET', '/v1/functions', { headers })
        told(reply, 401)
        assert.match(reply.json.faultstring, /^Failed to validate access token: /)
        assert.match(String(reply.headers['www-authenticate']), /^Keystone/)
      },
    },
  ]
}
