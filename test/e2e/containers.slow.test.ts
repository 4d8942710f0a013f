import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { BIN, bareEnvironment } from '../support/command.ts'
import { elf, OTHER_MACHINE } from '../support/elf.ts'
import { busyboxInto, engineUnavailable, imageWith, nodeInto, PodmanEngine } from '../support/engine.ts'
import type { Answer, Deployed, Problem } from '../support/server-client.ts'
import { ServerProcess, until } from '../support/server-process.ts'

/** A web server of the smallest kind, that says in its log that it is up. */
const HELLO = 'localhost/atelier-test/hello:1'
const SERVE = 'echo serving; exec httpd -f -p "$PORT" -h /www'
const COMMAND = 'CMD ["/bin/sh", "/serve"]'
const FRAMEWORK = '@google-cloud/functions-framework'
const FRAMEWORK_FUNCTIONS = `
const functions = require('${FRAMEWORK}')
functions.http('hello', (req, res) => res.status(201).set('x-path', req.path).send('hello ' + req.query.name))
functions.cloudEvent('heard', event => console.log('heard', event.id, event.data.colour))
`

describe('functions that are container images', { skip: engineUnavailable() }, () => {
  let engine: PodmanEngine
  let server: ServerProcess
  let containersBefore = 0

  before(async () => {
    engine = await PodmanEngine.start()
    await imageWith(engine, HELLO, { 'www/index.html': 'hello from an image\n', serve: SERVE }, [COMMAND])
    containersBefore = (await engine.containers()).length
    server = await ServerProcess.start({ flags: ['--container-engine', engine.socket] })
  })
  after(async () => {
    await server?.dispose()
    const left = await engine?.containers()
    await engine?.dispose()
    assert.equal(left?.length, containersBefore, 'a stopped server leaves no container')
  })

  const deployImage = (name: string, settings: object): Promise<Answer<Deployed & Problem>> => {
    const form = new FormData()
    form.set('settings', JSON.stringify({ access: 'public', ...settings }))
    return server.api('POST', `/v1/apps/default/functions/${name}/deploy`, form)
  }

  test('an image is deployed by its name alone, pinned, and answers', async () => {
    const deployed = await deployImage('hello', { image: HELLO })
    assert.equal(deployed.status, 201, deployed.text)
    const answer = await server.call('hello/index.html')
    assert.equal(answer.status, 200, answer.text)
    assert.equal(answer.text, 'hello from an image\n')
    const version = await server.api<{ entry: string; environment: string }>(
      'GET',
      '/v1/apps/default/functions/hello/versions/1',
    )
    assert.match(JSON.stringify(version.json), /sha256:[0-9a-f]{64}/)
    const again = await deployImage('hello', { image: HELLO })
    assert.equal(again.json.created, false, 'nothing has changed')
  })

  test('an image that ends at once, or listens nowhere, is the function’s fault and is named', async () => {
    const quits = 'localhost/atelier-test/quits:1'
    await imageWith(engine, quits, { serve: 'echo no reason; exit 7' }, [COMMAND])
    const deaf = 'localhost/atelier-test/deaf:1'
    await imageWith(engine, deaf, { serve: 'exec sleep 1000' }, [COMMAND])
    for (const [name, image] of Object.entries({ quits, deaf })) {
      const deployed = await deployImage(name, { image, contract: { name: 'http', startMs: 1_000 } })
      assert.equal(deployed.status, 201, deployed.text)
      const answer = await server.call(name)
      assert.equal(answer.json.code, 'FUNCTION_LOAD_FAILED', answer.text)
      assert.match(answer.json.detail, new RegExp(name))
    }
  })

  test('an image whose program is for another machine, or has no interpreter, is the function’s fault', async () => {
    const programs = [
      ['machine', elf(OTHER_MACHINE), /exec format error/],
      ['interpreter', '#!/bin/missing\n', /no such file or directory/],
    ] as const
    for (const [name, program, says] of programs) {
      const image = `localhost/atelier-test/wrong-${name}:1`
      await imageWith(engine, image, { serve: program }, ['CMD ["/serve"]'])
      const deployed = await deployImage(`wrong-${name}`, { image })
      assert.equal(deployed.status, 201, deployed.text)
      const answer = await server.call(`wrong-${name}`)
      assert.equal(answer.json.code, 'FUNCTION_LOAD_FAILED', answer.text)
      let said = ''
      await until('the log says why', async () => {
        said = (await server.cli('logs', `wrong-${name}`)).stdout
        return said !== ''
      })
      assert.match(said, says)
    }
  })

  test('what an image prints while it answers is the log of the call', async () => {
    const talks = 'localhost/atelier-test/talks:1'
    const script = 'echo "told to $METHOD" >&2; echo "answer to $(cat)"'
    await imageWith(engine, talks, { serve: script }, [COMMAND])
    const deployed = await deployImage('talks', { image: talks, contract: 'stdio' })
    assert.equal(deployed.status, 201, deployed.text)
    const answer = await server.call('talks', { method: 'POST', body: 'a question' })
    assert.equal(answer.text, 'answer to a question\n')
    const id = answer.headers.get('atelier-invocation-id')
    await server.record(id)
    const { json } = await server.api<{ items: { text: string; stream: string }[] }>(
      'GET',
      `/v1/invocations/${id}/logs`,
    )
    assert.deepEqual(
      json.items.map(line => [line.stream, line.text]),
      [['stderr', 'told to POST']],
    )
  })

  test('an image made with functions-framework has its functions called as they are', async t => {
    const folder = await mkdtemp(join(tmpdir(), 'atelier-image-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const app = join(folder, 'app')
    await mkdir(app)
    await writeFile(join(app, 'index.js'), FRAMEWORK_FUNCTIONS)
    const install = ['install', '--no-audit', '--no-fund', '--prefix', app, `${FRAMEWORK}@5.0.5`]
    const { status, stderr } = spawnSync('npm', install, { encoding: 'utf8', timeout: 120_000 })
    if (status !== 0) return t.skip(`npm cannot install the framework: ${stderr.slice(0, 300)}`)
    await Promise.all([busyboxInto(folder), nodeInto(folder)])
    const framework = 'localhost/atelier-test/framework:1'
    const command = ['/opt/atelier/node', `/app/node_modules/${FRAMEWORK}/build/src/main.js`]
    await engine.image(framework, folder, ['WORKDIR /app', `CMD ${JSON.stringify(command)}`])
    const settings = { image: framework, contract: 'functions-framework' }
    for (const name of ['hello', 'heard']) {
      const deployed = await deployImage(`ff-${name}`, { ...settings, config: { FUNCTION_TARGET: name } })
      assert.equal(deployed.status, 201, deployed.text)
    }
    const hello = await server.call('ff-hello/there?name=you')
    assert.deepEqual([hello.status, hello.text, hello.headers.get('x-path')], [201, 'hello you', '/there'])
    const event = {
      'ce-specversion': '1.0',
      'ce-id': 'e-1',
      'ce-source': '/test',
      'ce-type': 'org.example.painted',
    }
    const headers = { 'content-type': 'application/json', ...event }
    const heard = await server.call('ff-heard', { method: 'POST', headers, body: '{"colour":"red"}' })
    assert.equal(heard.status, 204, heard.text)
    const { id } = await server.record(heard.headers.get('atelier-invocation-id'))
    await until('the call has its log', async () =>
      /heard e-1 red/.test((await server.api('GET', `/v1/invocations/${id}/logs`)).text),
    )
  })

  test('an image for another kind of machine is refused, as it is told', async () => {
    const other = process.arch === 'arm64' ? 'amd64' : 'arm64'
    const foreign = 'localhost/atelier-test/foreign:1'
    await imageWith(engine, foreign, { serve: SERVE }, [COMMAND], other)
    const answer = await deployImage('foreign', { image: foreign })
    assert.equal(answer.json.code, 'BUILD_FAILED', answer.text)
    assert.match(answer.json.detail, new RegExp(`is for ${other}, and this machine is`))
  })

  test('atelier doctor names the engine, and says of one that does not answer what cannot run', () => {
    const look = (socket: string) =>
      spawnSync(process.execPath, [BIN, 'doctor'], {
        encoding: 'utf8',
        env: bareEnvironment({ HOME: server.home, ATELIER_CONTAINER_ENGINE: socket }),
      }).stdout
    assert.match(look(engine.socket), /^ok +containers +Podman Engine \d/m)
    assert.match(
      look('/nowhere/engine.sock'),
      /^warn +containers .*\n.*container images cannot run.*\/nowhere\/engine\.sock does not answer/m,
    )
  })

  test('a registry inside is refused to tenants', async () => {
    for (const image of ['169.254.169.254/latest/meta-data', 'localhost:5000/app']) {
      const answer = await deployImage('inside', { image })
      assert.equal(answer.json.code, 'FORBIDDEN', answer.text)
    }
  })

  test('an image is refused that does not exist, and code or an entry in the place of one', async () => {
    const missing = await deployImage('missing', { image: 'localhost/atelier-test/none:1' })
    assert.equal(missing.json.code, 'BUILD_FAILED', missing.text)
    const entry = await deployImage('hello', { entry: `sha256:${'0'.repeat(64)}` })
    assert.equal(entry.json.code, 'INVALID_INPUT', entry.text)
    const bare = await deployImage('bare', { environment: 'container', entry: `sha256:${'0'.repeat(64)}` })
    assert.equal(bare.json.code, 'INVALID_INPUT', bare.text)
  })
})
