import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pythonEnvironment } from '../../src/environments/index.ts'
import { runExample } from '../support/doc-example.ts'
import { ServerProcess } from '../support/server-process.ts'
import { qinlingClientMissing } from './qinling-client.ts'

const python = await pythonEnvironment.probe()
const skip = qinlingClientMissing() || (python.ready ? false : python.reason)

test('the session of the page on Qinling runs as it is printed', { skip }, async t => {
  const server = await ServerProcess.start({ flags: ['--dialects', 'qinling:0'] })
  t.after(() => server.dispose())
  const { code, stdout, stderr } = await runExample('dialect-qinling.md', 'session', server.home, {}, [
    ['http://127.0.0.1:1881', server.url],
    ['OS_PASSWORD=…', `OS_PASSWORD='${server.login.password}'`],
  ])
  assert.equal(code, 0, stderr)
  assert.match(stdout, /\{"output": "Hello, Ann!", "duration": [\d.]+\}/)
  assert.match(stdout, /success/)
})
