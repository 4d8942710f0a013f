import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { MARK, skip, Victim } from './fixture.ts'

/** Looks for text in all memory and all files that it can read. The text comes reversed, so that asking is not finding. */
const SEARCH = `
import glob, os

def memory(pid):
    try:
        maps = open(f'/proc/{pid}/maps').read().splitlines()
        file = open(f'/proc/{pid}/mem', 'rb', 0)
    except OSError:
        return
    for line in maps:
        start, end = (int(each, 16) for each in line.split(' ')[0].split('-'))
        if ' r' not in line or '[v' in line or end - start > 1 << 28:
            continue
        try:
            file.seek(start)
            yield f'memory of {pid}: {line}', file.read(end - start)
        except (OSError, ValueError, OverflowError):
            pass

def files():
    for top in ('/tmp', '/dev', '/etc', '/opt', '/function', '/proc/1', '/proc/self', '/var', '/run', '/home', '/root', '/sys'):
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                if name in ('mem', 'pagemap', 'clear_refs', 'random', 'urandom', 'zero', 'full', 'kmsg') or '/fd' in folder:
                    continue
                try:
                    if os.path.islink(path):
                        yield path, os.readlink(path).encode()
                        continue
                    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                    try:
                        yield path, os.read(handle, 1 << 20)
                    finally:
                        os.close(handle)
                except OSError:
                    pass

def main(request):
    backwards = request.headers['x-needles'].split(',')
    found = set()
    places = [each for pid in glob.glob('/proc/[0-9]*') for each in memory(pid[6:])]
    for place, content in [*places, *files()]:
        turned = content[::-1]
        for needle in backwards:
            at = turned.find(needle.encode())
            # Our own copy of the question is the needle as it was asked.
            if at != -1:
                found.add(f'{place[:90]}')
    return '\\n'.join(sorted(found)) + f'\\nlooked at {len(places)}'
`

const LEAVES = `
import os, sys, time
def main(request):
    if request.path == '/leave':
        if os.fork() == 0:
            os.setsid()
            os.execv('/bin/sleep', ['MARKER-' + request.headers['x-marker'], '600'])
        return 'left'
    if request.path == '/write':
        open('/tmp/note', 'w').write('v1')
        open('/dev/shm/note', 'w').write('v1')
        return 'wrote'
    return str(os.path.exists('/tmp/note') or os.path.exists('/dev/shm/note'))
`

describe('a tenant in its sandbox', { skip, timeout: 240_000 }, () => {
  test('finds no secret of the server or of a neighbour, in memory or in files', async t => {
    const victim = await Victim.start(t)
    const evil = await victim.tenant('evil')
    const neighbour = await victim.tenant('neighbour')
    await victim.call(neighbour, 'PUT', '/v1/secrets/KEY', { value: 'neighbours-secret-9f' })
    const settings = { config: { SETTING: 'neighbours-config-3e' }, secrets: ['KEY'] }
    const theirs = await victim.deploy(neighbour, 'shop', {
      code: `def main(request):\n    return 'ok'\n`,
      file: 'main.py',
      settings,
    })
    assert.equal(await (await fetch(theirs)).text(), 'ok')
    const url = await victim.deploy(evil, 'search', {
      code: SEARCH,
      file: 'main.py',
      settings: { limits: { memoryMiB: 512, timeoutMs: 60_000 }, config: { MINE: 'my-own-config-5a' } },
    })
    const admin = JSON.parse(readFileSync(join(victim.home, 'admin.json'), 'utf8')) as { password: string }
    const ask = async (needles: readonly string[]) => {
      const backwards = needles.map(backwardsOf).join()
      return (await fetch(url, { headers: { 'x-needles': backwards } })).text()
    }
    // It does find what is its own: so it would find the others.
    assert.match(await ask(['my-own-config-5a']), /memory of/)
    const secrets = [MARK, 'neighbours-secret-9f', 'neighbours-config-3e', admin.password, victim.admin.token]
    assert.match(await ask(secrets), /^\nlooked at \d\d+$/)
  })

  test('leaves nothing behind: neither processes nor files outlive its instance', async t => {
    const victim = await Victim.start(t)
    const evil = await victim.tenant('evil')
    const url = await victim.deploy(evil, 'leaves', { code: LEAVES, file: 'main.py' })
    const marker = `${process.pid}`
    const running = () =>
      execFileSync('ps', ['axo', 'args'], { encoding: 'utf8' }).includes(`MARKER-${marker}`)
    assert.equal(await (await fetch(`${url}/leave`, { headers: { 'x-marker': marker } })).text(), 'left')
    assert.equal(await (await fetch(`${url}/write`)).text(), 'wrote')
    for (let tries = 0; !running() && tries < 50; tries++) await sleep(100)
    assert.equal(running(), true)
    // A new version runs in new instances; the old one is gone with all that it began.
    await victim.deploy(evil, 'leaves', { code: `${LEAVES}\n# again`, file: 'main.py' })
    assert.equal(await (await fetch(url)).text(), 'False')
    for (let tries = 0; running() && tries < 100; tries++) await sleep(100)
    assert.equal(running(), false)
  })

  test('an answer before the upload is read does not make the server hold the upload', async t => {
    const victim = await Victim.start(t)
    const evil = await victim.tenant('evil')
    const url = await victim.deploy(evil, 'early', {
      code: `export default request => new URL(request.url).pathname === '/never' ? new Promise(() => {}) : 'early'`,
      settings: { limits: { timeoutMs: 8_000 } },
    })
    await (await fetch(url)).text()
    const before = victim.memoryMiB()
    let peak = before
    for (const path of ['', '/never']) {
      const upload = request(url + path, { method: 'POST', headers: { 'content-length': 1 << 30 } })
      upload.on('error', () => {})
      upload.on('response', response => response.resume())
      const piece = Buffer.alloc(1 << 20)
      for (let waited = 0; waited < 4_000; ) {
        if (!upload.destroyed && !upload.writableNeedDrain) upload.write(piece)
        else waited += await sleep(50, 50)
        peak = Math.max(peak, victim.memoryMiB())
      }
      upload.destroy()
    }
    assert.ok(peak - before < 150, `${peak - before} MiB`)
  })

  test('other users of the machine can read nothing of the data directory', async t => {
    const victim = await Victim.start(t)
    assert.equal(lstatSync(victim.home).mode & 0o077, 0)
    for (const name of readdirSync(victim.home)) {
      const { mode } = lstatSync(join(victim.home, name))
      // Not even where somebody opens the directory itself: what holds secrets is closed on its own.
      if (/key|admin|\.db(-wal)?$|packages|run/.test(name)) assert.equal(mode & 0o077, 0, name)
    }
  })
})

/** So that what is searched for is not found in the search itself. */
function backwardsOf(text: string): string {
  return Array.from(text, (_, i) => text.at(-1 - i)).join('')
}
