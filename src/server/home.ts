import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { AtelierError } from '../core/index.ts'
import type { EmbeddedIdentity } from '../identity/index.ts'

/** The data directory: what lies where. Everything in it belongs to the server's user alone. */
export interface Home {
  readonly path: string
  readonly databasePath: string
  /** Records and logs of calls: a folder for each project. */
  readonly telemetryPath: string
  /** Where an earlier version kept them. */
  readonly earlierTelemetryPath: string
  /** Calls and messages that outlive their caller: a file of its own, since it is written at the rate of calls. */
  readonly eventsPath: string
  /** Packages, bundles and caches of the builder. */
  readonly packagesPath: string
  /** Runnable bundles, a folder each: where the builder puts them and sandboxes see them. */
  readonly bundlesPath: string
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
    telemetryPath: join(path, 'telemetry'),
    earlierTelemetryPath: join(path, 'telemetry.db'),
    eventsPath: join(path, 'events.db'),
    packagesPath: join(path, 'packages'),
    bundlesPath: join(path, 'packages', 'bundles'),
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

/** Makes the first login where there is none, and leaves it in the data directory. The addresses follow when they are known. */
export async function makeFirstLogin(
  identity: Pick<EmbeddedIdentity, 'bootstrap'>,
  home: Home,
): Promise<void> {
  let isWritten = false
  const isFirst = await identity.bootstrap(async login => {
    writeAdminFile(home, { url: '', routerUrl: '', ...login })
    isWritten = true
  })
  // Another node was faster: its login is the one that counts.
  if (isWritten && !isFirst) rmSync(home.adminPath, { force: true })
}

/** Writes the login of the first administrator (0600), whole or not at all, and onto the disk: the store has only what checks it. */
function writeAdminFile(home: Home, next: AdminFile): void {
  const partial = `${home.adminPath}.new`
  writeFileSync(partial, `${JSON.stringify(next, undefined, 2)}\n`, { mode: 0o600, flush: true })
  renameSync(partial, home.adminPath)
  const folder = openSync(home.path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/**
 * Brings the addresses in the file up to date; writes nothing where they are right, so that a server comes up on a full
 * disk. Where there is no file, the administrator has taken it away: so it stays. One that cannot be read is left to the command
 * line, which says so: the server does not need it.
 */
export function updateAdminFile(home: Home, addresses: Pick<AdminFile, 'url' | 'routerUrl'>): void {
  let before: AdminFile
  try {
    before = JSON.parse(readFileSync(home.adminPath, 'utf8')) as AdminFile
  } catch {
    return
  }
  if (before.url === addresses.url && before.routerUrl === addresses.routerUrl) return
  writeAdminFile(home, { ...before, ...addresses })
}
