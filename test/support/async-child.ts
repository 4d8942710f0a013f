/**
 * A process with a queue of asynchronous calls, to be killed at any moment. It accepts calls of several kinds, runs them itself, and
 * notes each step in a file before it goes on; `settle` as its third argument: it accepts nothing and ends when all have ended.
 *
 * A kind id … accepted (after the acceptance has resolved); B id generation number time … an attempt begins; E id … it ends; D id state …
 * the end is durable; C id … a cancellation has resolved; R id time … it is reserved until then; T id … it was taken.
 */
import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAsyncCalls, type NewAsyncCall } from '../../src/async/index.ts'
import { AtelierError, FunctionTable, systemClock } from '../../src/core/index.ts'
import type { InvokeHandle, InvokeRequest, Invoker, InvokeSink } from '../../src/invoker/index.ts'
import { openEventStore } from '../../src/store/index.ts'
import { aCall, aTarget } from './async.ts'

const [folder, generation, mode] = process.argv.slice(2) as [string, string, string?]
const file = openSync(join(folder, 'steps'), 'a')
const note = (...words: readonly (string | number)[]): void => void writeSync(file, `${words.join(' ')}\n`)

const table = new FunctionTable()
table.publish([
  { kind: 'project', id: 'p', value: { id: 'p', name: 'p', enabled: true } },
  ...['fast', 'slow', 'failing', 'flaky', 'ordered', 'delayed', 'cancelled', 'once', 'lent'].map(name => {
    const retry = { attemptsMax: 3, delayMs: 5, jitter: 0 }
    const value = aTarget(name, { retry, concurrencyMax: name === 'lent' ? 1 : 8 })
    return { kind: 'function' as const, id: value.id, value }
  }),
])

/** The code behind the functions: how long each runs, and how it ends. */
const invoker: Invoker = {
  invoke(request: InvokeRequest, sink: InvokeSink): InvokeHandle {
    const { id, number } = request.attempt!
    const { name } = request.target
    let isOver = false
    note('B', id, generation, number, Date.now())
    setTimeout(
      () => {
        if (isOver) return
        note('E', id, generation)
        if (name === 'failing' || (name === 'flaky' && number === 1))
          return sink.onFail(new AtelierError('FUNCTION_FAILED', 'on purpose'))
        sink.onHead(200, [])
        sink.onData(Buffer.from(id))
        sink.onEnd()
      },
      name === 'slow' ? 60 : name === 'cancelled' ? 20 : 1,
    )
    const handle = { id, version: 1, write: () => true, writeMessage: () => true, end() {}, consumed() {} }
    return { ...handle, cancel: () => void (isOver = true) }
  },
}

const LENT_MS = 150

note('O', generation)
const store = await openEventStore({ url: join(folder, 'events.db') })
const calls = await createAsyncCalls({
  store,
  invoker,
  table,
  clock: systemClock,
  onProblem: (message, cause) => note('P', message, String(cause)),
  onEnded: ({ id, state }) => note('D', id, state),
})
const accept = async (kind: string, change: Partial<NewAsyncCall> = {}): Promise<string> => {
  const [accepted] = await calls.accept([aCall({ name: kind, ...change })])
  note('A', kind, accepted!.id, change.orderingKey ?? change.idempotencyKey ?? change.runAt ?? '-')
  return accepted!.id
}

if (mode === 'settle') {
  while (calls.counters.queued + calls.counters.running > 0) await sleep(10)
  await calls.close()
  await store.close()
  process.exit(0)
}

const forever = async (work: (turn: number) => Promise<unknown>): Promise<never> => {
  for (let turn = 0; ; turn++) {
    await work(turn)
    await sleep(2)
  }
}
await Promise.all([
  forever(() => accept('fast')),
  forever(() => accept('slow')),
  forever(() => accept('failing')),
  forever(() => accept('flaky')),
  forever(turn => accept('ordered', { orderingKey: `key-${turn % 3}` })),
  forever(() => accept('delayed', { runAt: Date.now() + 50 })),
  forever(turn => accept('once', { idempotencyKey: `key-${Math.floor(turn / 3)}` })),
  forever(async () => {
    const id = await accept('cancelled')
    await sleep(Math.random() * 30)
    await calls.cancel('p', id).catch(() => {})
    note('C', id)
  }),
  forever(async () => {
    const batch = await calls.accept(
      Array.from({ length: 5 }, () => aCall({ name: 'lent', reservable: true })),
    )
    note('A', 'lent', batch.map(({ id }) => id).join())
    for (const isTaken of [true, false]) {
      const call = (await calls.reserve('p', LENT_MS))?.call
      if (!call) continue
      note('R', call.id, call.dueAt)
      const taken = isTaken && (await calls.takeReserved('p', call.id, 'on purpose').catch(() => undefined))
      if (taken) note('T', call.id)
    }
    await sleep(20)
  }),
  forever(async () => {
    const batch = await calls.accept(Array.from({ length: 20 }, () => aCall({ name: 'fast' })))
    note('A', 'batch', batch.map(({ id }) => id).join())
  }),
])
