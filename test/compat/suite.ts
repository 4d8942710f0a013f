import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { dialectLoaders } from '../../src/dialects/index.ts'
import { addressOf, type Operation, operationsOf } from '../support/operations.ts'
import { until } from '../support/server-process.ts'
import type { Place } from './place.ts'
import { scripts } from './scripts.ts'

/** The scripts of all clients, each command a test, on one server that `open` starts. `skip`: why it cannot. */
export function compatSuite(name: string, skip: string | false, open: () => Promise<Place>): void {
  describe(name, { skip }, () => commands(open))
}

function commands(open: () => Promise<Place>): void {
  let at: Place
  before(async () => {
    at = await open()
  })
  after(() => at?.close())

  for (const script of scripts())
    describe(`${script.dialect}, by ${script.client}`, { skip: script.skip ?? false }, () => {
      const { dialect, steps } = script
      let missing: string | undefined
      before(async () => {
        missing = await script.prepare?.(at)
      })
      for (const step of steps)
        test(step.command, t => (missing === undefined ? step.run(at) : t.skip(missing)))

      test(`the server has answered every operation of ${dialect} that a command here is for`, async t => {
        if (missing !== undefined) return t.skip(missing)
        const named = new Set(steps.flatMap(each => each.operations))
        const operations = await operationsOf(await dialectLoaders.get(dialect)!())
        const claimed = operations.filter(each => named.has(each.name))
        assert.equal(claimed.length, named.size, 'each is an operation')
        let left: readonly Operation[] = []
        await until(`the log of ${dialect} has them`, () => {
          const answered = answeredBy(at, dialect)
          left = claimed.filter(each => !answered.some(asked => isOf(each, asked)))
          return left.length === 0
        }).catch(() => assert.fail(`not asked for: ${left.map(each => each.name).join(', ')}`))
      })
    })

  test('a token that its owner revoked, or that was made up, is nobody’s in any dialect', async () => {
    const { token, projectId } = await at.logIn('ann')
    const paths = {
      picasso: `/v1/${projectId}/apps`,
      ironfunctions: '/v1/apps',
      fn: '/v2/apps',
      qinling: '/v1/functions',
    }
    const statuses = async (shown: string): Promise<readonly number[]> => {
      const asked = Object.entries(paths).map(([dialect, path]) =>
        at.ask(dialect, 'GET', path, { headers: [['X-Auth-Token', shown]] }),
      )
      return (await Promise.all(asked)).map(({ status }) => status)
    }
    assert.deepEqual(await statuses(token), [200, 200, 200, 200])
    assert.deepEqual(await statuses('gAAAAABforged'), [401, 401, 401, 401])
    await at.revoke(token)
    await until('it opens nothing', async () => (await statuses(token)).every(each => each === 401))
  })

  test('no token is in the log', () => {
    assert.match(at.server.stderr, /"dialect":"qinling"/)
    for (const token of at.tokens) assert.ok(!at.server.stderr.includes(token), 'a token is in the log')
  })
}

interface Asked {
  readonly method: string
  readonly path: string
}

/** What a dialect's log says that it did as it was asked. */
function answeredBy({ server }: Place, dialect: string): readonly Asked[] {
  const lines = server.stderr.split('\n').filter(line => line.includes(`"dialect":"${dialect}"`))
  return lines.flatMap(line => {
    const said = JSON.parse(line) as Asked & { readonly dialect?: string; readonly status: number }
    return said.dialect === dialect && said.status < 400 ? [said] : []
  })
}

function isOf(operation: Operation, { method, path }: Asked): boolean {
  return (operation.method === 'ANY' || operation.method === method) && addressOf(operation).test(path)
}
