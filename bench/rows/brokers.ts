import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchBroker, OpenBroker } from '../brokers/broker.ts'
import { BROKERS } from '../brokers/list.ts'
import { type Platform, startPlatform } from '../platform.ts'
import type { Bench, Measure, Row } from '../row.ts'
import { ONE_INSTANCE } from './warm.ts'

const PER_SECOND = 1_000
const PUBLISH_EVERY_MS = 20
const DRAIN_MS_MAX = 120_000
const CONNECT_MS_MAX = 30_000
/** When in the time of publishing the server is killed. */
const KILLED_AT = [1 / 3, 2 / 3]

/**
 * Each broker gets events at a steady rate while the server, which reads them by a queue trigger, is killed twice (SIGKILL).
 * The function answers with the event's number, and its answers go to another topic: an event counts when its answer is
 * there. What the broker confirmed must be answered, all of it.
 */
export const brokers: Row = {
  name: 'brokers',
  title: `${PER_SECOND} events/s from each broker, the server killed twice: what is lost, repeated, and late`,
  async run(bench) {
    const measures: Measure[] = []
    for (const broker of BROKERS) {
      if (bench.brokers.length > 0 && !bench.brokers.includes(broker.name)) continue
      const missing = await broker.missing()
      if (missing) bench.say(`${broker.title} is left out: ${missing}`)
      else {
        const found = await runBroker(bench, broker)
        for (const { what, value, unit, detail } of found)
          bench.say(`${what}: ${Math.round(value)} ${unit}${detail ? ` (${detail})` : ''}`)
        measures.push(...found)
      }
    }
    return measures
  },
}

async function runBroker(bench: Bench, broker: BenchBroker): Promise<Measure[]> {
  const opening = broker.open()
  let closing: Promise<void> | undefined
  const close = () => (closing ??= opening.then(each => each.close()))
  bench.after(close) // the bench may be cut off
  const open = await opening
  try {
    const platform = await startPlatform(bench, '--source-allow', '127.0.0.0/8')
    try {
      return await measure(bench, broker.title, open, platform)
    } finally {
      await platform.stop()
    }
  } finally {
    await close()
  }
}

async function measure(
  bench: Bench,
  name: string,
  broker: OpenBroker,
  platform: Platform,
): Promise<Measure[]> {
  await platform.deploy('echo', 'echo.mjs', ONE_INSTANCE)
  await platform.ask('POST', '/v1/triggers', {
    name: 'events',
    kind: 'queue',
    app: 'bench',
    function: 'echo',
    config: broker.config,
  })
  await untilConnected(platform)
  const answers = new Answers()
  await broker.read(text => answers.take(text))
  const kills = killTwice(platform, bench.brokerSeconds)
  const sent = await publish(broker, bench.brokerSeconds)
  const restartedMs = await kills
  const lag = sent.count - answers.distinct
  const drainedMs = await drained(answers, sent.count)
  if (answers.distinct < sent.count)
    bench.say(`${name}: ${JSON.stringify(await platform.ask('GET', '/v1/triggers/events'))}`)
  return [
    {
      what: `${name}: lost of ${sent.count}`,
      value: sent.count - answers.distinct,
      unit: 'errors',
      floor: { most: 0 },
      detail: `${answers.repeats} repeated`,
    },
    {
      what: `${name}: published`,
      value: sent.perSecond,
      unit: '/s',
      floor: { least: PER_SECOND * 0.95 },
    },
    {
      what: `${name}: caught up after the last`,
      value: drainedMs,
      unit: 'ms',
      detail: `${lag} behind; restarts took ${restartedMs.map(ms => `${Math.round(ms)} ms`).join(' and ')}`,
    },
  ]
}

/** Events are numbers from 0; what was answered, and how often again. */
class Answers {
  readonly #seen = new Set<number>()
  repeats = 0

  get distinct(): number {
    return this.#seen.size
  }

  take(text: string): void {
    const number = Number(text)
    if (this.#seen.has(number)) this.repeats++
    else this.#seen.add(number)
  }
}

/** Publishes at a steady rate, whatever the server does meanwhile; what was late goes with the next. */
async function publish(broker: OpenBroker, seconds: number): Promise<{ count: number; perSecond: number }> {
  const wanted = seconds * PER_SECOND
  const startedAt = performance.now()
  for (let count = 0; count < wanted; ) {
    const due = Math.min(wanted, Math.ceil(((performance.now() - startedAt) / 1_000) * PER_SECOND))
    await broker.publish(Array.from({ length: due - count }, (_, i) => String(count + i)))
    count = due
    await sleep(PUBLISH_EVERY_MS)
  }
  return { count: wanted, perSecond: wanted / ((performance.now() - startedAt) / 1_000) }
}

async function killTwice(platform: Platform, seconds: number): Promise<number[]> {
  const startedAt = performance.now()
  const took: number[] = []
  for (const share of KILLED_AT) {
    await sleep(Math.max(0, startedAt + share * seconds * 1_000 - performance.now()))
    const killedAt = performance.now()
    await platform.killAndRestart()
    took.push(performance.now() - killedAt)
  }
  return took
}

async function drained(answers: Answers, count: number): Promise<number> {
  const startedAt = performance.now()
  while (answers.distinct < count && performance.now() - startedAt < DRAIN_MS_MAX) await sleep(20)
  return performance.now() - startedAt
}

async function untilConnected(platform: Platform): Promise<void> {
  const until = performance.now() + CONNECT_MS_MAX
  for (;;) {
    const { status } = (await platform.ask('GET', '/v1/triggers/events')) as {
      status?: { details?: { connection?: string }; lastError?: string }
    }
    if (status?.details?.connection === 'connected') return
    if (performance.now() > until) throw new Error(`the trigger is not connected: ${status?.lastError}`)
    await sleep(100)
  }
}
