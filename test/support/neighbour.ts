import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerProcess } from './server-process.ts'

const PAUSE_MS = 50

/**
 * A test during which another function is called again and again; every one of its calls must be answered as ever,
 * and so must the first after the fault.
 */
export function faultTest(
  name: string,
  server: () => ServerProcess,
  body: (server: ServerProcess, t: TestContext) => Promise<void>,
): void {
  test(name, async t => {
    const it = server()
    await it.deploy('neighbour', { 'index.mjs': 'export default () => "all is well"' })
    const over = new AbortController()
    const calls = callOnAndOn(it, over.signal)
    try {
      await body(it, t)
    } finally {
      over.abort()
    }
    const answers = [...(await calls), await ask(it)]
    const wrong = answers.filter(each => each !== '200 all is well')
    assert.deepEqual(wrong, [], `of ${answers.length} calls of another function`)
  })
}

async function callOnAndOn(server: ServerProcess, over: AbortSignal): Promise<string[]> {
  const answers: string[] = []
  while (!over.aborted) {
    answers.push(await ask(server))
    await sleep(PAUSE_MS)
  }
  return answers
}

async function ask(server: ServerProcess): Promise<string> {
  try {
    const { status, text } = await server.call('neighbour')
    return `${status} ${text}`
  } catch (error) {
    return String(error)
  }
}
