import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../core/index.ts'

const LOOK_EVERY_MS_MIN = 250
const LOOK_SHARE_MAX = 4 // looking takes at most a fifth of the time, however many files there are
const BLOCK_BYTES = 512
/** Files and folders count as well: a million empty ones fill a disk's table of files. */
const FILES_MAX = 300_000

/** Calls `onExcess` once when the folders together hold more than `bytesMax` bytes or 300,000 files. Looks every so often. */
export function watchDisk(
  paths: readonly string[],
  bytesMax: number,
  clock: Clock,
  onExcess: () => void,
): { stop(): void } {
  let stopped = false
  let cancel = () => {}
  const look = async () => {
    const began = clock.monotonic()
    const { bytes, files } = await measure(paths, bytesMax)
    if (stopped) return
    if (bytes > bytesMax || files > FILES_MAX) return onExcess()
    const tookMs = clock.monotonic() - began
    cancel = clock.after(Math.max(LOOK_EVERY_MS_MIN, tookMs * LOOK_SHARE_MAX), () => void look())
  }
  void look()
  return {
    stop: () => {
      stopped = true
      cancel()
    },
  }
}

async function measure(
  paths: readonly string[],
  bytesMax: number,
): Promise<{ bytes: number; files: number }> {
  let bytes = 0
  let files = 0
  const folders = [...paths]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    try {
      for await (const entry of await opendir(folder)) {
        files++
        if (entry.isDirectory()) folders.push(join(folder, entry.name))
        // Blocks, not length: a hole takes no space.
        const { blocks } = await lstat(join(folder, entry.name))
        bytes += blocks * BLOCK_BYTES
        if (bytes > bytesMax || files > FILES_MAX) return { bytes, files }
      }
    } catch {
      // It is being changed while we look; the next look sees what it has become.
    }
  }
  return { bytes, files }
}
