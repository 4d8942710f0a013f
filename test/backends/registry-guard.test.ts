import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ContainerBackend, MachineDoors } from '../../src/backends/index.ts'
import { type AtelierError, createAddressPolicy } from '../../src/core/index.ts'

const NOWHERE = join(tmpdir(), 'no-engine-of-a-test.sock')

/** What a pull is refused with by a server whose engine does not answer: BACKEND_FAILED when the engine was to be asked. */
async function refusalOf(reference: string, allow: readonly string[] = []): Promise<string> {
  const registries = createAddressPolicy({ allow })
  const backend = new ContainerBackend({
    runPath: tmpdir(),
    engine: NOWHERE,
    doors: new MachineDoors(),
    registries,
  })
  try {
    await backend.pull({ reference }, () => {}, new AbortController().signal)
    return 'nothing'
  } catch (error) {
    return (error as { code: string }).code
  } finally {
    await backend.close()
  }
}

test('the engine is not sent to this machine or to the metadata of a cloud, however they are written', async () => {
  for (const host of [
    '127.0.0.1',
    '127.0.0.1:5000',
    'localhost:5000',
    '127.1',
    '0x7f.1',
    '0.0.0.0:5000',
    '169.254.169.254',
    '100.100.100.200:80',
  ])
    assert.equal(await refusalOf(`${host}/latest/meta-data:1`), 'FORBIDDEN', host)
})

test('what no engine would read as an image is no image', async () => {
  for (const reference of [
    '127.0.0.1-/x',
    '127.0.0.1./x',
    '[::1]:5000/x',
    'user@127.0.0.1/x',
    'http://127.0.0.1/x',
  ])
    assert.equal(await refusalOf(reference), 'INVALID_INPUT', reference)
})

test('other registries are the engine’s to ask, and those that the operator allows', async () => {
  for (const reference of ['iron/hello', 'hello', '10.0.0.7:5000/team/app:1', 'registry.invalid/app'])
    assert.equal(await refusalOf(reference), 'BACKEND_FAILED', reference)
  assert.equal(await refusalOf('127.0.0.1:5000/app', ['127.0.0.1']), 'BACKEND_FAILED')
})

test('what an engine was answered, wherever a registry has sent it, is not told', async t => {
  // As Podman 4.3 says it of a registry that sends it on to an address of its own machine, and Docker of the same.
  const answered = '{"AccessKeyId":"AKIA-SECRET","Token":"internal"}'
  const words = [
    `initializing source docker://r.example/x/y:1: reading manifest 1 in r.example/x/y: StatusCode: 403, ${answered}`,
    `initializing source docker://r.example/x/y:1: reading manifest 1 in r.example/x/y: StatusCode: 418, ${answered}`,
    `error parsing HTTP 404 response body: invalid character '<' looking for beginning of value: "${answered}"`,
    `Head "http://127.0.0.1:8080/${answered}": dial tcp 127.0.0.1:8080: connect: connection refused`,
  ]
  let said = ''
  const engine = createServer((request, response) => {
    request.resume()
    response.end(JSON.stringify({ error: said }))
  })
  const folder = await mkdtemp(join(tmpdir(), 'atelier-engine-'))
  const socket = join(folder, 'engine.sock')
  await new Promise<void>(resolve => engine.listen(socket, resolve))
  const registries = createAddressPolicy({ allow: ['192.0.2.7'] })
  const backend = new ContainerBackend({
    runPath: folder,
    engine: socket,
    doors: new MachineDoors(),
    registries,
  })
  t.after(async () => {
    await backend.close()
    engine.close()
    await rm(folder, { recursive: true, force: true })
  })
  for (said of words)
    await assert.rejects(
      backend.pull({ reference: '192.0.2.7/x/y:1' }, () => {}, new AbortController().signal),
      ({ code, message }: AtelierError) => {
        assert.equal(code, 'BUILD_FAILED')
        assert.doesNotMatch(message, /AKIA|internal|127\.0\.0\.1|8080/)
        return true
      },
    )
})
