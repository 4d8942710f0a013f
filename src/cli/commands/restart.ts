import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readProcessFile } from '../../server/index.ts'
import { dataFolder } from '../client/login.ts'
import { CliFailure, EXIT } from '../failure.ts'
import { Progress } from '../output/progress.ts'
import type { CommandSpec } from '../spec.ts'

const POLL_MS = 50

export const restart: CommandSpec = {
  name: 'restart',
  summary: 'Restart the server of this machine without refusing a request',
  details: `A new process of the program as it is installed now takes the sockets over. Running calls finish first, for at most --drain-ms of
the server; whoever connects meanwhile waits. When the new one cannot start, the old one serves on. Run it as the server's user. A
server that systemd runs is restarted by systemctl.`,
  options: [
    { flags: '--home <folder>', help: 'Data directory of the server (default: as the server finds it)' },
  ],
  examples: [
    ['atelier restart', 'after an upgrade, or a change of its configuration file'],
    ['atelier restart --home /srv/atelier', 'a server with its data elsewhere'],
  ],
  async run({ context, options }) {
    const home = resolve(options.text('home') ?? dataFolder(context.env))
    const before = readProcessFile(home)
    if (!before)
      throw new CliFailure(EXIT.notFound, `no server that could be restarted serves ${home}`, {
        hint: 'Name its data directory with --home, or start it with "atelier server".',
      })
    const askedAtMs = Date.now()
    signal(before.pid)
    const progress = new Progress(context)
    progress.step('waiting for running calls')
    for (;;) {
      context.signal.throwIfAborted()
      const isLeft = !isThere(before.pid) // asked first: the new one says that it serves before the old one ends
      const now = readProcessFile(home)
      if (now && now.pid !== before.pid) {
        progress.done()
        return context.result({ home, pid: now.pid, pidBefore: before.pid }, () => [
          `Process ${now.pid} serves in the place of ${before.pid}.`,
        ])
      }
      const refused = now?.refused
      if (refused && refused.atMs >= askedAtMs) {
        progress.failed()
        throw new CliFailure(EXIT.failed, `the server serves on as it was: ${refused.reason}`)
      }
      if (isLeft) {
        progress.failed()
        throw new CliFailure(EXIT.failed, 'the server ended, and no new one serves in its place', {
          hint: 'Its log tells why; start it with "atelier server".',
        })
      }
      await sleep(POLL_MS)
    }
  },
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGUSR2')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error
    throw new CliFailure(EXIT.notAllowed, `the server, process ${pid}, is another user's`)
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
