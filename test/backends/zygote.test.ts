import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { LaunchSpec } from '../../src/backends/local/launcher.ts'
import { sandboxMounts } from '../../src/backends/local/policy.ts'
import { ZygoteLauncher } from '../../src/backends/local/zygote.ts'

const PYTHON = '/usr/bin/python3'
const ZYGOTE = join(import.meta.dirname, '../../src/environments/python/zygote.py')
const skip = process.getuid?.() !== 0 ? 'needs root' : !existsSync(PYTHON) ? `${PYTHON} is missing` : false

/** A shim that answers each line on the channel with what the Python in it evaluates to. */
const SHIM = `
import json, os, socket, sys
def preload(): pass
def main(channel):
    print('out', flush=True)
    print('err', file=sys.stderr, flush=True)
    file = channel.makefile('rw')
    for line in file:
        try:
            value = eval(line)
        except BaseException as error:
            value = type(error).__name__ + ': ' + str(error)
        file.write(json.dumps(value) + '\\n')
        file.flush()
    os._exit(7)
`

interface Child {
  readonly pid: number
  ask(expression: string): Promise<unknown>
  end(): void
  readonly exited: Promise<{ code: number | undefined; signal: string | undefined }>
  readonly output: () => string
}

async function launcherFor(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-zygote-test-'))
  copyFileSync(ZYGOTE, join(folder, 'zygote.py'))
  writeFileSync(join(folder, 'shim.py'), SHIM)
  const bundles = join(folder, 'bundles')
  mkdirSync(join(bundles, 'mine'), { recursive: true })
  writeFileSync(join(bundles, 'mine', 'code.txt'), 'mine')
  mkdirSync(join(folder, 'etc'))
  writeFileSync(join(folder, 'etc', 'hosts'), '127.0.0.1 localhost\n')
  chmodSync(folder, 0o700)
  const launcher = new ZygoteLauncher([PYTHON, '-I', '-B', join(folder, 'zygote.py')], folder)
  t.after(() => {
    launcher.close()
    rmSync(folder, { recursive: true, force: true })
  })
  let count = 0
  const launch = async (over: Partial<LaunchSpec> = {}): Promise<Child> => {
    const id = `t${++count}`
    const mounts = sandboxMounts(
      {
        roots: ['bin', 'lib', 'lib64'].map(name => ({ target: `/${name}`, linkTo: `usr/${name}` })),
        etcPath: join(folder, 'etc'),
        certificatePaths: [],
      },
      { kind: 'function', bundlePath: join(bundles, 'mine') },
      [],
      16,
    )
    const launched = await launcher.launch(
      {
        id,
        command: [],
        env: { HELLO: 'there' },
        directory: '/function',
        hostname: 'instance',
        mounts,
        identity: { kind: 'own', uid: 61_900 + count },
        rlimits: { openFiles: 128, processes: 32, fileBytes: undefined },
        seccompPath: undefined,
        channel: true,
        beforeStart: () => undefined,
        ...over,
      },
      AbortSignal.timeout(20_000),
    )
    const { channel } = launched
    assert.ok(channel)
    let output = ''
    launched.stdout.on('data', chunk => (output += String(chunk)))
    launched.stderr.on('data', chunk => (output += String(chunk)))
    let waiting = ''
    const answers: ((value: unknown) => void)[] = []
    channel.on('data', chunk => {
      waiting += String(chunk)
      for (let at = waiting.indexOf('\n'); at >= 0; at = waiting.indexOf('\n')) {
        answers.shift()?.(JSON.parse(waiting.slice(0, at)))
        waiting = waiting.slice(at + 1)
      }
    })
    return {
      pid: launched.pid,
      ask: expression => new Promise(resolve => (answers.push(resolve), channel.write(`${expression}\n`))),
      end: () => channel.end(),
      exited: launched.exited,
      output: () => output,
    }
  }
  return { launch, launcher }
}

test('a forked child is in a sandbox of its own and has no privilege left', { skip }, async t => {
  const { launch } = await launcherFor(t)
  const child = await launch()
  assert.deepEqual(await child.ask('sorted(os.listdir("/"))'), [
    'bin',
    'dev',
    'etc',
    'function',
    'lib',
    'lib64',
    'proc',
    'tmp',
    'usr',
  ])
  assert.deepEqual(await child.ask('os.listdir("/function")'), ['code.txt'])
  assert.deepEqual(await child.ask('[os.getuid(), os.getgid(), os.getgroups()]'), [61_901, 61_901, []])
  assert.deepEqual(await child.ask('dict(os.environ)'), { HELLO: 'there' })
  assert.equal(await child.ask('socket.gethostname()'), 'instance')
  const status = String(await child.ask('open("/proc/self/status").read()'))
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
    assert.match(status, new RegExp(`${set}:\\s+0{16}`), set)
  assert.match(status, /NoNewPrivs:\s+1/)
  assert.deepEqual(await child.ask('sorted(map(int, filter(str.isdigit, os.listdir("/proc"))))'), [1, 2])
  assert.deepEqual(await child.ask('sorted(os.listdir("/proc/self/fd"))'), ['0', '1', '2', '3', '4'])
  assert.deepEqual(
    await child.ask('os.listdir("/sys/class/net") if os.path.exists("/sys") else "no /sys"'),
    'no /sys',
  )
  assert.match(String(await child.ask('open("/function/x", "w")')), /Read-only file system/)
  assert.match(String(await child.ask('open("/usr/x", "w")')), /Permission denied|Read-only file system/)
  assert.match(String(await child.ask('open("/x", "w")')), /Permission denied|Read-only file system/)
  assert.match(String(await child.ask('os.kill(1, 9)')), /None|null|Operation not permitted/)
  assert.equal(await child.ask('open("/tmp/x", "w").write("fine")'), 4)
  assert.match(String(await child.ask('open("/tmp/y", "w").write("x" * (17 << 20))')), /No space left/)
  assert.match(child.output(), /out\n/)
  assert.match(child.output(), /err\n/)
})

test('children do not see each other', { skip }, async t => {
  const { launch } = await launcherFor(t)
  const [one, two] = await Promise.all([launch(), launch()])
  await one.ask('open("/tmp/mark", "w").write("one")')
  assert.equal(await two.ask('os.path.exists("/tmp/mark")'), false)
  assert.notEqual(await one.ask('os.getuid()'), await two.ask('os.getuid()'))
  await one.ask('[globals().update(l=socket.create_server(("127.0.0.1", 8099))), 1][1]')
  assert.match(String(await two.ask('socket.create_connection(("127.0.0.1", 8099), 1)')), /refused/)
})

test('the child waits until the host has taken care of it, and its end is told', { skip }, async t => {
  const { launch } = await launcherFor(t)
  let seen = ''
  const child = await launch({
    beforeStart: pid => {
      seen = execFileSync('readlink', [`/proc/${pid}/ns/pid`], { encoding: 'utf8' })
    },
  })
  assert.notEqual(seen, execFileSync('readlink', ['/proc/self/ns/pid'], { encoding: 'utf8' }))
  child.end()
  assert.deepEqual(await child.exited, { code: 7, signal: undefined })
})

test('when the zygote dies its children die, and the next launch has a new one', { skip }, async t => {
  const { launch, launcher } = await launcherFor(t)
  const child = await launch()
  launcher.close()
  await child.exited
  for (let i = 0; i < 100 && existsSync(`/proc/${child.pid}`); i++)
    await new Promise(resolve => setTimeout(resolve, 20))
  assert.equal(existsSync(`/proc/${child.pid}`), false)
  const next = await launch()
  assert.equal(await next.ask('1 + 1'), 2)
})

test('a sandbox that cannot be made is an error that leaves nothing behind', { skip }, async t => {
  const { launch } = await launcherFor(t)
  const child = await launch({
    mounts: [{ kind: 'bind', source: '/does/not/exist', target: '/x', writable: false }],
  })
  assert.deepEqual(await child.exited, { code: 70, signal: undefined })
  assert.match(child.output(), /the sandbox could not be made: .*does\/not\/exist/)
})
