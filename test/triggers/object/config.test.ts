import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { createObjectKind } from '../../../src/triggers/object/kind.ts'

const kind = createObjectKind({ allows: () => true })
const fits = new Ajv({ strict: false }).compile(kind.configSchema)

const swift = { authUrl: 'http://keystone:5000/v3', username: 'u', password: 'p', project: 'a' }
const s3 = { endpoint: 'https://s3.example:9000', accessKey: 'a', secretKey: 's' }
const bus = { url: 'amqp://rabbit:5672/', projects: ['p1'] }

/** The pointers that are complained of. */
function pointers(config: Readonly<Record<string, unknown>>): string[] {
  assert.ok(fits(config), JSON.stringify(fits.errors))
  const checked = kind.check(config, 0)
  return 'errors' in checked ? checked.errors.map(each => each.pointer) : []
}

test('whole configurations of each source are taken as they are', () => {
  for (const config of [
    { source: 'swift-middleware', container: 'up', swift: { account: 'AUTH_1', passToken: false } },
    {
      source: 'notifications',
      notifications: { ...bus, username: 'u', password: 'p', methods: ['PUT', 'COPY'] },
    },
    { source: 's3', s3: { token: 't', eventNames: ['ObjectCreated:*'] } },
    {
      source: 'poll',
      container: 'up',
      poll: { swift, intervalMs: 5_000, first: 'all', events: ['deleted'] },
    },
    { source: 'poll', container: 'up', poll: { s3 } },
    {
      source: 'poll',
      container: 'up',
      poll: {
        swift: { authUrl: swift.authUrl, applicationCredentialId: 'i', applicationCredentialSecret: 's' },
      },
    },
  ]) {
    assert.deepEqual(pointers(config), [])
    assert.deepEqual(kind.check(config, 0), { config })
  }
})

test('the examples of the reference are whole configurations', () => {
  const { examples } = kind.configSchema as { readonly examples: readonly Record<string, unknown>[] }
  for (const example of examples) assert.deepEqual(pointers(example), [])
})

test('what is missing or out of place is named', () => {
  assert.deepEqual(pointers({ source: 'notifications' }), ['notifications'])
  assert.deepEqual(pointers({ source: 'poll' }), ['container', 'poll'])
  assert.deepEqual(pointers({ source: 's3', swift: {} }), ['swift'])
  assert.deepEqual(pointers({ source: 's3', container: 'a/b' }), ['container'])
  assert.deepEqual(pointers({ source: 'poll', container: 'c', poll: {} }), ['poll'])
  assert.deepEqual(pointers({ source: 'poll', container: 'c', poll: { swift, s3 } }), ['poll'])
  const half = { ...swift, applicationCredentialId: 'i' }
  assert.deepEqual(pointers({ source: 'poll', container: 'c', poll: { swift: half } }), ['poll.swift'])
  const { password: _, ...without } = swift
  assert.deepEqual(pointers({ source: 'poll', container: 'c', poll: { swift: without } }), ['poll.swift'])
})

test('URLs that mean nothing here, or hold what belongs elsewhere, are refused', () => {
  for (const url of [
    'http://rabbit',
    'rabbit:5672',
    'amqp://',
    'amqp://u:p@rabbit',
    'amqp://rabbit/?heartbeat=0',
  ])
    assert.deepEqual(pointers({ source: 'notifications', notifications: { ...bus, url } }), [
      'notifications.url',
    ])
  for (const endpoint of ['s3.example', 'ftp://s3', 'http://a:b@s3', 'http://s3/?x=1'])
    assert.deepEqual(pointers({ source: 'poll', container: 'c', poll: { s3: { ...s3, endpoint } } }), [
      'poll.s3.endpoint',
    ])
  const place = { ...swift, authUrl: 'file:///etc/passwd', storageUrl: 'nothing' }
  assert.deepEqual(pointers({ source: 'poll', container: 'c', poll: { swift: place } }), [
    'poll.swift.authUrl',
    'poll.swift.storageUrl',
  ])
})

test('all that is secret in a configuration is sealed', () => {
  const secrets = (schema: Record<string, unknown>, path: string): string[] =>
    Object.entries((schema['properties'] ?? {}) as Record<string, Record<string, unknown>>).flatMap(
      ([name, member]) =>
        /password|secret|token$/i.test(name) && member['type'] === 'string'
          ? [path + name]
          : secrets(member, `${path}${name}.`),
    )
  assert.deepEqual(
    secrets(kind.configSchema as Record<string, unknown>, '').toSorted(),
    kind.secretFields.toSorted(),
  )
})
