import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '../../../support/server-process.ts'
import type { Place } from '../../place.ts'

export const WAIT_MS_MAX = 120_000

const OLD = `
def main(name='World', **kwargs):
    print('old code')
    return f'Hello, {name}!'
`

/** What the steps of one run have made, and what several of them do. */
export class Work {
  /** Ids, by what the steps call a thing. */
  readonly made = new Map<string, string>()

  idOf(name: string): string {
    return this.made.get(name) ?? assert.fail(`nobody made ${name}`)
  }

  /** Writes the function's source; resolves with its path. */
  async source(at: Place, code: 'old code' | 'new code'): Promise<string> {
    const path = join(at.folder, 'hello.py')
    await writeFile(path, OLD.replace('old code', code))
    return path
  }

  /** Runs a function as the client does. */
  // oxlint-disable-next-line typescript/no-explicit-any
  execute(at: Place, ...args: readonly string[]): Promise<any> {
    return at.show('ann', 'function', 'execution', 'create', ...args)
  }

  logOf(at: Place, execution: string): Promise<string> {
    return at.say('ann', 'function', 'execution', 'log', 'show', execution)
  }

  ended(at: Place, execution: string): Promise<void> {
    return until(
      'the execution has ended',
      async () => (await at.show('ann', 'function', 'execution', 'show', execution)).status !== 'running',
      WAIT_MS_MAX,
    )
  }

  async workers(at: Place): Promise<number> {
    return (await at.show('admin', 'function', 'worker', 'list', this.idOf('hello'))).length
  }
}
