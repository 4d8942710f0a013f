import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { runExample } from '../support/doc-example.ts'
import type { Answer, Deployed, Problem } from '../support/server-client.ts'
import { flagsOf, ServerProcess } from '../support/server-process.ts'

const DIALECTS = { dialects: 'fn:0,ironfunctions:0,picasso:0', 'dialect-project': 'default' }
const NO_ENGINE = ['--container-engine', '/nowhere/engine.sock']
const jqMissing = spawnSync('jq', ['--version']).status === 0 ? false : 'jq is not installed'

async function deploy(
  server: ServerProcess,
  name: string,
  settings: object,
): Promise<Answer<Deployed & Problem>> {
  const form = new FormData()
  form.set('settings', JSON.stringify({ access: 'public', ...settings }))
  return server.api('POST', `/v1/apps/default/functions/${name}/deploy`, form)
}

describe('well-known sample images on a machine without engine and registry', () => {
  let server: ServerProcess
  before(async () => {
    server = await ServerProcess.start({ flags: [...NO_ENGINE, ...flagsOf(DIALECTS)] })
  })
  after(() => server?.dispose())

  const deployed = async (name: string, image: string, more = {}) => {
    const answer = await deploy(server, name, { image, ...more })
    assert.equal(answer.status, 201, answer.text)
  }

  test('iron/hello greets the world, and whom it is told', async () => {
    await deployed('iron', 'iron/hello')
    assert.equal((await server.call('iron')).text, 'Hello World!\n')
    const told = await server.call('iron', { method: 'POST', body: '{"name":"Ann"}' })
    assert.equal(told.text, 'Hello Ann!\n')
  })

  test('fnproject/hello greets in JSON, whatever tag and registry it is named with', async () => {
    await deployed('fn', 'docker.io/fnproject/hello:latest', { contract: 'fn' })
    const told = await server.call('fn', { method: 'POST', body: '{"name":"Ann"}' })
    assert.deepEqual(JSON.parse(told.text), { message: 'Hello Ann' })
    const world = await server.call('fn')
    assert.deepEqual(JSON.parse(world.text), { message: 'Hello World' })
  })

  test("Qinling's test images greet and sleep", async () => {
    await deployed('greet', 'openstackqinling/alpine-test')
    const greeted = await server.call('greet', { method: 'POST', body: 'Qinling' })
    assert.match(greeted.text, /Qinling/)
    await deployed('sleep', 'lingxiankong/sleep', { limits: { timeoutMs: 2_000 } })
    assert.equal((await server.call('sleep', { method: 'POST', body: '0' })).status, 200)
    assert.equal((await server.call('sleep', { method: 'POST', body: '600' })).status, 504)
  })

  for (const [name, printed, greeting] of [
    ['fn', 'http://127.0.0.1:8080', /\{"message":"Hello Johnny"\}/],
    ['ironfunctions', 'http://127.0.0.1:8080', /Hello Johnny!/],
    ['picasso', 'http://127.0.0.1:10001', /"result":"Hello Johnny!/],
  ] as const)
    test(`the session of the page on ${name} runs as it is printed`, { skip: jqMissing }, async () => {
      const own = [[printed, server.dialect(name)]] as const
      const whoami = await server.api<{ projectId: string }>('GET', '/v1/whoami')
      const variables = { TOKEN: await server.token(), PROJECT: whoami.json.projectId }
      const page = `dialect-${name}.md`
      const { code, stdout, stderr } = await runExample(page, 'session', server.home, variables, own)
      assert.equal(code, 0, stderr)
      assert.match(stdout, greeting)
    })

  test('other images, and these with another contract, are images: they need an engine', async () => {
    for (const settings of [{ image: 'iron/goodbye' }, { image: 'iron/hello', contract: 'http' }]) {
      const answer = await deploy(server, 'other', settings)
      assert.equal(answer.json.code, 'BACKEND_FAILED', answer.text)
      assert.match(answer.json.detail, /engine/)
    }
  })
})

test('where the operator wants the real images, nothing stands in for them', async () => {
  const server = await ServerProcess.start({ flags: NO_ENGINE, env: { ATELIER_IMAGE_STAND_INS: 'false' } })
  try {
    const answer = await deploy(server, 'iron', { image: 'iron/hello' })
    assert.equal(answer.json.code, 'BACKEND_FAILED', answer.text)
  } finally {
    await server.dispose()
  }
})
