import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverFlags } from '../../../src/cli/commands/picasso-api.ts'

test('what Picasso’s operators say becomes what our server is told', () => {
  const said: Record<string, string> = {
    host: '10.0.0.1',
    port: '10501',
    'db-uri': 'mysql+pymysql://root:root@db/functions',
    'functions-url': 'http://10.0.0.2:8080/v1',
    'log-level': 'WARNING',
    'log-file': '/var/log/picasso.log',
  }
  assert.deepEqual(
    serverFlags(name => said[name], false),
    {
      host: '10.0.0.1',
      dialects: 'picasso:10501',
      'db-uri': 'mysql+pymysql://root:root@db/functions',
      'picasso-functions-url': 'http://10.0.0.2:8080/v1',
      'log-level': 'warn',
      'log-file': '/var/log/picasso.log',
    },
  )
})

test('nothing said is Picasso’s own place, and our engine and files', () => {
  const flags = serverFlags(() => undefined, true)
  assert.deepEqual(Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)), {
    host: '0.0.0.0',
    dialects: 'picasso:10001',
    'log-level': 'debug',
  })
})
