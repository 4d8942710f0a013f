import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AtelierError } from '../../../src/core/index.ts'
import type { RunningTrigger } from '../../../src/triggers/index.ts'
import { createObjectKind } from '../../../src/triggers/object/kind.ts'
import { until } from '../../support/server-process.ts'
import { objectTrigger, ScriptedHost } from './scripted-host.ts'
import { StoreDouble, type StoredObject } from './stores.ts'

const INTERVAL_MS = 60_000

function stored(name: string, last_modified = '2026-01-01T00:00:00.000001', hash = 'h'): StoredObject {
  return { name, hash, bytes: 3, last_modified }
}

interface Setup {
  readonly config?: object
  readonly poll?: object
  readonly swift?: object
  readonly host?: ScriptedHost
  readonly allows?: (address: string) => boolean
}

/** A poller of a double; `turn` waits for the listing under way, or goes on to the next. */
class Polling implements AsyncDisposable {
  readonly store: StoreDouble
  readonly host: ScriptedHost
  readonly running: RunningTrigger

  private constructor(store: StoreDouble, host: ScriptedHost, running: RunningTrigger) {
    this.store = store
    this.host = host
    this.running = running
  }

  static start(store: StoreDouble, setup: Setup = {}): Polling {
    const { config = {}, poll = {}, swift = {}, host = new ScriptedHost(), allows = () => true } = setup
    const place = {
      authUrl: store.url,
      username: 'u',
      password: 'secret',
      project: 'a',
      region: 'Two',
      ...swift,
    }
    const trigger = objectTrigger({
      source: 'poll',
      container: 'up',
      ...config,
      poll: { ...poll, swift: place },
    })
    return new Polling(store, host, createObjectKind({ allows }).start(trigger, host))
  }

  /** Waits until the listing that runs has ended. */
  async done(): Promise<void> {
    await until('the listing ends', () => (this.running.view!().nextAt?.[0] ?? 0) > this.host.clock.now())
  }

  async next(): Promise<void> {
    await this.done()
    this.host.clock.advance(INTERVAL_MS)
    await this.done()
  }

  get error(): { readonly code: string; readonly message: string } {
    const last = this.host.errors.at(-1)
    assert.ok(last instanceof AtelierError, String(last))
    return { code: last.code, message: last.message }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running.stop()
    await this.store.close()
  }
}

test('it signs in, finds the container by the catalogue, and tells what is new since the first listing', async () => {
  const store = await StoreDouble.start()
  store.objects = [stored('a')]
  await using polling = Polling.start(store, { swift: { userDomain: 'Users' } })
  await polling.done()
  assert.equal(polling.host.delivered.length, 0)
  assert.deepEqual(store.bodies, [
    {
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'u', domain: { name: 'Users' }, password: 'secret' } },
        },
        scope: { project: { name: 'a', domain: { name: 'Users' } } },
      },
    },
  ])
  assert.equal(store.requests[1], 'GET /v1/public-Two/up?format=json&limit=5000')
  store.objects = [stored('a'), stored('b c', '2026-01-01T00:00:09.000000')]
  await polling.next()
  assert.deepEqual(polling.host.bodies, [
    {
      event: 'written',
      container: 'up',
      object: 'b c',
      timeMs: Date.UTC(2026, 0, 1, 0, 0, 9),
      sizeBytes: 3,
      etag: 'h',
    },
  ])
  await polling.next()
  assert.equal(polling.host.delivered.length, 1)
  assert.deepEqual(polling.host.errors, [])
  assert.equal(store.bodies.length, 1) // the token is kept
})

test('an application credential signs in too', async () => {
  const store = await StoreDouble.start()
  const place = { applicationCredentialId: 'id', applicationCredentialSecret: 'secret' }
  const config = {
    source: 'poll',
    container: 'up',
    poll: { swift: { authUrl: `${store.url}/v3/`, ...place } },
  }
  const host = new ScriptedHost()
  const running = createObjectKind({ allows: () => true }).start(objectTrigger(config), host)
  await until('it has listed', () => host.healthyCount > 0)
  assert.deepEqual(store.bodies, [
    {
      auth: {
        identity: {
          methods: ['application_credential'],
          application_credential: { id: 'id', secret: 'secret' },
        },
      },
    },
  ])
  await running.stop()
  await store.close()
})

test('a hundred thousand objects are listed page by page, and told once each when all are wanted', async () => {
  const store = await StoreDouble.start()
  store.objects = Array.from({ length: 100_000 }, (_, index) => stored(`o${String(index).padStart(6, '0')}`))
  await using polling = Polling.start(store, { poll: { first: 'all' }, config: { suffix: '7' } })
  await polling.done()
  assert.equal(polling.host.delivered.length, 10_000)
  assert.equal(new Set(polling.host.delivered.map(each => each.id)).size, 10_000)
  assert.equal(polling.host.filteredCount, 90_000)
  assert.equal(store.requests.filter(each => each.includes('format=json')).length, 21)
  assert.ok(JSON.stringify(polling.host.value).length < 100_000)
  assert.deepEqual(polling.running.view!().details?.['objects'], 100_000)
  store.objects.push(stored('p7', '2026-01-02T00:00:00.000000'))
  await polling.next()
  assert.equal(polling.host.delivered.length, 10_001)
})

test('what was seen before a restart is not told after it', async () => {
  const store = await StoreDouble.start()
  const host = new ScriptedHost()
  store.objects = [stored('a')]
  const first = Polling.start(store, { poll: { first: 'all' }, host })
  await first.done()
  await first.running.stop()
  store.objects.push(stored('b', '2026-01-01T00:00:01.000000'))
  await using second = Polling.start(store, { poll: { first: 'all' }, host })
  await second.done()
  assert.deepEqual(
    host.delivered.map(each => each.subject),
    ['up/a', 'up/b'],
  )
})

test('deleted objects are told when that is asked for', async () => {
  const store = await StoreDouble.start()
  store.objects = [stored('a'), stored('b')]
  await using polling = Polling.start(store, { poll: { events: ['deleted'] } })
  await polling.done()
  store.objects = [stored('b')]
  await polling.next()
  assert.deepEqual(polling.host.bodies, [
    { event: 'deleted', container: 'up', object: 'a', timeMs: polling.host.clock.now(), change: 'deleted' },
  ])
})

test('a full queue makes it wait, and what could not be delivered is told again with the same id', async () => {
  const store = await StoreDouble.start()
  store.objects = [stored('a')]
  const host = new ScriptedHost()
  host.refusals.push(new AtelierError('TOO_MANY_REQUESTS', 'Full.', { retryAfterS: 5 }))
  await using polling = Polling.start(store, { poll: { first: 'all' }, host })
  await until('it was refused', () => host.refusals.length === 0)
  await until('it waits', () => {
    host.clock.advance(1_000)
    return host.delivered.length === 1
  })
  await polling.done()
  host.value = undefined
  await polling.next()
  assert.equal(host.delivered.length, 2)
  assert.equal(host.delivered[0]!.id, host.delivered[1]!.id)
})

test('a listing that fails on the way is told again whole, and nothing of it is remembered', async () => {
  const store = await StoreDouble.start()
  store.objects = [stored('a')]
  const host = new ScriptedHost()
  host.refusals.push(new AtelierError('INTERNAL', 'Broken.'))
  await using polling = Polling.start(store, { poll: { first: 'all' }, host })
  await polling.done()
  assert.equal(polling.error.code, 'INTERNAL')
  assert.equal(host.value, undefined)
  await polling.next()
  assert.equal(host.delivered.length, 1)
})

test('refused credentials, an unknown container and a server in trouble are told in words', async () => {
  const store = await StoreDouble.start()
  store.signInStatus = 401
  await using polling = Polling.start(store)
  await polling.done()
  assert.equal(polling.error.code, 'UNAUTHENTICATED')
  assert.match(
    polling.error.message,
    /^Keystone at http:\/\/127\.0\.0\.1:\d+ refuses the credentials \(401\)\.$/,
  )
  store.signInStatus = 500
  await polling.next()
  assert.match(polling.error.message, /answered 500 to the request for a token/)
  store.signInStatus = 201
  store.container = 'other'
  await polling.next()
  assert.equal(polling.error.code, 'NOT_FOUND')
  assert.match(polling.error.message, /no container "up" at Swift at/)
  for (const [status, code] of [
    [403, 'FORBIDDEN'],
    [503, 'UNAVAILABLE'],
    [302, 'UNAVAILABLE'],
  ] as const) {
    store.listingStatus = status
    await polling.next()
    assert.equal(polling.error.code, code)
  }
  for (const error of polling.host.errors) assert.ok(!String(error).includes('secret'))
  store.listingStatus = undefined
  store.container = 'up'
  await polling.next()
  assert.equal(polling.host.healthyCount, 1)
})

test('a token that is refused is asked for anew, once for each listing', async () => {
  const store = await StoreDouble.start()
  await using polling = Polling.start(store)
  await polling.done()
  store.token++ // the one it has is of yesterday
  await polling.next()
  assert.equal(polling.host.errors.length, 0)
  assert.equal(store.bodies.length, 2)
  store.listingStatus = 401
  await polling.next()
  assert.equal(polling.error.code, 'UNAUTHENTICATED')
  assert.equal(store.bodies.length, 3)
})

test('a server that is gone is told, and listed again when it is back', async () => {
  const store = await StoreDouble.start()
  const { url } = store
  await using polling = Polling.start(store, { swift: { authUrl: url } })
  await polling.done()
  await store.close()
  await polling.next()
  assert.equal(polling.error.code, 'UNAVAILABLE')
  assert.match(polling.error.message, /refuses the connection/)
})

test('addresses that the operator does not allow are not connected to, nor are redirects followed there', async () => {
  const store = await StoreDouble.start()
  await using polling = Polling.start(store, { allows: () => false })
  await polling.done()
  assert.equal(polling.error.code, 'FORBIDDEN')
  assert.match(polling.error.message, /source-allow/)
  assert.equal(store.requests.length, 0)

  const named = await StoreDouble.start()
  const port = new URL(named.url).port
  await using byName = Polling.start(named, {
    swift: { authUrl: `http://localhost:${port}` },
    allows: address => address !== '127.0.0.1' && address !== '::1',
  })
  await byName.done()
  assert.equal(byName.error.code, 'FORBIDDEN')
  assert.equal(named.requests.length, 0)

  const redirecting = await StoreDouble.start()
  redirecting.redirect = `${named.url}/metadata`
  await using third = Polling.start(redirecting)
  await third.done()
  assert.equal(third.error.code, 'UNAVAILABLE')
  assert.equal(named.requests.length, 0)
})

test('only the node that leads lists', async () => {
  const store = await StoreDouble.start()
  const host = new ScriptedHost()
  host.leads = false
  await using polling = Polling.start(store, { host })
  await polling.next()
  assert.equal(store.requests.length, 0)
  host.leads = true
  await polling.next()
  assert.equal(host.healthyCount, 1)
})

test('stopping ends a listing under way and a wait for room', async () => {
  const store = await StoreDouble.start()
  store.objects = [stored('a')]
  const host = new ScriptedHost()
  host.refusals.push(...Array.from({ length: 9 }, () => new AtelierError('TOO_MANY_REQUESTS', 'Full.')))
  const polling = Polling.start(store, { poll: { first: 'all' }, host })
  await until('it was refused', () => host.refusals.length < 9)
  await polling.running.stop()
  assert.equal(host.delivered.length, 0)
  assert.equal(host.errors.length, 0)
  await store.close()
})
