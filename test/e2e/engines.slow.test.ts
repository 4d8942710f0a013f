import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { engineUnavailable, imageWith, PodmanEngine } from '../support/engine.ts'
import { registryUnavailable, TestRegistry } from '../support/registry.ts'
import type { Answer, Deployed, Problem } from '../support/server-client.ts'
import { makeHome, removeHome, ServerProcess, until } from '../support/server-process.ts'

const IMAGE = 'localhost/atelier-test/web:1'
const FILES = { 'www/index.html': 'hello\n', serve: 'exec httpd -f -p "$PORT" -h /www' }
const COMMAND = 'CMD ["/bin/sh", "/serve"]'

const skip = engineUnavailable() || registryUnavailable()

describe('a server and the engine of its images', { skip }, () => {
  let registry: TestRegistry
  let engine: PodmanEngine
  let home: string
  let server: ServerProcess

  const start = () => {
    const flags = ['--container-engine', engine.socket, '--registry-allow', '127.0.0.1']
    return ServerProcess.start({ home, flags })
  }
  const deploy = (name: string, settings: object): Promise<Answer<Deployed & Problem>> => {
    const form = new FormData()
    form.set('settings', JSON.stringify({ access: 'public', ...settings }))
    return server.api('POST', `/v1/apps/default/functions/${name}/deploy`, form)
  }
  const answers = async (name: string) => (await server.call(`${name}/index.html`)).text

  before(async () => {
    registry = await TestRegistry.start()
    engine = await PodmanEngine.start({ registry: registry.host })
    home = await makeHome()
    await imageWith(engine, IMAGE, FILES, [COMMAND])
    server = await start()
    const deployed = await deploy('web', { image: IMAGE })
    assert.equal(deployed.status, 201, deployed.text)
  })
  after(async () => {
    await server?.dispose()
    await engine?.dispose()
    await registry?.dispose()
    if (home) await removeHome(home)
  })

  test('an engine that is down is the platform’s fault, and calls work again when it is back', async () => {
    assert.equal(await answers('web'), 'hello\n')
    await engine.down()
    // The container runs on, but nobody tells of it any more.
    await until('the loss of the engine is noticed', async () => {
      const answer = await server.call('web/index.html')
      if (answer.status === 200) return false
      assert.deepEqual([answer.status, answer.json.code], [503, 'BACKEND_FAILED'], answer.text)
      return true
    })
    await engine.up()
    // Starts that failed are not tried again at once.
    await until('calls work again', async () => (await answers('web')) === 'hello\n', 120_000)
    await until(
      'what ran under the old engine is removed',
      async () => (await engine.containers()).length === 1,
    )
  })

  test('what a killed server leaves is removed by the next one on its data, and its functions run again', async () => {
    assert.equal(await answers('web'), 'hello\n')
    const left = await engine.containers()
    assert.equal(left.length, 1)
    await server.kill()
    assert.deepEqual(await engine.containers(), left, 'nobody has removed it')
    server = await start()
    assert.deepEqual(await engine.containers(), [])
    assert.equal(await answers('web'), 'hello\n')
  })

  test('an image of a private registry is had with a secret of the project, and by nobody without', async () => {
    const reference = `${registry.host}/team/web:1`
    await imageWith(engine, reference, FILES, [COMMAND])
    await engine.push(reference, `${TestRegistry.user}:${TestRegistry.password}`)
    await engine.command('rmi', reference)
    const value = `${TestRegistry.user}:${TestRegistry.password}`
    const put = await server.api('PUT', '/v1/secrets/registry-login', { value })
    assert.ok(put.status < 300, put.text)
    const refused = await deploy('private', { image: reference })
    assert.equal(refused.json.code, 'BUILD_FAILED', refused.text)
    const deployed = await deploy('private', { image: reference, imageSecret: 'registry-login' })
    assert.equal(deployed.status, 201, deployed.text)
    assert.doesNotMatch(deployed.text + refused.text, new RegExp(TestRegistry.password))
    assert.equal(await answers('private'), 'hello\n')
    const { text } = await server.api('GET', '/v1/apps/default/functions/private/versions/1')
    assert.match(text, new RegExp(`${registry.host}/team/web@sha256:[0-9a-f]{64}`))
  })
})
