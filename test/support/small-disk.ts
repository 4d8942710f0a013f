import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A file system of 24 MiB with a place for a home; gone with `using`. `undefined`, and `t` is skipped, where none can be mounted. */
export function mountSmallDisk(t: TestContext): ({ readonly home: string } & Disposable) | undefined {
  if (process.getuid?.() !== 0) {
    t.skip('only root may mount a small file system')
    return undefined
  }
  const place = mkdtempSync(join(tmpdir(), 'atelier-small-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=700', 'tmpfs', place])
  if (mounted.status !== 0) {
    rmSync(place, { recursive: true })
    t.skip('this machine lets nobody mount a tmpfs')
    return undefined
  }
  const dispose = () => {
    spawnSync('umount', [place])
    rmSync(place, { recursive: true, force: true })
  }
  return { home: join(place, 'home'), [Symbol.dispose]: dispose }
}

/** Takes all space that is left; removing the file that it returns gives it back. */
export function fillDisk(home: string): string {
  const filler = join(home, 'filler')
  for (const bytes of [1024 * 1024, 4096])
    for (;;)
      try {
        writeFileSync(filler, Buffer.alloc(bytes), { flag: 'a' })
      } catch {
        break
      }
  return filler
}
