import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import type { Backend, Grant, Launch, Sandbox } from '../../src/backends/index.ts'
import { LIMITS_DEFAULT } from '../../src/core/index.ts'

/** What a backend needs to be tested: itself, a program that echoes its channel, and a bundle to grant. */
export interface BackendFixture {
  readonly backend: Backend
  readonly echo: Launch
  readonly grant: Grant
  dispose(): Promise<void>
}

/** The promises of the Backend interface, for any backend. */
export function backendSuite(
  name: string,
  open: () => Promise<BackendFixture>,
  options: { skip?: string | false } = {},
): void {
  describe(`backend ${name}`, { skip: options.skip ?? false }, () => {
    let fixture: BackendFixture
    let count = 0
    const never = new AbortController().signal
    const start = (grant?: Grant): Promise<Sandbox> =>
      fixture.backend.start(
        { id: `suite-${++count}`, launch: fixture.echo, ...(grant ? { grant } : {}) },
        never,
      )

    before(async () => {
      fixture = await open()
    })
    after(async () => {
      await fixture?.backend.close()
      await fixture?.dispose()
    })

    test('a started sandbox carries bytes both ways over its channel', async () => {
      const sandbox = await start()
      assert.equal(await roundTrip(sandbox.channel, 'hello\n'), 'hello\n')
      await sandbox.kill()
    })

    test('a sandbox that is killed exits as killed, and killing it twice is fine', async () => {
      const sandbox = await start()
      await roundTrip(sandbox.channel, 'up\n')
      await Promise.all([sandbox.kill(), sandbox.kill()])
      assert.equal((await sandbox.exited).reason, 'killed')
      await sandbox.kill()
    })

    test('the channel of a killed sandbox ends', async () => {
      const sandbox = await start()
      const closed = once(sandbox.channel, 'close')
      sandbox.channel.resume()
      await sandbox.kill()
      await closed
    })

    test('a generic sandbox takes one grant and refuses a second', async () => {
      const sandbox = await start()
      await sandbox.attach(fixture.grant)
      await assert.rejects(sandbox.attach(fixture.grant), { code: 'BACKEND_FAILED' })
      assert.equal(await roundTrip(sandbox.channel, 'still here\n'), 'still here\n')
      await sandbox.kill()
    })

    test('a sandbox started with its grant refuses another', async () => {
      const sandbox = await start(fixture.grant)
      await assert.rejects(sandbox.attach(fixture.grant), { code: 'BACKEND_FAILED' })
      await sandbox.kill()
    })

    test('an aborted start rejects and leaves nothing behind', async () => {
      const given = new AbortController()
      given.abort(new Error('enough'))
      await assert.rejects(
        fixture.backend.start({ id: 'suite-aborted', launch: fixture.echo }, given.signal),
        {
          code: 'BACKEND_FAILED',
        },
      )
      assert.equal(await fixture.backend.sweep(), 0)
    })

    test('usage is a set of numbers while it runs and after it is gone', async () => {
      const sandbox = await start(fixture.grant)
      await roundTrip(sandbox.channel, 'up\n')
      sandbox.resetPeak()
      for (const figure of Object.values(sandbox.usage())) assert.ok(Number.isFinite(figure) && figure >= 0)
      await sandbox.kill()
      for (const figure of Object.values(sandbox.usage())) assert.ok(Number.isFinite(figure) && figure >= 0)
    })

    test('twenty sandboxes started at once all answer and all go', async () => {
      const sandboxes = await Promise.all(Array.from({ length: 20 }, () => start()))
      const answers = await Promise.all(sandboxes.map((s, i) => roundTrip(s.channel, `number ${i}\n`)))
      assert.deepEqual(
        answers,
        sandboxes.map((_, i) => `number ${i}\n`),
      )
      await Promise.all(sandboxes.map(s => s.kill()))
      assert.equal(await fixture.backend.sweep(), 0)
    })

    test('a closed backend has killed what ran and starts nothing more', async () => {
      const own = await open()
      const sandbox = await own.backend.start({ id: 'suite-last', launch: own.echo }, never)
      await own.backend.close()
      assert.equal((await sandbox.exited).reason, 'killed')
      await assert.rejects(own.backend.start({ id: 'suite-late', launch: own.echo }, never), {
        code: 'BACKEND_FAILED',
      })
      await own.dispose()
    })

    test('the limits it was granted are honest in its capabilities', () => {
      const { tier, notes, seccomp } = fixture.backend.capabilities()
      assert.ok(notes.length > 0, 'people are told how code is held')
      if (tier === 'none') assert.equal(seccomp, false)
    })
  })
}

export const GRANT_LIMITS = { ...LIMITS_DEFAULT, timeoutMs: 10_000 }

/** Sends `text` and resolves with as many characters as come back. */
export async function roundTrip(channel: Duplex, text: string): Promise<string> {
  channel.write(text)
  let answer = ''
  while (answer.length < text.length) {
    const piece: unknown = channel.read()
    if (piece === null) await once(channel, 'readable')
    else answer += String(piece)
  }
  return answer
}
