import { timedGet } from './first-call.ts'
import type { Platform } from './platform.ts'

/** Generic instances that are kept of each environment while first calls are measured. */
export const WARM = 2

const FULL_MS_MAX = 30_000
const REST_MS = 200

/**
 * Milliseconds of the first call of each of `urls`, when the pool is full and at rest: while it boots the next instance, a machine of
 * two cores has none to spare. `generic`: how many instances that is, of this environment. `before`: what is compared with them, just before each.
 */
export async function firstCallsFromPool(
  platform: Platform,
  environment: string,
  urls: readonly string[],
  generic = WARM,
  before = async () => {},
): Promise<number[]> {
  const times: number[] = []
  for (const url of urls) {
    await untilFull(() => platform.genericInstances(environment), generic)
    await before()
    times.push(await timedGet(url))
  }
  return times
}

async function untilFull(count: () => Promise<number>, generic: number): Promise<void> {
  const until = performance.now() + FULL_MS_MAX
  while (performance.now() < until) {
    if ((await count()) >= generic) {
      await new Promise(resolve => setTimeout(resolve, REST_MS))
      return
    }
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error(`the warm pool was not full within ${FULL_MS_MAX} ms`)
}
