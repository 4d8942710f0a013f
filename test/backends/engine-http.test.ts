import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { HeldContainer } from '../../src/backends/container/held.ts'
import { EngineHttp } from '../../src/backends/container/http.ts'
import type { Sandbox, SandboxExit } from '../../src/backends/index.ts'

test('what an engine says is read whole where a piece of it ends within a character', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-engine-'))
  const path = join(folder, 'engine.sock')
  const server = createServer((_request, response) => {
    const said = Buffer.from('{"message":"Größe"}')
    const within = said.indexOf('ö') + 1
    response.write(said.subarray(0, within))
    setTimeout(() => response.end(said.subarray(within)), 20)
  })
  await new Promise<void>(resolve => server.listen(path, resolve))
  const http = new EngineHttp(path)
  t.after(async () => {
    http.close()
    server.close()
    await rm(folder, { recursive: true, force: true })
  })
  assert.deepEqual((await http.ask('GET', '/x')).json, { message: 'Größe' })
  const values: unknown[] = []
  for await (const value of http.lines('GET', '/x')) values.push(value)
  assert.deepEqual(values, [{ message: 'Größe' }])
})

test('output that breaks off before its container has ended is told by its exit alone', async () => {
  const exit: SandboxExit = { code: 1, signal: undefined, reason: 'exit', tail: '' }
  const { promise: exited, resolve: end } = Promise.withResolvers<SandboxExit>()
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const made = { stdout, stderr, stdin: undefined, exited } as unknown as Sandbox
  const held = new HeldContainer('i', async () => made)
  held.begin({})
  await new Promise(resolve => setImmediate(resolve))
  stdout.destroy(new Error('the connection broke'))
  stderr.end()
  // A rejection that nobody hears would end the process by now.
  await new Promise(resolve => setTimeout(resolve, 20))
  end(exit)
  assert.deepEqual(await held.exited, exit)
})
