import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ASYNC_SETTINGS_DEFAULT } from '../../src/core/index.ts'
import { ControlFixture } from '../support/control.ts'

let fixture: ControlFixture
before(async () => {
  fixture = await ControlFixture.open()
})
after(() => fixture.dispose())

test('a deploy sets how asynchronous calls are treated, without a new version, and the table has it', async () => {
  const by = await fixture.member('async-settings')
  const entry = () => fixture.table.byPath(by.projectName, 'shop', 'cart')
  const first = await fixture.deploy(by, 'code', {})
  assert.deepEqual(first.function.async, ASYNC_SETTINGS_DEFAULT)
  assert.equal(entry()?.async, undefined)

  const again = await fixture.deploy(by, 'code', { async: { retry: { attemptsMax: 9 }, paused: true } })
  assert.equal(again.created, false)
  assert.equal(again.function.revision, first.function.revision + 1)
  assert.equal(again.function.async.retry.attemptsMax, 9)
  assert.equal(again.function.async.retry.factor, ASYNC_SETTINGS_DEFAULT.retry.factor)
  assert.equal(entry()?.async?.paused, true)

  const same = await fixture.deploy(by, 'code', { async: { paused: true } })
  assert.equal(same.function.revision, again.function.revision)

  await fixture.control.updateFunction(by, 'shop', 'cart', { async: { retry: null, paused: null } })
  assert.equal(entry()?.async, undefined)

  await fixture.deploy(by, 'code', { async: { paused: true } })
  const back = await fixture.deploy(by, 'code', { async: { paused: null } })
  assert.equal(entry()?.async, undefined)
  const nothing = await fixture.deploy(by, 'code', { async: { paused: null } })
  assert.equal(nothing.function.revision, back.function.revision)
})

test('what cannot be is refused before anything is deployed', async () => {
  const by = await fixture.member('async-wrong')
  await assert.rejects(fixture.deploy(by, 'code', { async: { retry: { jitter: 7 } } }), {
    code: 'INVALID_INPUT',
    message: 'async.retry.jitter must be a number from 0 to 1.',
  })
  assert.equal(fixture.table.byPath(by.projectName, 'shop', 'cart'), undefined)
})
