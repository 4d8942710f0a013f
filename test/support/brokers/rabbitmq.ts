import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { answers, Daemon, missingProgram, type Place } from './daemon.ts'

const PROGRAM = '/usr/lib/rabbitmq/bin/rabbitmq-server' // not the one in /usr/sbin, which changes the user

export const rabbitmqMissing = missingProgram(PROGRAM, 'rabbitmq-server')

/** RabbitMQ with a node, a name server of nodes and a directory of its own. */
export async function startRabbitmq(): Promise<RabbitDaemon> {
  const daemon = await Daemon.start({
    name: 'rabbitmq',
    async command(place) {
      const { folder, port } = place
      for (const each of ['mnesia', 'log']) await mkdir(join(folder, each), { recursive: true })
      await writeFile(
        join(folder, 'rabbitmq.conf'),
        `listeners.tcp.1 = 127.0.0.1:${port}\nloopback_users = none\ndisk_free_limit.absolute = 50MB\n`,
      )
      await writeFile(join(folder, 'enabled_plugins'), '[].')
      return { program: PROGRAM, args: [], env: environment(place) }
    },
    ready: ({ port }) => answers(port),
  })
  return {
    daemon,
    async close() {
      await daemon.stop('SIGTERM')
      // The name server of nodes goes on without a node; it is this test's own, by its port.
      await promisify(execFile)('epmd', ['-port', String(daemon.place.otherPorts[1]), '-kill'], {
        env: environment(daemon.place),
      }).catch(() => undefined)
      await daemon.close()
    },
  }
}

export interface RabbitDaemon {
  readonly daemon: Daemon
  close(): Promise<void>
}

function environment({ folder, port, otherPorts }: Place): NodeJS.ProcessEnv {
  return {
    ...process.env,
    HOME: folder,
    RABBITMQ_NODENAME: `tests${port}@localhost`,
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_PID_FILE: join(folder, 'beam.pid'),
    RABBITMQ_DIST_PORT: String(otherPorts[0]),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(otherPorts[1]),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
  }
}
