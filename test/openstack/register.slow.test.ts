import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { BIN, bareEnvironment } from '../support/command.ts'
import { flagsOf, ServerProcess } from '../support/server-process.ts'

const run = promisify(execFile)

// One server keeps the users, by what it speaks of Keystone v3; the other asks it.
describe('a server whose users are those of another one', () => {
  let first: ServerProcess
  let second: ServerProcess
  let passwordFile: string
  before(async () => {
    first = await ServerProcess.start({ flags: ['--dialects', 'picasso:0', '--isolation', 'none'] })
    passwordFile = join(first.home, 'keystone.password')
  })
  after(async () => {
    await second?.dispose()
    await first?.dispose()
  })

  const register = async () => {
    const args = [BIN, 'openstack', 'register', '--password-file', passwordFile]
    const url = ['--picasso-url', first.dialect('picasso'), '--qinling-url', 'http://127.0.0.1:7070']
    const { stdout, stderr } = await run(process.execPath, [...args, ...url], {
      env: bareEnvironment({
        HOME: first.home,
        OS_AUTH_URL: `${first.url}/identity/v3`,
        OS_USERNAME: first.login.user,
        OS_PASSWORD: first.login.password,
        OS_PROJECT_NAME: 'default',
      }),
    })
    return stdout + stderr
  }

  test('registering makes the user, and leaves a catalogue that follows from the server', async () => {
    const said = await register()
    assert.match(said, /user atelier is made/)
    assert.match(said, /public endpoint of functions is there/)
    assert.match(said, /function-engine is left as it is/)
    const again = await register()
    assert.match(again, /user atelier is there/)
    assert.doesNotMatch(again, /is made/)
  })

  test('a token of the one works at the other, until it is revoked', async () => {
    second = await ServerProcess.start({
      flags: flagsOf({
        identity: 'keystone',
        'keystone-endpoint': `${first.url}/identity`,
        'keystone-password-file': passwordFile,
        'keystone-cache-s': '0',
        isolation: 'none',
      }),
    })
    const token = await first.token()
    second.logIn(token)
    const { json } = await second.api<{ user: string; project: string; roles: string[] }>('GET', '/v1/whoami')
    assert.deepEqual(
      [json.user, json.project, json.roles.sort()],
      ['admin', 'default', ['admin', 'member', 'reader']],
    )
    assert.equal((await first.api('DELETE', '/v1/tokens/current')).status, 204)
    assert.equal((await second.api('GET', '/v1/whoami')).status, 401)
  })
})
