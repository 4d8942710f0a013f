import { createClient } from '@redis/client'
import type { Certificates } from './certificates.ts'
import { Daemon, missingProgram } from './daemon.ts'

const PROGRAM = '/usr/bin/redis-server'

export const redisMissing = missingProgram(PROGRAM, 'redis-server')

/** Redis that writes each change to disk. */
export function startRedis(options: { password?: string; tls?: Certificates } = {}): Promise<Daemon> {
  return Daemon.start({
    name: 'redis',
    command: async ({ folder, port }) => ({
      program: PROGRAM,
      args: [
        options.tls
          ? `--port 0 --tls-port ${port} --tls-cert-file ${options.tls.certPath} --tls-key-file ${options.tls.keyPath} --tls-ca-cert-file ${options.tls.caPath} --tls-auth-clients no`.split(
              ' ',
            )
          : ['--port', `${port}`],
        `--bind 127.0.0.1 --dir ${folder} --appendonly yes --appendfsync always`.split(' '),
        ['--save', ''],
        options.password === undefined ? [] : ['--requirepass', options.password],
      ].flat(),
    }),
    ...(!options.tls && { ready: ({ port }) => answersPing(port, options.password) }),
  })
}

/** It takes connections before it has read its files again, and refuses commands until then. */
async function answersPing(port: number, password: string | undefined): Promise<void> {
  const socket = { reconnectStrategy: false as const }
  const client = createClient({
    url: `redis://127.0.0.1:${port}`,
    socket,
    RESP: 2,
    ...(password !== undefined && { password }),
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.ping()
  } finally {
    client.destroy()
  }
}
