import { readdir, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { AtelierError } from '../../core/index.ts'

/** The one file of a package that says which image it is, and is no code. */
const NOTE = 'image.json'
const CODE = '/function'

/** A folder or file of this machine that a container sees read-only. */
export interface BundleMount {
  readonly source: string
  readonly target: string
}

/**
 * Where a container finds the code that was deployed with its image. `links`: as in `ProcessSpec`. Nothing where the image came alone: what
 * it has at these places is its own.
 */
export async function bundleMounts(
  bundlePath: string,
  links: readonly { readonly path: string; readonly target: string }[],
): Promise<readonly BundleMount[]> {
  if (links.length === 0) return []
  const files = await readdir(bundlePath)
  if (files.length === 1 && files[0] === NOTE) return []
  const root = await realpath(bundlePath)
  return Promise.all(
    links.map(async ({ path, target }) => {
      const inside = target.slice(CODE.length)
      const source = await realpath(join(root, inside)).catch(() => undefined)
      // The engine follows links as root of this machine: one that leads out of the bundle would show whatever it names.
      if (source !== undefined && (source === root || source.startsWith(root + sep)))
        return { source, target: path }
      throw new AtelierError(
        'FUNCTION_LOAD_FAILED',
        `The package of the function has no file or folder "${inside.slice(1)}" (contract: code).`,
      )
    }),
  )
}
