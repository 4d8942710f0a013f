import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAddressPolicy } from '../../src/core/index.ts'

test('this machine, link-local and metadata addresses are denied, in whatever notation', () => {
  const policy = createAddressPolicy()
  for (const address of [
    '127.0.0.1',
    '127.8.9.10',
    '0.0.0.0',
    '169.254.169.254',
    '100.100.100.200',
    '224.0.0.1',
    '::1',
    '::',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::FFFF:A9FE:A9FE',
    '::7f00:1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::7f00:1',
    'fe80::1%eth0',
    'ff02::1',
    '[::1]',
  ])
    assert.equal(policy.allows(address), false, address)
})

test('private and public networks are allowed: that is where brokers live', () => {
  const policy = createAddressPolicy()
  for (const address of [
    '10.1.2.3',
    '192.168.0.5',
    '172.16.9.9',
    '8.8.8.8',
    'fd12::1',
    '2001:db8::1',
    '::ffff:10.0.0.1',
  ])
    assert.equal(policy.allows(address), true, address)
})

test('what is no address is denied', () => {
  for (const name of ['', 'localhost', '1.2.3', '127.1', '0x7f000001', '2130706433'])
    assert.equal(createAddressPolicy().allows(name), false, name)
})

test('the operator denies more, and an allowed network wins', () => {
  const policy = createAddressPolicy({
    allow: ['127.0.0.0/8', '10.0.5.1'],
    deny: ['10.0.0.0/16', 'fd00::/8'],
  })
  assert.equal(policy.allows('127.0.0.1'), true)
  assert.equal(policy.allows('10.0.5.1'), true)
  assert.equal(policy.allows('10.0.5.2'), false)
  assert.equal(policy.allows('fd00::2'), false)
  assert.equal(policy.allows('10.1.0.1'), true)
  assert.equal(policy.allows('::1'), false)
})

test('where this machine is allowed, what the operator denies stays denied', () => {
  const policy = createAddressPolicy({ local: true, deny: ['10.0.0.0/16', '::1'] })
  assert.equal(policy.allows('127.0.0.1'), true)
  assert.equal(policy.allows('10.0.5.2'), false)
  assert.equal(policy.allows('::1'), false)
  assert.equal(policy.allows('no address'), false)
})

test('a network that is none is refused by name', () => {
  for (const network of ['10.0.0.0/33', 'localhost', '10.0.0.0/8/9', '10.0.0.0/', '::/129', '10.0.0.0/-1'])
    assert.throws(() => createAddressPolicy({ allow: [network] }), new RegExp(network.replaceAll('/', '\\/')))
})
