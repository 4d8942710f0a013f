import assert from 'node:assert/strict'
import { existsSync, globSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Backend, type Grant, type Launch, openLocalBackend } from '../../src/backends/index.ts'
import { systemClock } from '../../src/core/index.ts'
import { type BackendFixture, GRANT_LIMITS } from '../suites/backend.ts'

/** Why the local backend cannot be tried here. */
export function unavailable(): string | false {
  return existsSync('/usr/bin/bwrap') ? false : 'bubblewrap is not installed'
}

/** Why gVisor cannot be tried here. */
export function noGvisor(): string | false {
  return existsSync('/usr/bin/runsc') || existsSync('/usr/local/bin/runsc') ? false : 'runsc is not installed'
}

/** The file of tests of this folder that has a name, whether it counts as slow or not: for who runs it as somebody else. */
export function testFile(name: string): string {
  const [file, ...more] = globSync(`${name}{,.slow}.test.ts`, { cwd: import.meta.dirname })
  assert.ok(file !== undefined && more.length === 0, `one file of tests is called "${name}"`)
  return join(import.meta.dirname, file)
}

/** Sends back what comes over the channel, for the suite. */
export const ECHO: Launch = {
  environment: 'echo',
  command: ['/bin/sh', '-c', 'exec cat <&3 >&3'],
  env: {},
  mounts: [],
}

/** A local backend below a folder that nobody else may enter, with two bundles. */
export async function openLocal(options: {
  isolation?: 'bubblewrap' | 'unshare' | 'none'
}): Promise<BackendFixture & { readonly backend: Backend; readonly home: string; readonly other: Grant }> {
  const home = await mkdtemp(join(tmpdir(), 'atelier-backend-'))
  const bundlesPath = join(home, 'bundles')
  for (const name of ['bundle-one', 'bundle-two']) {
    await mkdir(join(bundlesPath, name), { recursive: true })
    await writeFile(join(bundlesPath, name, 'name.txt'), name)
  }
  const backend = await openLocalBackend({
    runPath: join(home, 'run'),
    bundlesPath,
    isolation: options.isolation ?? 'auto',
    clock: systemClock,
  })
  const grant = (name: string): Grant => ({
    bundlePath: join(bundlesPath, name),
    limits: GRANT_LIMITS,
    network: 'none',
  })
  return {
    backend,
    home,
    echo: ECHO,
    grant: grant('bundle-one'),
    other: grant('bundle-two'),
    dispose: () => rm(home, { recursive: true, force: true }),
  }
}
