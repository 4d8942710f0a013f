import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { AtelierError, type Invocation, type LogLine } from '../../src/core/index.ts'
import type { NodeAnswer, NodeQuestion, Peers } from '../../src/nodes/index.ts'
import { answerNode, readAllNodes, type TelemetryReader } from '../../src/telemetry/index.ts'
import { FakeClock } from '../support/clock.ts'

const record = (id: string, attempt?: number) =>
  ({ id, ...(attempt && { attempt }) }) as unknown as Invocation

/** One node's part, kept in memory, with the pages of the real one: an id with a dash is that of an attempt, the part behind it its call's. */
function nodeOf(ids: readonly string[], lines: readonly LogLine[] = []): TelemetryReader {
  const all = [...ids].sort().toReversed()
  return {
    getInvocation: async (_project, id) => {
      if (all.includes(id)) return record(id)
      throw new AtelierError('NOT_FOUND', `There is no invocation "${id}".`)
    },
    listAttempts: async () => [],
    listInvocations: async (_project, _filter, { limit = 100, cursor }) => {
      const below = cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString()
      const rest = all.filter(id => below === undefined || id < below)
      const places = rest.slice(0, limit)
      const items = places.map(id => record(id.split('-').at(-1)!))
      return rest.length > limit
        ? { items, places, next: Buffer.from(rest[limit - 1]!).toString('base64url') }
        : { items, places }
    },
    listLogs: async (_project, _filter, limit) => lines.slice(-limit),
    followLogs: () => () => {},
    usage: async () => [],
  }
}

/** The others, asked through what travels. */
function peersOf(nodes: readonly TelemetryReader[]): Peers {
  const askAll = async (question: NodeQuestion): Promise<readonly NodeAnswer[]> => {
    const sent = JSON.parse(JSON.stringify(question)) as NodeQuestion
    const answers = await Promise.all(nodes.map(node => answerNode(node, sent, () => {})))
    return JSON.parse(JSON.stringify(answers)) as NodeAnswer[]
  }
  return { urls: [], askAll } as unknown as Peers
}

const ids = fc.uniqueArray(fc.stringMatching(/^[0-9a-z]{1,4}(?:-[0-9a-z]{1,4})?$/), { maxLength: 60 })

test('pages over all nodes show every record once, newest first', async () => {
  await fc.assert(
    fc.asyncProperty(
      ids,
      fc.infiniteStream(fc.nat(2)),
      fc.integer({ min: 1, max: 7 }),
      async (all, places, limit) => {
        const parts: string[][] = [[], [], []]
        for (const id of all) parts[places.next().value!]!.push(id)
        const [own, ...others] = parts.map(part => nodeOf(part))
        const reader = readAllNodes(own!, peersOf(others), new FakeClock())
        const seen: string[] = []
        let cursor: string | undefined
        do {
          const page = await reader.listInvocations(
            'p',
            {},
            { limit, ...(cursor !== undefined && { cursor }) },
          )
          assert.ok(page.items.length <= limit)
          seen.push(...page.items.map(each => each.id))
          cursor = page.next
        } while (cursor !== undefined)
        const placed = [...all].sort().toReversed()
        assert.deepEqual(
          seen,
          placed.map(id => id.split('-').at(-1)),
        )
      },
    ),
  )
})

test('a record is found wherever it is, and missing only where no node has it', async () => {
  const reader = readAllNodes(nodeOf(['a']), peersOf([nodeOf(['b']), nodeOf(['c'])]), new FakeClock())
  for (const id of ['a', 'b', 'c']) assert.equal((await reader.getInvocation('p', id)).id, id)
  await assert.rejects(reader.getInvocation('p', 'd'), { code: 'NOT_FOUND' })
})

test('lines of all nodes are one list by time, the newest of them', async () => {
  const line = (at: number, text: string) => ({ at, text }) as unknown as LogLine
  const own = nodeOf([], [line(1, 'one'), line(4, 'four')])
  const other = nodeOf([], [line(2, 'two'), line(3, 'three')])
  const reader = readAllNodes(own, peersOf([other]), new FakeClock())
  const texts = async (limit: number) => (await reader.listLogs('p', {}, limit)).map(each => each.text)
  assert.deepEqual(await texts(10), ['one', 'two', 'three', 'four'])
  assert.deepEqual(await texts(2), ['three', 'four'])
})

test('nodes answer nothing but the questions of a reader', async () => {
  for (const ask of ['constructor', 'toString', 'close', '__proto__', 'onLog'])
    await assert.rejects(
      answerNode(nodeOf([]), { ask, args: [] }, () => {}),
      { code: 'INVALID_INPUT' },
    )
})
