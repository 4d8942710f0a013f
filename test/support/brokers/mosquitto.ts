import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Certificates } from './certificates.ts'
import { Daemon, missingProgram } from './daemon.ts'

const PROGRAM = '/usr/sbin/mosquitto'

export const mosquittoMissing = missingProgram(PROGRAM, 'mosquitto')

/** Mosquitto that keeps sessions on disk; written when it ends by SIGTERM, since each writing is of everything. */
export function startMosquitto({ tls }: { tls?: Certificates } = {}): Promise<Daemon> {
  return Daemon.start({
    name: 'mosquitto',
    command: async ({ folder, port }) => {
      const config = join(folder, 'mosquitto.conf')
      const lines = [
        `listener ${port} 127.0.0.1`,
        ...(tls ? [`certfile ${tls.certPath}`, `keyfile ${tls.keyPath}`] : []),
        'allow_anonymous true',
        'persistence true',
        `persistence_location ${folder}/`,
        'max_queued_messages 0',
        'max_inflight_messages 0',
        ...(process.getuid?.() === 0 ? ['user root'] : []),
      ]
      await writeFile(config, `${lines.join('\n')}\n`)
      return { program: PROGRAM, args: ['-c', config] }
    },
  })
}
