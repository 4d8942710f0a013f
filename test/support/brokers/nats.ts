import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Certificates } from './certificates.ts'
import { Daemon, missingProgram } from './daemon.ts'

const PROGRAM = '/usr/sbin/nats-server'

export const natsMissing = missingProgram(PROGRAM, 'nats-server')

/** NATS with JetStream on disk. */
export function startNats({ tls }: { tls?: Certificates } = {}): Promise<Daemon> {
  return Daemon.start({
    name: 'nats',
    command: async ({ folder, port }) => {
      const config = join(folder, 'nats.conf')
      await writeFile(
        config,
        `listen: "127.0.0.1:${port}"\nmax_payload: 20MB\njetstream { store_dir: "${folder}" }\n${
          tls ? `tls { cert_file: "${tls.certPath}", key_file: "${tls.keyPath}" }\n` : ''
        }`,
      )
      return { program: PROGRAM, args: ['-c', config] }
    },
  })
}
