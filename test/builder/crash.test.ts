import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { makeBuilder, send } from './helpers.ts'

const ROUNDS = 4

test('kill -9 while packages come in loses none that was acknowledged, and leaves none by half', async t => {
  const { path } = await makeBuilder(t)
  const acknowledged: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'doomed-receiver.ts'), path, String(round)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    let said = ''
    const ended = new Promise(resolve => child.once('close', resolve))
    // Some way into the work, a little further each time, so that it dies in different places.
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.split('\n').length > 5 + 7 * round) child.kill('SIGKILL')
    })
    await ended
    acknowledged.push(...said.split('\n').slice(0, -1))
  }
  assert.ok(acknowledged.length >= 5 * ROUNDS, `${acknowledged.length} were acknowledged`)
  const after = await makeBuilder(t, { path })
  for (const digest of acknowledged) {
    const again = await send(after, await buffer(await after.openPackage(digest)), 'again.tar')
    assert.equal(again.digest, digest)
  }
  for (const name of readdirSync(join(path, 'packages')))
    assert.deepEqual(readdirSync(join(path, 'packages', name)).toSorted(), ['content.tar', 'manifest.json'])
  await after.close()
  assert.deepEqual(readdirSync(join(path, 'tmp')), [])
})
