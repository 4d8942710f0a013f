import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { freshPath, startTelemetry } from './fixture.ts'

const CHILD = join(import.meta.dirname, 'writing-child.ts')

interface Said {
  readonly written?: readonly string[]
  readonly problem?: string
  readonly other?: string
  readonly listed?: number
}

test('what was written before kill -9 is there after it, every record once', async () => {
  const path = freshPath()
  const written: string[] = []
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [CHILD, path, 'killed'], { stdio: ['ignore', 'pipe', 'inherit'] })
    let batches = 0
    for await (const line of createInterface(child.stdout)) {
      const said = JSON.parse(line) as Said
      written.push(...(said.written ?? []))
      if (++batches === 4) child.kill('SIGKILL')
    }
  }
  const telemetry = startTelemetry({ path })
  const found: string[] = []
  let cursor: string | undefined
  do {
    const page = await telemetry.listInvocations('killed', {}, { limit: 1_000, ...(cursor && { cursor }) })
    found.push(...page.items.map(({ id }) => id))
    cursor = page.next
  } while (cursor !== undefined)
  assert.equal(new Set(found).size, found.length)
  const there = new Set(found)
  assert.ok(written.length >= 2_400)
  assert.deepEqual(
    written.filter(id => !there.has(id)),
    [],
  )
  const [sum] = await telemetry.usage('killed', {
    fromMs: Date.now() - 86_400_000,
    toMs: Date.now() + 86_400_000,
  })
  assert.equal(sum?.calls, found.length)
})

test('without space records are lost and told, what was written stays whole, and others go on', async () => {
  const path = freshPath()
  // The limit of a file's size stands for the disk's: a write is cut off in the middle and then fails.
  const child = spawn('sh', ['-c', 'ulimit -f 400; exec "$0" "$@"', process.execPath, CHILD, path, 'full'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said: Said[] = []
  for await (const line of createInterface(child.stdout)) said.push(JSON.parse(line) as Said)
  const written = said.flatMap(each => each.written ?? [])
  assert.ok(written.length > 0)
  const told = said.filter(each => each.problem !== undefined)
  assert.equal(told.length, 5)
  assert.match(told[0]!.problem!, /^200 records .* lost\. There is no space left for them\.$/)
  assert.equal(said.at(-1)?.listed, 100)
  const telemetry = startTelemetry({ path })
  const { items } = await telemetry.listInvocations('full', {}, { limit: 1_000 })
  assert.deepEqual(new Set(items.map(({ id }) => id)), new Set(written))
  assert.equal((await telemetry.getInvocation('other', said.at(-1)!.other!)).projectId, 'other')
})
