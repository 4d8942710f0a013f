import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { dataFolder } from '../client/login.ts'
import { CliFailure, EXIT } from '../failure.ts'
import { Progress } from '../output/progress.ts'
import type { CommandSpec } from '../spec.ts'
import { BACKED_UP } from './backup.ts'
import { confirm, YES_OPTION } from './common.ts'

export const restore: CommandSpec = {
  name: 'restore',
  summary: 'Put a backup back in place',
  details: `Replaces the data of a server that is stopped; refused while it runs, and when the backup is damaged. The databases that were there are
kept beside the new ones as atelier.db.replaced and events.db.replaced. Calls that were queued when the backup was made run again.`,
  args: [{ syntax: '<folder>', help: 'The backup', completes: 'file' }],
  options: [
    { flags: '--home <folder>', help: 'Data directory of the server (default: as the server finds it)' },
    YES_OPTION,
  ],
  examples: [
    ['atelier restore /srv/backups/2030-01-31', 'asks first, when a terminal is there'],
    ['atelier restore /mnt/usb/atelier --home /srv/atelier --yes', 'without a question'],
  ],
  async run({ context, args, options }) {
    const source = resolve(args[0]!)
    const home = resolve(options.text('home') ?? dataFolder(context.env))
    const entries = await readdir(source).catch((): string[] => [])
    if (!entries.includes(BACKED_UP.database))
      throw new CliFailure(EXIT.notFound, `${source} is not a backup`, {
        hint: 'Name the folder that "atelier backup" wrote.',
      })
    const telemetry = [BACKED_UP.telemetry, BACKED_UP.earlierTelemetry]
    const parts = [...telemetry, ...BACKED_UP.files].filter(one => entries.includes(one))
    await confirm(context, options, `Replace the data in ${home}?`)
    const progress = new Progress(context)
    const incoming = join(home, `incoming.${process.pid}`)
    try {
      await mkdir(home, { recursive: true, mode: 0o700 })
      const { checkBackup, checkUnused, removeStore, restoreStore } = await import('../../store/index.ts')
      // Before much is copied: each is looked at again when its time has come.
      progress.step('check the backup')
      checkUnused(join(home, BACKED_UP.database))
      checkBackup(join(source, BACKED_UP.database), 'control')
      for (const name of parts) {
        progress.step(`copy ${name}`)
        await cp(join(source, name), join(incoming, name), {
          recursive: true,
          verbatimSymlinks: true,
          preserveTimestamps: true,
        })
      }
      progress.step('database')
      const hasEvents = entries.includes(BACKED_UP.events)
      if (hasEvents) checkBackup(join(source, BACKED_UP.events), 'events')
      // Refuses while a server runs, and what is damaged; until here nothing has been touched.
      await restoreStore(join(source, BACKED_UP.database), join(home, BACKED_UP.database))
      progress.step('queued calls and messages')
      // A backup without any has none: what is queued now belongs to what has just been replaced.
      if (hasEvents)
        await restoreStore(join(source, BACKED_UP.events), join(home, BACKED_UP.events), 'events')
      else await removeStore(join(home, BACKED_UP.events))
      // Records of another time would be taken over into those of the backup.
      if (telemetry.some(one => entries.includes(one)))
        for (const name of telemetry.flatMap(one => [one, `${one}-wal`, `${one}-shm`]))
          await rm(join(home, name), { recursive: true, force: true })
      for (const name of parts) {
        await rm(join(home, name), { recursive: true, force: true })
        await rename(join(incoming, name), join(home, name))
      }
      progress.done()
    } catch (error) {
      progress.failed()
      throw error
    } finally {
      await rm(incoming, { recursive: true, force: true })
    }
    await context.result({ home }, () => [`${home} is restored. Start the server.`])
  },
}
