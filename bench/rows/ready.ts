import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { untilReady } from '../platform.ts'
import type { Bench, Row } from '../row.ts'
import { median } from '../statistics.ts'

const STARTS = 3
const root = join(import.meta.dirname, '../..')

export const ready: Row = {
  name: 'ready',
  title: 'From `npm start` to ready, with an empty data directory',
  async run(bench) {
    const firstMs: number[] = []
    const laterMs: number[] = []
    for (let i = 0; i < STARTS; i++) {
      const cache = await temporaryFolder(bench)
      await promisify(execFile)('npm', ['run', 'prepare'], { cwd: root, env: environment(cache) }) // as `npm ci` ends
      firstMs.push(await start(bench, cache))
      laterMs.push(await start(bench, cache))
    }
    return [
      {
        what: 'first start after the install',
        value: median(firstMs),
        unit: 'ms',
        floor: { most: 3_000 },
      },
      { what: 'later starts', value: median(laterMs), unit: 'ms' },
    ]
  },
}

/** Milliseconds until the server says that it is ready; it has ended, and kept what it compiled, when this resolves. */
async function start(bench: Bench, cache: string): Promise<number> {
  const home = await temporaryFolder(bench)
  const startedAt = performance.now()
  const child = spawn('npm', ['start', '--', '--home', home, '--port', '0', '--router-port', '0'], {
    cwd: root,
    env: environment(cache),
    stdio: 'ignore',
    detached: true, // a group of its own: npm does not pass signals on
  })
  let hasEnded = false
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve(void (hasEnded = true))))
  const stop = async () => {
    if (!hasEnded) process.kill(-child.pid!, 'SIGTERM')
    await ended
  }
  bench.after(stop)
  await untilReady(child, home, () => 'run `npm start` to see why')
  const tookMs = performance.now() - startedAt
  await stop()
  return tookMs
}

function environment(cache: string): NodeJS.ProcessEnv {
  return { ...process.env, XDG_CACHE_HOME: cache }
}

async function temporaryFolder(bench: Bench): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-bench-ready-'))
  bench.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}
