import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { skip, Victim } from './fixture.ts'

/** Speaks frames over the shim's head: whatever the contract says, this says otherwise. */
const HOSTILE = `
import os, struct, threading, time
calls = 0
lock = threading.Lock()

def frame(type, flags, call, payload=b''):
    return struct.pack('>IBBI', len(payload), type, flags, call) + payload

def send(data):
    with lock:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(3, view[: 1 << 20]):]
            except BlockingIOError:
                time.sleep(0.001)

def result(me, head=b'200', flags=0):
    send(frame(17, flags, me, struct.pack('>I', len(head)) + head))

def crumbs(me):
    result(me)
    for _ in range(262):
        send(frame(18, 0, me, b'x') * 1000)

def names(me):
    result(me, b'200\\n' + b'\\n'.join(b'a%d: b' % i for i in range(80_000)), 1)

def main(request):
    global calls
    with lock:
        calls += 1
        me = calls
    attack = globals().get(request.path.strip('/'))
    if attack is None:
        return 'ready'
    attack(me)
    time.sleep(20)
`

describe('a function that floods the server hurts itself', { skip, timeout: 240_000 }, () => {
  /** A server with a hostile function of `concurrency`, and an honest one beside it. */
  async function scene(t: TestContext, concurrency = 1) {
    const victim = await Victim.start(t)
    const evil = await victim.tenant('evil')
    const honest = await victim.deploy(victim.admin, 'honest', { code: `export default () => 'fine'` })
    const settings = { limits: { timeoutMs: 25_000, concurrency, memoryMiB: 256 } }
    const hostile = await victim.deploy(evil, 'flood', { code: HOSTILE, file: 'main.py', settings })
    assert.equal(await (await fetch(honest)).text(), 'fine')
    return { victim, honest, hostile: new URL(hostile) }
  }

  /** A client that asks and never reads. */
  async function ask(t: TestContext, address: URL, path: string): Promise<void> {
    const socket = connect(Number(address.port), address.hostname)
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    socket.pause()
    await once(socket, 'connect')
    socket.write(`GET ${address.pathname}/${path} HTTP/1.1\r\nHost: ${address.host}\r\n\r\n`)
  }

  async function peakMiB(victim: Victim, ms: number): Promise<number> {
    let peak = 0
    for (let waited = 0; waited < ms; waited += 100) {
      await sleep(100)
      peak = Math.max(peak, victim.memoryMiB())
    }
    return peak
  }

  test('answers in single bytes that nobody reads do not fill its memory', async t => {
    const { victim, hostile } = await scene(t, 12)
    const before = victim.memoryMiB()
    for (let call = 0; call < 12; call++) {
      await ask(t, hostile, 'crumbs')
      await sleep(300)
    }
    const grown = (await peakMiB(victim, 6_000)) - before
    assert.ok(victim.isAlive)
    assert.ok(grown < 300, `12 unread answers cost ${grown} MiB`)
  })

  test('eighty thousand headers are no answer', async t => {
    const { honest, hostile } = await scene(t)
    const answer = await fetch(`${hostile.href}/names`)
    assert.equal(answer.status, 502)
    assert.equal(await (await fetch(honest)).text(), 'fine')
  })
})
