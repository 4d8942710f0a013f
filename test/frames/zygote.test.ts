import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sandboxMounts } from '../../src/backends/local/policy.ts'
import { ZygoteLauncher } from '../../src/backends/local/zygote.ts'
import { framesContract } from '../../src/contracts/index.ts'
import { pythonEnvironment } from '../../src/environments/index.ts'
import { loadSpec, recorder } from './peer.ts'

const status = await pythonEnvironment.probe()
const root = process.getuid?.() === 0
const skip = !root ? 'needs root' : status.ready ? false : status.reason

test('instances that are forked from the zygote speak frames, each for itself', { skip }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-zygote-frames-'))
  mkdirSync(join(folder, 'etc'))
  cpSync(join(import.meta.dirname, '../fixtures/frames/python'), join(folder, 'suite'), { recursive: true })
  const launcher = new ZygoteLauncher(status.ready ? (status.launch.zygote?.command ?? []) : [], folder)
  t.after(() => {
    launcher.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const host = {
    roots: ['bin', 'lib', 'lib64'].map(name => ({ target: `/${name}`, linkTo: `usr/${name}` })),
    etcPath: join(folder, 'etc'),
    certificatePaths: [],
  }
  const children = await Promise.all(
    [1, 2, 3].map(async number => {
      const launched = await launcher.launch(
        {
          id: `child-${number}`,
          command: [],
          env: { HOME: '/tmp' },
          directory: '/tmp',
          hostname: 'instance',
          mounts: sandboxMounts(host, { kind: 'function', bundlePath: join(folder, 'suite') }, [], 16),
          identity: { kind: 'own', uid: 61_800 + number },
          rlimits: { openFiles: 128, processes: 32, fileBytes: undefined },
          seccompPath: undefined,
          channel: true,
          beforeStart: () => undefined,
        },
        AbortSignal.timeout(20_000),
      )
      assert.ok(launched.channel)
      const link = framesContract
        .prepare()
        .open({ channel: launched.channel }, { onLog: () => {}, onClose: () => {} })
      await link.ready
      const entry = number === 3 ? 'suite_async' : 'suite'
      await link.load({ ...loadSpec, entry, config: { GREETING: `to ${number}` }, secrets: { KEY: 'k' } })
      return { number, link, exited: launched.exited }
    }),
  )
  for (const { number, link, exited } of children) {
    const sink = recorder()
    const deadline = Date.now() + 10_000
    link.invoke({ id: 'i', method: 'GET', target: '/env', headers: [], deadline, body: null }, sink)
    await sink.over
    assert.equal((JSON.parse(String(sink.said[1]?.[1])) as { greeting: string }).greeting, `to ${number}`)
    link.drain()
    assert.equal((await exited).code, 0)
  }
})
