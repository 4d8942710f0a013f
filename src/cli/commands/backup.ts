import { copyFile, cp, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { dataFolder } from '../client/login.ts'
import { CliFailure, EXIT, usage } from '../failure.ts'
import { Progress } from '../output/progress.ts'
import type { CommandSpec } from '../spec.ts'

/** What a data directory holds that must outlive it. `run/` is not: sockets and instances end with the server. */
export const BACKED_UP: {
  readonly database: string
  /** Calls and messages that outlive their caller; made anew when it is not there. */
  readonly events: string
  /** Records, logs and sums of calls: a folder, which a server makes anew when it is not there. */
  readonly telemetry: string
  /** Where an earlier version kept those: a database that a server takes over and removes. */
  readonly earlierTelemetry: string
  readonly files: readonly string[]
  /** What of `packages` can be had again, or is work in progress. */
  readonly left: readonly string[]
} = {
  database: 'atelier.db',
  events: 'events.db',
  telemetry: 'telemetry',
  earlierTelemetry: 'telemetry.db',
  files: ['secret.key', 'admin.json', 'packages'],
  left: ['tmp', 'dependencies', 'registry'].map(name => join('packages', name)),
}

export const backup: CommandSpec = {
  name: 'backup',
  summary: "Copy a server's data, while it runs",
  details: `Writes a folder with everything: the database and the queued calls as they are at one moment each, the records and logs of calls, the packages, and the key that secrets are encrypted with.
Whoever has the backup can read the secrets, so keep it as safe as the server. Run it on the server's machine as its user.`,
  args: [{ syntax: '<folder>', help: 'Where to; must not exist yet', completes: 'file' }],
  options: [
    { flags: '--home <folder>', help: 'Data directory of the server (default: as the server finds it)' },
  ],
  examples: [
    ['atelier backup /srv/backups/2030-01-31', 'into a new folder'],
    ['atelier backup /mnt/usb/atelier --home /srv/atelier', 'of a server with its data elsewhere'],
  ],
  async run({ context, args, options }) {
    const home = resolve(options.text('home') ?? dataFolder(context.env))
    const target = resolve(args[0]!)
    const entries = await readdir(home).catch((): string[] => [])
    if (!entries.includes(BACKED_UP.database))
      throw new CliFailure(
        EXIT.notFound,
        entries.includes('secret.key')
          ? `${home} holds no database: its server keeps that on a database server`
          : `${home} holds no data of Atelier`,
        {
          hint: entries.includes('secret.key')
            ? 'Back the database up with mysqldump or pg_dump, and copy secret.key and packages: see docs/store.md.'
            : 'Name the data directory with --home.',
        },
      )
    if (await exists(target))
      throw usage(`${target} exists already`, 'A backup overwrites nothing: name another folder.')
    const progress = new Progress(context)
    const { backupStore } = await import('../../store/index.ts')
    const partial = `${target}.${process.pid}.partial`
    try {
      await mkdir(partial, { recursive: true, mode: 0o700 })
      // Before the functions that it names: one that is deleted meanwhile takes its calls along, one that is deployed meanwhile
      // has none in the copy.
      if (entries.includes(BACKED_UP.events)) {
        progress.step('queued calls and messages')
        await backupStore(join(home, BACKED_UP.events), join(partial, BACKED_UP.events))
      }
      progress.step('database')
      // Before the packages, so that every package it names is there when the packages are copied: they are added before it names them.
      await backupStore(join(home, BACKED_UP.database), join(partial, BACKED_UP.database))
      if (entries.includes(BACKED_UP.earlierTelemetry)) {
        progress.step('records and logs of an earlier version')
        await backupStore(join(home, BACKED_UP.earlierTelemetry), join(partial, BACKED_UP.earlierTelemetry))
      }
      if (entries.includes(BACKED_UP.telemetry)) {
        progress.step('records and logs')
        await copyLive(join(home, BACKED_UP.telemetry), join(partial, BACKED_UP.telemetry), context.signal)
      }
      for (const name of BACKED_UP.files.filter(one => entries.includes(one))) {
        progress.step(name)
        context.signal.throwIfAborted()
        await cp(join(home, name), join(partial, name), {
          recursive: true,
          verbatimSymlinks: true,
          preserveTimestamps: true,
          filter: path => !BACKED_UP.left.includes(relative(home, path)),
        })
      }
      await rename(partial, target)
      progress.done()
    } catch (error) {
      progress.failed()
      await rm(partial, { recursive: true, force: true }) // half a backup is worse than none
      throw error
    }
    await context.result({ home, folder: target }, () => [target])
  },
}

/** Files that are only appended to, and that come and go while they are copied. */
async function copyLive(from: string, to: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await mkdir(to, { recursive: true, mode: 0o700 })
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await copyLive(source, target, signal)
    else
      await copyFile(source, target).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error // it was too old
      })
  }
}

async function exists(path: string): Promise<boolean> {
  return await readdir(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  )
}
