import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OwnUrls } from '../../src/server/own-urls.ts'

test('the address of the router that an operator names has no slash at its end', () => {
  const urls = new OwnUrls({ scheme: 'http', host: '127.0.0.1', router: 'https://faas.example/' })
  assert.equal(urls.router, 'https://faas.example')
})
