import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { ShimUnderTest } from '../frames.ts'
import { Driver, T } from './driver.ts'

/** A shim that has been started for one test and ends with it. */
export function started(t: TestContext, shim: ShimUnderTest): Driver {
  const driver = new Driver(shim.spawn())
  t.after(async () => {
    driver.shim.kill()
    await driver.shim.exited
  })
  return driver
}

/** The same, with the suite's code loaded. */
export async function loaded(t: TestContext, shim: ShimUnderTest): Promise<Driver> {
  const driver = started(t, shim)
  const answer = await driver.load(shim.directory, shim.entry)
  assert.equal(answer.type, T.LOADED, String(answer.payload))
  return driver
}
