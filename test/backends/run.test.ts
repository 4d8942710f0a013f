import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { RunSpec } from '../../src/backends/index.ts'
import { type RunParts, runCommand } from '../../src/backends/local/run.ts'
import { AtelierError } from '../../src/core/index.ts'
import { openLocal, unavailable } from './local-fixture.ts'

describe('commands of the builder in a local sandbox', { skip: unavailable() }, () => {
  let fixture: Awaited<ReturnType<typeof openLocal>>
  let workPath: string
  let output: string
  const streams = new Set<string>()
  let count = 0

  before(async () => {
    fixture = await openLocal({})
    workPath = await mkdtemp(join(tmpdir(), 'atelier-work-'))
  })
  after(async () => {
    await fixture?.backend.close()
    await fixture?.dispose()
    await rm(workPath, { recursive: true, force: true })
  })

  const run = (script: string, changes: Partial<RunSpec> = {}, signal = new AbortController().signal) => {
    output = ''
    streams.clear()
    return fixture.backend.run(
      {
        id: `run-${++count}`,
        command: ['/bin/sh', '-c', script],
        env: { STEP: 'one' },
        workPath,
        mounts: [],
        network: 'none',
        limits: fixture.grant.limits,
        diskBytesMax: 20 * 1024 * 1024,
        onOutput: (stream, chunk) => {
          output += Buffer.from(chunk).toString()
          streams.add(stream)
        },
        ...changes,
      },
      signal,
    )
  }

  test('a command writes into its work folder, speaks, and its exit code is told', async () => {
    await writeFile(join(workPath, 'in.txt'), 'source')
    const result = await run(
      'pwd; echo $STEP; cat in.txt > out.txt; mkdir -m 700 deep; echo x > deep/y; exit 3',
    )
    assert.deepEqual(result, { code: 3, signal: undefined, reason: 'exit' }, output)
    assert.equal(output, '/work\none\n')
    assert.deepEqual([...streams], ['stdout'])
    assert.equal(await readFile(join(workPath, 'out.txt'), 'utf8'), 'source')
    assert.equal(await readFile(join(workPath, 'deep/y'), 'utf8'), 'x\n')
  })

  test('a sandbox that bubblewrap could not make is made once more, and no command that ran runs again', async () => {
    const onceThen = (words: string) =>
      `echo >> times; [ $(wc -l < times) = 2 ] || { ${words}; exit 1; }; rm times`
    const complaint = 'echo "bwrap: loopback: Failed RTM_NEWADDR" >&2'
    assert.equal((await run(onceThen(complaint))).code, 0)
    assert.match(output, /^bwrap: loopback/)
    assert.equal((await run(`${complaint}; exit 1`)).code, 1)
    assert.equal((await run(onceThen(`echo begun; ${complaint}`))).code, 1)
    assert.equal((await run(`${complaint}; exit 2`)).code, 2)
    await rm(join(workPath, 'times'))
  })

  test('so is one of which nobody heard before it ended, and only with the words of bubblewrap', async () => {
    for (const { words, tries } of [
      { words: 'bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted', tries: 2 },
      { words: 'the start was given up', tries: 1 },
    ]) {
      let opened = 0
      const open = async (): Promise<never> => {
        opened++
        throw new AtelierError('BACKEND_FAILED', `try ${opened}`, { cause: new Error(words) })
      }
      const parts = {
        cells: { open },
        launcher: { name: 'bubblewrap', complaint: 'bwrap: ' },
        host: { roots: [], etcPath: '/etc', certificatePaths: [] },
        openFilesHard: 1_024,
      } as unknown as RunParts
      const spec = { id: 'r', workPath, mounts: [], limits: fixture.grant.limits, env: {} }
      await assert.rejects(runCommand(spec as unknown as RunSpec, parts, new AbortController().signal), {
        message: `try ${tries}`,
      })
      assert.equal(opened, tries)
    }
  })

  test('what it leaves behind is ours, without setuid bits, and its links change nothing elsewhere', async t => {
    if (process.getuid?.() !== 0) return t.skip('not root: files are ours anyway')
    const outside = join(fixture.home, 'outside')
    await writeFile(outside, 'not yours')
    await chmod(outside, 0o600)
    await symlink(outside, join(workPath, 'before'))
    await run(`ln -s ${outside} after; cp /bin/true suid; chmod 4755 suid; ln -s / root`)
    assert.equal((await stat(outside)).mode & 0o777, 0o600)
    assert.equal((await stat(outside)).uid, 0)
    const left = await stat(join(workPath, 'suid'))
    assert.equal(left.uid, 0)
    assert.equal(left.mode & 0o6000, 0)
  })

  test('read-only mounts are read-only, writable ones are written', async () => {
    for (const name of ['cache', 'tool']) await mkdir(join(fixture.home, name))
    const mounts = [
      { source: join(fixture.home, 'cache'), target: '/cache', writable: true },
      { source: join(fixture.home, 'tool'), target: '/opt/tool', writable: false },
    ]
    const result = await run('echo kept > /cache/file; touch /opt/tool/file && exit 9; exit 0', { mounts })
    assert.equal(result.code, 0)
    assert.equal(await readFile(join(fixture.home, 'cache/file'), 'utf8'), 'kept\n')
  })

  test('a command past its time is ended', async () => {
    const limits = { ...fixture.grant.limits, timeoutMs: 200 }
    assert.equal((await run('sleep 60 & setsid sleep 60', { limits })).reason, 'timeout')
    assert.equal(await fixture.backend.sweep(), 0)
  })

  test('a cancelled command is ended', async () => {
    const cancel = new AbortController()
    const result = await run('echo started; sleep 60', { onOutput: () => cancel.abort() }, cancel.signal)
    assert.equal(result.reason, 'cancelled')
  })

  test('a command that fills the disk is ended, by one large file or by many small ones', async () => {
    const many = 'i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > f$i; sleep 0.01; done'
    assert.equal((await run(many)).reason, 'disk')
    await rm(workPath, { recursive: true })
    await mkdir(workPath)
    const large = await run('head -c 100000000 /dev/zero > large; stat -c %s large')
    assert.notEqual(large.code === 0 && /100000000/.test(output), true)
    const source = await mkdtemp(join(fixture.home, 'remembered-'))
    const mounts = [{ source, target: '/cache', writable: true }]
    assert.equal((await run(`cd /cache; ${many}`, { mounts })).reason, 'disk')
    await rm(workPath, { recursive: true })
    await mkdir(workPath)
  })

  test('a command that takes too much memory is ended', async () => {
    const limits = { ...fixture.grant.limits, memoryMiB: 48 }
    const script = 'exec /usr/bin/python3 -c "x = []\nwhile True: x.append(bytearray(1 << 20))"'
    assert.equal((await run(script, { limits })).reason, 'memory')
  })

  test('a command that does not exist tells so', async () => {
    const result = await run('', { command: ['/usr/bin/no-such-program'] })
    assert.ok(result.code !== 0)
    assert.match(output, /no-such-program/)
  })
})
