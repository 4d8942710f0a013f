import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { AtelierError, createAddressPolicy, type EventTrigger } from '../../src/core/index.ts'
import type { RunningTrigger, TriggerEvent } from '../../src/triggers/index.ts'
import { createQueueKind } from '../../src/triggers/queue/index.ts'
import { TestHost } from '../triggers/queue/test-host.ts'

const WAIT_MS = 60_000

/** A real broker with something to read from, for the suite that every source must pass. */
export interface QueueBroker {
  /** The part of a trigger's configuration that names the broker and `name` there, which exists. */
  config(name: string): Readonly<Record<string, unknown>>
  /** Makes a queue (topic, stream …) of that name, and keeps what is published to it. */
  make(name: string): Promise<void>
  publish(name: string, messages: readonly PublishedMessage[]): Promise<void>
  /** What stands in that queue, read past the trigger; at least `count`. */
  read(name: string, count: number): Promise<readonly ReadMessage[]>
  stop(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
  /** Headers are carried. */
  readonly headers: boolean
  /** It may deliver a message again that was acknowledged. */
  readonly repeats: boolean
  /** Messages have ids of the broker's own, by which those that come again are known. */
  readonly ids: boolean
  /** The header that a message has when it comes again. */
  readonly mark?: string
}

export interface PublishedMessage {
  readonly data: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
  readonly contentType?: string
}

export interface ReadMessage {
  readonly data: string
  readonly headers: Readonly<Record<string, string>>
}

export function queueSuite(name: string, skip: string | undefined, open: () => Promise<QueueBroker>): void {
  describe(`queue over ${name}`, { skip: skip ?? false }, () => {
    let broker: QueueBroker
    let number = 0
    const running: RunningTrigger[] = []

    before(async () => {
      broker = await open()
    })
    after(async () => {
      await Promise.all(running.map(each => each.stop()))
      await broker?.close()
    })

    const fresh = async (): Promise<string> => {
      const made = `orders-${++number}`
      await broker.make(made)
      return made
    }
    const start = async (
      queue: string,
      host: TestHost,
      extra: object = {},
      id = queue,
    ): Promise<RunningTrigger> => {
      const trigger = startTrigger({ ...broker.config(queue), ...extra }, host, id)
      running.push(trigger)
      await until(() => connectionOf(trigger) === 'connected', 'a connection', host)
      return trigger
    }

    test('every message reaches the function once and is acknowledged: nothing comes again after a restart', async () => {
      const queue = await fresh()
      const host = new TestHost(() => sleep(1).then(() => undefined))
      const first = await start(queue, host)
      await broker.publish(queue, numbered(0, 300))
      await until(() => host.calls.length >= 300, '300 calls', host)
      await first.stop()
      const later = new TestHost()
      const second = await start(queue, later)
      await broker.publish(queue, numbered(300, 301))
      await until(() => later.calls.length >= 1, 'one more call', later)
      await second.stop()
      const seen = broker.repeats ? [...new Set(host.texts)] : host.texts
      assert.deepEqual(seen.toSorted(), texts(0, 300))
      assert.deepEqual(later.texts, texts(300, 301))
      assert.ok(host.runningMax > 1, 'calls run side by side')
      assert.ok(host.runningMax <= host.room, `no more than ${host.room} at once, not ${host.runningMax}`)
    })

    test('a message that fails is tried again, goes to the error topic at last, and does not hold up the others', async () => {
      const [queue, errors] = [await fresh(), await fresh()]
      const order: string[] = []
      const host = new TestHost(([event]) => {
        const text = textOf(event!)
        order.push(text)
        if (text === 'message 3') throw new AtelierError('FUNCTION_FAILED', 'three is not liked')
        return undefined
      })
      host.room = 2
      const trigger = await start(queue, host, { errorTopic: errors, retries: 2, retryDelayMs: 300 })
      await broker.publish(queue, numbered(0, 30))
      await until(() => countersOf(trigger).givenUp >= 1, 'the error topic', host)
      await trigger.stop()
      const [failed, ...others] = await broker.read(errors, 1)
      assert.equal(others.length, 0)
      assert.equal(failed?.data, 'message 3')
      assert.equal(order.filter(each => each === 'message 3').length, 3)
      assert.deepEqual([...new Set(order)].toSorted(), texts(0, 30))
      assert.ok(order.lastIndexOf('message 3') > 29, 'the others came between')
      assert.match(String(host.failures.at(-1)?.message), /went to .* After 3 attempts: three is not liked/)
      if (!broker.headers) return
      assert.equal(failed.headers['atelier-error'], 'FUNCTION_FAILED')
      assert.equal(failed.headers['atelier-error-message'], 'three is not liked')
      assert.equal(failed.headers['atelier-attempts'], '3')
    })

    test('answers go to the response topic', async () => {
      const [queue, answers] = [await fresh(), await fresh()]
      const host = new TestHost(([event]) => ({
        status: 201,
        headers: ['content-type', 'text/plain; charset=utf-8'],
        body: Buffer.from(`answer to ${textOf(event!)}`),
      }))
      const trigger = await start(queue, host, { responseTopic: answers })
      await broker.publish(queue, numbered(0, 5))
      await until(() => countersOf(trigger).answered >= 5, '5 answers', host)
      await trigger.stop()
      const read = await broker.read(answers, 5)
      assert.deepEqual(
        read.map(each => each.data).toSorted(),
        texts(0, 5).map(each => `answer to ${each}`),
      )
      if (broker.headers) assert.ok(read.every(each => each.headers['atelier-status'] === '201'))
    })

    test('several messages come in one call; when it fails it is repeated, then each goes alone', async () => {
      const [queue, errors] = [await fresh(), await fresh()]
      const host = new TestHost(events => {
        if (events.some(event => textOf(event) === 'message 7'))
          throw new AtelierError('FUNCTION_FAILED', 'no sevens')
        return undefined
      })
      const settings = {
        batch: { size: 10, windowMs: 3_000 },
        retries: 2,
        retryDelayMs: 50,
        errorTopic: errors,
      }
      const trigger = await start(queue, host, settings)
      await broker.publish(queue, numbered(0, 20))
      await until(() => countersOf(trigger).acknowledged >= 20, '20 messages', host)
      await trigger.stop()
      assert.ok(host.calls[0]!.length > 1, 'a batch came first')
      assert.deepEqual(
        (await broker.read(errors, 1)).map(each => each.data),
        ['message 7'],
      )
      assert.deepEqual([...new Set(host.texts)].toSorted(), texts(0, 20))
      assert.equal(host.calls.filter(each => each.length === 1 && textOf(each[0]!) === 'message 7').length, 1)
    })

    test('what a stopped trigger had not handled comes to the next one: nothing is lost', async () => {
      const queue = await fresh()
      const seen = new Set<string>()
      const host = new TestHost(async ([event]) => {
        await sleep(20)
        seen.add(textOf(event!))
        return undefined
      })
      for (let round = 0; round < 3; round++) {
        const trigger = await start(queue, host)
        if (round === 0) await broker.publish(queue, numbered(0, 200))
        await until(() => seen.size >= 40 * (round + 1), 'some calls', host)
        await trigger.stop()
      }
      const last = await start(queue, host)
      await until(() => seen.size >= 200, 'all 200', host)
      await last.stop()
      assert.deepEqual([...seen].toSorted(), texts(0, 200))
    })

    test('a message that was not handled comes again as the same one, and says so where the broker tells', async () => {
      const queue = await fresh()
      const hosts = [new TestHost(), new TestHost()]
      for (const host of hosts)
        host.handler = () => {
          throw new AtelierError('UNAVAILABLE', 'not now')
        }
      const seen: TriggerEvent[] = []
      for (const host of hosts) {
        const trigger = await start(queue, host)
        if (seen.length === 0) await broker.publish(queue, [{ data: 'again' }])
        await until(() => host.calls.length > 0, 'the message', host)
        seen.push(host.calls[0]![0]!)
        await trigger.stop()
      }
      const last = new TestHost()
      const trigger = await start(queue, last)
      await until(() => countersOf(trigger).acknowledged >= 1, 'its end', last)
      await trigger.stop()
      assert.deepEqual(last.texts, ['again'])
      seen.push(last.calls[0]![0]!)
      const [first, ...others] = seen
      for (const other of others)
        if (broker.ids) {
          assert.equal(headerOf(other, 'atelier-message-id'), headerOf(first!, 'atelier-message-id'))
          assert.deepEqual([other.id, other.deliveryId], [first!.id, first!.deliveryId])
        } else assert.notEqual(other.deliveryId, first!.deliveryId, 'nothing tells that it is the same')
      if (broker.mark === undefined) return
      assert.notEqual(headerOf(others[0]!, broker.mark), headerOf(first!, broker.mark))
    })

    test('a broker that dies and comes back in the middle loses nothing', async () => {
      const queue = await fresh()
      const seen = new Set<string>()
      const host = new TestHost(async ([event]) => {
        await sleep(10)
        seen.add(textOf(event!))
        return undefined
      })
      const trigger = await start(queue, host)
      await broker.publish(queue, numbered(0, 300))
      await until(() => seen.size >= 50, '50 calls', host)
      await broker.stop()
      await until(() => connectionOf(trigger) !== 'connected', 'the loss', host)
      assert.match(host.failures.at(-1)?.message ?? '', /has no connection/)
      await broker.start()
      await until(() => seen.size >= 300, 'all 300', host)
      await broker.publish(queue, numbered(300, 310))
      await until(() => seen.size >= 310, 'what came after', host)
      assert.ok(host.healthyCount >= 2)
      await trigger.stop()
    })

    test('a message that no call can take goes to the error topic; those behind it are handled', async () => {
      const [queue, errors] = [await fresh(), await fresh()]
      const host = new TestHost()
      const trigger = await start(queue, host, { errorTopic: errors })
      const huge = Buffer.alloc(7 * 1024 * 1024, 'x')
      await broker.publish(queue, [{ data: huge }, { data: 'small' }])
      await until(() => countersOf(trigger).acknowledged >= 2, 'both', host)
      assert.deepEqual(host.texts, ['small'])
      assert.match(host.failures.map(each => each.message).join(), /7340032 bytes; a call takes at most/)
      assert.equal((await broker.read(errors, 1))[0]?.data.length, huge.length)
      await trigger.stop()
    })

    test('while there is no room for calls, messages wait and none counts as failed', async () => {
      const queue = await fresh()
      let refused = 0
      const host = new TestHost(() => {
        if (++refused <= 3) throw new AtelierError('TOO_MANY_REQUESTS', 'full', { retryAfterS: 0 })
        return undefined
      })
      const trigger = await start(queue, host, { retries: 0 })
      await broker.publish(queue, numbered(0, 10))
      await until(() => countersOf(trigger).acknowledged >= 10, 'all 10', host)
      assert.equal(countersOf(trigger).givenUp, 0)
      assert.deepEqual(host.failures, [])
      await trigger.stop()
    })

    test('an event is told with what the broker knows of it; a CloudEvent is that event', async t => {
      const queue = await fresh()
      const host = new TestHost()
      const trigger = await start(queue, host)
      await broker.publish(queue, [{ data: 'plain' }])
      await until(() => host.calls.length === 1, 'the plain one', host)
      const plain = host.calls[0]![0]!
      assert.equal(plain.type, 'atelier.queue.message')
      assert.equal(headerOf(plain, 'atelier-source'), broker.config(queue)['source'])
      assert.ok(plain.id !== '')
      const structured = JSON.stringify({
        specversion: '1.0',
        id: 'e-2',
        source: '/shop',
        type: 'order.made',
        datacontenttype: 'application/json',
        data: { total: 3 },
      })
      if (!broker.headers) {
        t.diagnostic('no headers in this protocol')
        return trigger.stop()
      }
      await broker.publish(queue, [
        { data: structured, contentType: 'application/cloudevents+json' },
        {
          data: 'body',
          contentType: 'text/plain',
          headers: { 'x-shop': 'north', host: 'evil', 'x-umlaut': 'Grün' },
        },
      ])
      await until(() => host.calls.length === 3, 'the others', host)
      const event = host.calls.flat().find(each => each.id === 'e-2')!
      assert.equal(event.source, '/shop')
      assert.equal(event.type, 'order.made')
      assert.deepEqual(JSON.parse(textOf(event)), { total: 3 })
      const body = host.calls.flat().find(each => textOf(each) === 'body')!
      assert.equal(body.contentType, 'text/plain')
      assert.equal(headerOf(body, 'x-shop'), 'north')
      assert.equal(headerOf(body, 'host'), undefined)
      assert.equal(headerOf(body, 'x-umlaut'), 'Gr%C3%BCn')
      await trigger.stop()
    })

    test('with ordering by key, messages of one key run one after the other and in order', async () => {
      const queue = await fresh()
      let atOnce = 0
      let atOnceMax = 0
      const failed = new Set<string>()
      const host = new TestHost(async ([event]) => {
        atOnceMax = Math.max(atOnceMax, ++atOnce)
        await sleep(5)
        atOnce--
        const text = textOf(event!)
        if (text === 'message 5' && !failed.has(text)) {
          failed.add(text)
          throw new AtelierError('FUNCTION_FAILED', 'once')
        }
        return undefined
      })
      const trigger = await start(queue, host, { ordering: 'key', retryDelayMs: 100 })
      const keyed = numbered(0, 20).map(each => ({ ...each, headers: { 'atelier-key': 'one' } }))
      for (const each of keyed) await broker.publish(queue, [each])
      await until(() => countersOf(trigger).acknowledged >= 20, 'all 20', host)
      await trigger.stop()
      if (broker.headers) {
        assert.equal(atOnceMax, 1)
        assert.deepEqual(
          [...new Set(host.texts)],
          numbered(0, 20).map(each => each.data),
        )
      }
    })

    test('with delivery "async" messages are acknowledged when they are durable calls', async () => {
      const queue = await fresh()
      const host = new TestHost()
      let refused = 0
      host.onDeliver = () => {
        if (++refused === 1) throw new AtelierError('TOO_MANY_REQUESTS', 'the queue is full')
      }
      const trigger = await start(queue, host, { delivery: 'async' })
      await broker.publish(queue, numbered(0, 50))
      await until(() => countersOf(trigger).acknowledged >= 50, 'all 50', host)
      await trigger.stop()
      assert.deepEqual(host.calls, [])
      assert.deepEqual(host.delivered.flatMap(each => each.events.map(textOf)).toSorted(), texts(0, 50))
    })

    test('addresses of this machine are refused unless the operator allows them', async () => {
      const queue = await fresh()
      const host = new TestHost()
      const trigger = startTrigger(broker.config(queue), host, queue, createAddressPolicy())
      running.push(trigger)
      await until(() => host.failures.length > 0, 'a failure', host)
      assert.match(host.failures[0]!.message, /does not connect to .*source-allow/)
      assert.equal(host.healthyCount, 0)
      await trigger.stop()
    })
  })
}

function startTrigger(
  config: Readonly<Record<string, unknown>>,
  host: TestHost,
  id: string,
  addresses = createAddressPolicy({ allow: ['127.0.0.0/8'] }),
): RunningTrigger {
  const kind = createQueueKind({ addresses })
  const checked = kind.check(config, Date.now())
  assert.ok('config' in checked, JSON.stringify(checked))
  return kind.start(aQueueTrigger(id, checked.config), host)
}

/** A trigger that is running on, or would be. */
export function aQueueTrigger(id: string, config: Readonly<Record<string, unknown>>): EventTrigger {
  return {
    id,
    projectId: 'p',
    projectName: 'p',
    functionId: 'f',
    appName: 'a',
    functionName: 'f',
    name: 'orders',
    kind: 'queue',
    alias: 'live',
    format: 'native',
    config,
    paused: false,
    tokens: [],
    revision: 1,
    createdAt: 0,
    updatedAt: 0,
  }
}

function numbered(from: number, to: number): { data: string }[] {
  return Array.from({ length: to - from }, (_, i) => ({ data: `message ${from + i}` }))
}

function texts(from: number, to: number): string[] {
  return numbered(from, to)
    .map(each => each.data)
    .toSorted()
}

function textOf(event: TriggerEvent): string {
  return Buffer.from(event.data).toString()
}

function headerOf(event: TriggerEvent, name: string): string | undefined {
  const headers = [...(event.headers ?? []), ...(event.facts ?? [])]
  const at = headers.findIndex((each, i) => i % 2 === 0 && each === name)
  return at < 0 ? undefined : headers[at + 1]
}

function detailsOf(trigger: RunningTrigger): Record<string, unknown> {
  return { ...trigger.view?.().details }
}

function connectionOf(trigger: RunningTrigger): unknown {
  return detailsOf(trigger)['connection']
}

function countersOf(trigger: RunningTrigger): { acknowledged: number; givenUp: number; answered: number } {
  return detailsOf(trigger) as ReturnType<typeof countersOf>
}

async function until(what: () => boolean, name: string, host: TestHost): Promise<void> {
  const end = Date.now() + WAIT_MS
  while (!what()) {
    if (Date.now() > end)
      throw new Error(
        `waited too long for ${name}; calls: ${host.calls.length}; failures: ${host.failures
          .slice(-3)
          .map(each => `${each.message} <${String(each.cause)} ${String((each.cause as Error)?.cause)}>`)
          .join(' | ')}`,
      )
    await sleep(5)
  }
}
