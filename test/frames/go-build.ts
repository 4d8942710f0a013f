import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Compiled packages of all tests: the standard library is compiled once. */
const CACHE = join(tmpdir(), 'atelier-test-go-cache')

/** Runs the builder's program for Go without a sandbox, and without the network. */
export function goBuild(folder: string, entry: string): { status: number | null; output: string } {
  const program = join(import.meta.dirname, '../../src/environments/go/build.mjs')
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [program, 'compile', folder, entry, '.atelier/function'],
    {
      encoding: 'utf8',
      env: {
        ...process.env,
        PATH: `/usr/local/go/bin:${process.env['PATH'] ?? ''}`,
        ATELIER_CACHE: CACHE,
        GOTOOLCHAIN: 'local',
      },
    },
  )
  return { status, output: stdout + stderr }
}
