import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { createEvent, toBatch, toHttpBinary, toStructured } from '../../src/cloudevents/index.ts'
import { pythonEnvironment } from '../../src/environments/index.ts'
import { type Answer, Driver, T } from '../suites/frames/driver.ts'
import { spawnShim } from './spawn.ts'

const shims = join(import.meta.dirname, '../../src/environments')
const fixtures = join(import.meta.dirname, '../fixtures/frames')
const python = await pythonEnvironment.probe()

const LANGUAGES = [
  {
    name: 'Node.js',
    entry: 'conventions.cjs#event',
    folder: join(fixtures, 'nodejs'),
    program: process.execPath,
    args: [join(shims, 'nodejs/shim/main.mjs')],
    skip: false,
  },
  {
    name: 'Python',
    entry: 'conventions:cloud_event',
    folder: join(fixtures, 'python'),
    program: python.ready ? (python.launch.command[0] ?? '') : '',
    args: ['-I', '-S', join(shims, 'python/shim.py')],
    skip: python.ready ? false : python.reason,
  },
] as const

const ATTRIBUTES = {
  id: 'a b "c" 50% é',
  source: '/shop',
  type: 'order.paid',
  subject: 'orders/17',
  time: '2026-01-31T12:00:00Z',
  extensions: { region: 'north "and" south' },
}
const EXPECTED = {
  specversion: '1.0',
  id: ATTRIBUTES.id,
  source: '/shop',
  type: 'order.paid',
  subject: 'orders/17',
  time: ATTRIBUTES.time,
  region: 'north "and" south',
}

for (const { name, entry, folder, program, args, skip } of LANGUAGES)
  test(`a function in ${name} reads an event in either mode, its data by its type`, { skip }, async t => {
    const driver = new Driver(spawnShim(program, args))
    t.after(() => driver.shim.kill())
    const loaded = await driver.load(folder, entry)
    assert.equal(loaded.type, T.LOADED, String(loaded.payload))
    const post = (headers: readonly string[], body: Uint8Array | string): Promise<Answer> => {
      const lines = Array.from(
        { length: headers.length / 2 },
        (_, i) => `${headers[2 * i]}: ${headers[2 * i + 1]}`,
      )
      return driver.answer(driver.call('POST /', { headers: lines, body: Buffer.from(body) }))
    }
    for (const [datacontenttype, sent, read] of [
      ['application/json', '{"total":12}', { total: 12 }],
      ['text/plain', 'twelve', 'twelve'],
      ['application/x-order', Buffer.from([0, 255]), { type: 'Buffer', data: [0, 255] }],
    ] as const) {
      const event = createEvent({ ...ATTRIBUTES, datacontenttype, data: Buffer.from(sent) })
      for (const { headers, body } of [toHttpBinary(event), toStructured(event)]) {
        const answer = await post(headers, body)
        assert.deepEqual(JSON.parse(String(answer.body)), { ...EXPECTED, datacontenttype, data: read })
        assert.equal(answer.headers.includes('x-bytes: true'), typeof sent !== 'string')
      }
    }
    const bare = [
      'ce-specversion',
      '1.0',
      'ce-id',
      '"quoted \\" and 100% sure"',
      'ce-source',
      '/s',
      'ce-type',
      't',
    ]
    assert.deepEqual(JSON.parse(String((await post(bare, '')).body)), {
      specversion: '1.0',
      id: 'quoted " and 100% sure',
      source: '/s',
      type: 't',
    })
    const none = await post(['content-type', 'application/json'], '{"total":12}')
    assert.equal(JSON.parse(String(none.body)), 'none')
    const batch = toBatch([createEvent(ATTRIBUTES)])
    assert.match((await post(batch.headers, batch.body)).fail?.message ?? '', /batch/)
  })
