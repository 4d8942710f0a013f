import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ContainerBackend, MachineDoors } from '../../src/backends/index.ts'
import { createAddressPolicy } from '../../src/core/index.ts'

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
