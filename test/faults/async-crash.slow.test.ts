import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEventStore } from '../../src/store/index.ts'

const ROUNDS = 20
/** Of the functions in async-child.ts, and of each. */
const KINDS = 9
const CONCURRENCY_MAX = 8
const CHILD = join(import.meta.dirname, '../support/async-child.ts')

interface Step {
  readonly what: string
  readonly words: readonly string[]
}

interface Row {
  readonly state: string
  readonly attempts: number
  readonly recoveries: number
  readonly first_due_at: number
}

let folder: string
let steps: readonly Step[]
let rows: ReadonlyMap<string, Row>
const accepted = new Map<string, { readonly kind: string; readonly detail: string }>()

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atelier-async-crash-'))
  for (let round = 1; round <= ROUNDS; round++) {
    const child = spawn(process.execPath, [CHILD, folder, String(round)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const exited = once(child, 'exit')
    while (!(await stepsNow()).some(({ what, words }) => what === 'O' && words[0] === String(round)))
      await sleep(5)
    // From the moment in which it takes up what the one before left, to the middle of its work.
    await sleep(20 + Math.random() * 500)
    child.kill('SIGKILL')
    await exited
  }
  const last = spawn(process.execPath, [CHILD, folder, 'last', 'settle'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = (await once(last, 'exit')) as [number | null]
  assert.equal(code, 0)
  steps = await stepsNow()
  const store = await openEventStore({ url: join(folder, 'events.db') })
  const found = await store.db
    .selectFrom('async_calls')
    .select(['id', 'state', 'attempts', 'recoveries', 'first_due_at'])
    .execute()
  await store.close()
  rows = new Map(found.map(row => [row.id, row]))
  for (const { what, words } of steps) {
    if (what !== 'A') continue
    const [kind, ids, detail] = words as [string, string, string?]
    for (const id of ids.split(',')) accepted.set(id, { kind, detail: detail ?? '-' })
  }
})
after(() => rm(folder, { recursive: true, force: true }))

/** What the processes have noted; a line that a kill has cut in two is none. */
async function stepsNow(): Promise<readonly Step[]> {
  const text = await readFile(join(folder, 'steps'), 'utf8').catch(() => '')
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => {
      const [what, ...words] = line.split(' ') as [string, ...string[]]
      return { what, words }
    })
}

const ofKind = (kind: string): [string, Row][] =>
  [...accepted].filter(([, each]) => each.kind === kind).map(([id]) => [id, rows.get(id)!])

test('every acknowledged call has ended once, in the state that its function leads to', () => {
  assert.ok(accepted.size > 500, `only ${accepted.size} calls were accepted: the test says little`)
  const lost = [...accepted.keys()].filter(id => !rows.has(id))
  assert.deepEqual(lost, [])
  const expected: Record<string, readonly string[]> = {
    failing: ['failed'],
    cancelled: ['cancelled', 'succeeded'],
    lent: ['cancelled', 'succeeded'],
  }
  for (const [id, { kind }] of accepted)
    assert.ok(
      (expected[kind] ?? ['succeeded']).includes(rows.get(id)!.state),
      `${kind} ${id} is ${rows.get(id)!.state}`,
    )
  const durable = new Map<string, number>()
  for (const { what, words } of steps)
    if (what === 'D') durable.set(words[0]!, (durable.get(words[0]!) ?? 0) + 1)
  assert.deepEqual(
    [...durable].filter(([, times]) => times > 1),
    [],
  )
  assert.deepEqual(
    steps.filter(({ what }) => what === 'P').map(({ words }) => words.join(' ')),
    [],
  )
})

test('nothing runs again once its end is durable, and in one process only after a failure', () => {
  const ended = new Set<string>()
  const open = new Map<string, string>()
  for (const { what, words } of steps) {
    const [id, generation] = words as [string, string]
    if (what === 'D') ended.add(id)
    if (what === 'E') open.delete(id)
    if (what !== 'B') continue
    assert.ok(!ended.has(id), `${id} runs though it has ended`)
    assert.notEqual(open.get(id), generation, `${id} runs twice at once`)
    open.set(id, generation)
  }
})

test('only what was leased when a process was lost is begun more often than it failed', () => {
  const begun = new Map<string, number>()
  for (const { what, words } of steps) if (what === 'B') begun.set(words[0]!, (begun.get(words[0]!) ?? 0) + 1)
  for (const [id, row] of rows) {
    const failures = accepted.get(id)?.kind === 'failing' ? 2 : accepted.get(id)?.kind === 'flaky' ? 1 : 0
    if (accepted.has(id)) assert.ok((begun.get(id) ?? 0) <= 1 + failures + row.recoveries, id)
  }
  const recovered = [...rows.values()].reduce((sum, { recoveries }) => sum + recoveries, 0)
  assert.ok(recovered > 0, 'no kill has met a running call: the test says little')
  const leasedAtOnceMax = KINDS * CONCURRENCY_MAX
  assert.ok(recovered <= ROUNDS * leasedAtOnceMax, `${recovered} calls were recovered in ${ROUNDS} rounds`)
})

test('calls of one ordering key begin in the order of their acceptance, each after the one before has ended', () => {
  const keys = new Map<string, string[]>()
  for (const { what, words } of steps) {
    if (what !== 'A' || words[0] !== 'ordered') continue
    keys.set(words[2]!, [...(keys.get(words[2]!) ?? []), words[1]!])
  }
  assert.ok(keys.size > 0)
  for (const ids of keys.values()) {
    const place = new Map(ids.map((id, index) => [id, index]))
    let current = -1
    const ended = new Set<string>()
    for (const { what, words } of steps) {
      const at = place.get(words[0]!)
      if (at === undefined) continue
      if (what === 'E') ended.add(words[0]!)
      if (what !== 'B') continue
      assert.ok(at === current || at === current + 1, `${words[0]} begins at place ${at} after ${current}`)
      if (at > 0) assert.ok(ended.has(ids[at - 1]!))
      current = at
    }
  }
})

test('a key that was used stands for one call, across all lives of the process', () => {
  const ids = new Map<string, Set<string>>()
  for (const { what, words } of steps)
    if (what === 'A' && words[0] === 'once')
      ids.set(words[2]!, (ids.get(words[2]!) ?? new Set()).add(words[1]!))
  assert.ok(ids.size > 1)
  for (const [key, each] of ids) assert.equal(each.size, 1, key)
})

test('a delayed call begins at its time or later', () => {
  assert.ok(ofKind('delayed').length > 0)
  for (const [id, row] of ofKind('delayed')) assert.equal(row.first_due_at, Number(accepted.get(id)!.detail))
})

test('a call whose cancellation was acknowledged is over, and begins no more', () => {
  const called = new Set<string>()
  for (const { what, words } of steps) {
    if (what === 'C') called.add(words[0]!)
    if (what === 'B') assert.ok(!called.has(words[0]!), `${words[0]} begins after it was cancelled`)
  }
  assert.ok(called.size > 0)
})

test('a call that was lent begins here when its time has passed and not before, and no more once it was taken', () => {
  const until = new Map<string, number>()
  const taken = new Set<string>()
  let back = 0
  for (const { what, words } of steps) {
    const [id] = words as [string]
    if (what === 'R') until.set(id, Number(words[1]))
    if (what === 'T') taken.add(id)
    const lentUntil = until.get(id)
    if (what !== 'B' || lentUntil === undefined) continue
    assert.ok(!taken.has(id), `${id} begins after it was taken`)
    assert.ok(Number(words[3]) >= lentUntil, `${id} begins while it is lent`)
    back++
  }
  assert.ok(
    taken.size > 0 && back > 0,
    `${taken.size} were taken and ${back} came back: the test says little`,
  )
  for (const id of taken) assert.equal(rows.get(id)!.state, 'cancelled')
})
