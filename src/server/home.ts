import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AtelierError } from '../core/index.ts'

/** The data directory: what lies where. Everything in it belongs to the server's user alone. */
export interface Home {
  readonly path: string
  readonly databasePath: string
  /** Packages, bundles and caches of the builder. */
  readonly packagesPath: string
  /** What must not outlive the process: sockets, instances. */
  readonly runPath: string
  readonly secretKeyPath: string
  readonly adminPath: string
}

/** Makes the data directory (0700) if it is not there. */
export function openHome(path: string): Home {
  const home: Home = {
    path,
    databasePath: join(path, 'atelier.db'),
    packagesPath: join(path, 'packages'),
    runPath: join(path, 'run'),
    secretKeyPath: join(path, 'secret.key'),
    adminPath: join(path, 'admin.json'),
  }
  try {
    for (const folder of [path, home.packagesPath, home.runPath])
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(path, 0o700)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    throw new AtelierError(
      'UNAVAILABLE',
      `The data directory ${path} cannot be used (${code}). Name another with --home.`,
      {
        cause,
      },
    )
  }
  return home
}

/** What the command line on this machine logs in with. */
export interface AdminFile {
  readonly url: string
  readonly routerUrl: string
  readonly user: string
  readonly password: string
  readonly project: string
}

/**
 * Writes the login of the first administrator (0600), or brings the addresses in it up to date. Without a `password` and
 * without a file nothing is written: the administrator has taken it away.
 */
export function writeAdminFile(
  home: Home,
  facts: Omit<AdminFile, 'password'>,
  password: string | undefined,
): void {
  const before = existsSync(home.adminPath) ? readAdminFile(home) : undefined
  const known = password ?? before?.password
  if (known === undefined) return
  const next: AdminFile = { ...facts, password: known }
  const partial = `${home.adminPath}.new`
  writeFileSync(partial, `${JSON.stringify(next, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(partial, home.adminPath)
}

function readAdminFile(home: Home): AdminFile | undefined {
  try {
    return JSON.parse(readFileSync(home.adminPath, 'utf8')) as AdminFile
  } catch {
    return undefined // not ours any more: it is written anew only with a fresh password
  }
}
