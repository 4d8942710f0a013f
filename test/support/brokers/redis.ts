import { Daemon, missingProgram } from './daemon.ts'

const PROGRAM = '/usr/bin/redis-server'

export const redisMissing = missingProgram(PROGRAM, 'redis-server')

/** Redis that writes each change to disk. */
export function startRedis(options: { password?: string } = {}): Promise<Daemon> {
  return Daemon.start({
    name: 'redis',
    command: async ({ folder, port }) => ({
      program: PROGRAM,
      args: [
        `--bind 127.0.0.1 --port ${port} --dir ${folder} --appendonly yes --appendfsync always`.split(' '),
        ['--save', ''],
        options.password === undefined ? [] : ['--requirepass', options.password],
      ].flat(),
    }),
  })
}
