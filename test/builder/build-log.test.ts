import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BuildLog } from '../../src/builder/build-log.ts'

test('a NUL in what a build prints is shown as a sign that every database keeps', () => {
  const emitted: string[] = []
  const log = new BuildLog(1024, event => event.kind === 'log' && emitted.push(event.text))
  log.write('stdout', Buffer.from('a\0b'))
  assert.equal(log.toString(), 'a\ufffdb')
  assert.deepEqual(emitted, ['a\ufffdb'])
})
