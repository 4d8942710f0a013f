import { connect } from 'node:net'
import { connect as connectAmqp } from 'amqplib'
import type { Daemon } from '../daemon.ts'
import type { Site } from '../site.ts'
import type { Certificates } from './certificates.ts'
import { missingProgram } from './daemon.ts'

const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server' // not the one in /usr/sbin, which changes user
const NAMES = '/usr/bin/epmd'
const STOP_MS_MAX = 30_000

/** A RabbitMQ node of the test's own, user `guest`. Its queues that are durable survive `stop` and `start`. */
export class RabbitMq {
  readonly host: string
  readonly port: number
  readonly #site: Site
  readonly #env: Readonly<Record<string, string>>
  readonly #isEncrypted: boolean
  #daemon: Daemon | undefined

  private constructor(site: Site, port: number, env: Readonly<Record<string, string>>, isEncrypted: boolean) {
    this.#site = site
    this.#isEncrypted = isEncrypted
    this.#env = env
    this.host = site.address
    this.port = port
  }

  /** `definitions`: users, virtual hosts, exchanges … that it begins with, as its management exports them; then `guest` is none. */
  static async start(
    site: Site,
    { tls, definitions }: { tls?: Certificates; definitions?: object } = {},
  ): Promise<RabbitMq> {
    const port = await site.freePort()
    const epmdPort = await site.freePort()
    const distributionPort = await site.freePort()
    const home = await site.folderAt('rabbitmq')
    const config = await site.write(
      'rabbitmq/rabbitmq.conf',
      [
        ...(tls
          ? [
              'listeners.tcp = none',
              `listeners.ssl.1 = ${site.address}:${port}`,
              `ssl_options.certfile = ${tls.certPath}`,
              `ssl_options.keyfile = ${tls.keyPath}`,
              `ssl_options.cacertfile = ${tls.caPath}`,
              'ssl_options.verify = verify_none',
            ]
          : [`listeners.tcp.1 = ${site.address}:${port}`]),
        ...(definitions
          ? [
              `load_definitions = ${await site.write('rabbitmq/definitions.json', JSON.stringify(definitions))}`,
            ]
          : []),
        'loopback_users = none',
        'disk_free_limit.absolute = 50MB',
        'log.console = true',
        'log.console.level = warning',
        'log.file = false',
        '',
      ].join('\n'),
    )
    const plugins = await site.write('rabbitmq/enabled_plugins', '[].\n')
    const epmd = site.start('epmd', [NAMES, '-address', '127.0.0.1', '-port', `${epmdPort}`])
    await epmd.ready('epmd listens', () => accepts('127.0.0.1', epmdPort))
    const broker = new RabbitMq(
      site,
      port,
      {
        HOME: home,
        RABBITMQ_NODENAME: 'tests@localhost',
        RABBITMQ_CONFIG_FILE: config.slice(0, -'.conf'.length),
        RABBITMQ_MNESIA_BASE: await site.folderAt('rabbitmq/mnesia'),
        RABBITMQ_LOG_BASE: await site.folderAt('rabbitmq/log'),
        RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
        RABBITMQ_PID_FILE: site.path('rabbitmq', 'pid'),
        RABBITMQ_DIST_PORT: `${distributionPort}`,
        ERL_EPMD_ADDRESS: '127.0.0.1',
        ERL_EPMD_PORT: `${epmdPort}`,
        // Idle schedulers that spin would take the processor from the tests.
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
          '-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none',
      },
      tls !== undefined,
    )
    await broker.start()
    return broker
  }

  /** For oslo.messaging. */
  get oslo(): string {
    return `rabbit://guest:guest@${this.host}:${this.port}/`
  }

  /** For triggers, whose addresses have no passwords in them: "guest" is what they try. */
  get server(): string {
    return `amqp://${this.host}:${this.port}`
  }

  /** For AMQP 0-9-1 clients. */
  get url(): string {
    return `amqp://guest:guest@${this.host}:${this.port}`
  }

  /** Starts the node again after `stop` or `kill`, with the data and on the port it had. */
  async start(): Promise<void> {
    this.#daemon = this.#site.start('rabbitmq', [SERVER], { env: this.#env, stopMsMax: STOP_MS_MAX })
    await this.#daemon.ready(`RabbitMQ listens on ${this.host}:${this.port}`, () =>
      // Behind TLS it listens when it takes connections, too.
      this.#isEncrypted ? accepts(this.host, this.port) : greets(this.host, this.port),
    )
  }

  /** Whether somebody reads this queue. */
  async isRead(queue: string): Promise<boolean> {
    const model = await connectAmqp(this.url)
    model.on('error', () => undefined)
    try {
      const channel = await model.createChannel()
      channel.on('error', () => undefined)
      return (await channel.checkQueue(queue)).consumerCount > 0
    } catch {
      return false // there is no such queue
    } finally {
      await model.close()
    }
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop()
  }

  async kill(): Promise<void> {
    await this.#daemon?.kill()
  }
}

/** Why tests with it are skipped. */
export const rabbitmqMissing =
  missingProgram(SERVER, 'rabbitmq-server') ?? missingProgram(NAMES, 'erlang-base')

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, host)
    const done = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => done(true)).once('error', () => done(false))
  })
}

/** It answers the protocol header of AMQP, which it does only when it takes connections. */
function greets(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, host, () => socket.write('AMQP\x00\x00\x09\x01'))
    const done = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket
      .setTimeout(2_000, () => done(false))
      .once('data', () => done(true))
      .once('error', () => done(false))
      .once('close', () => done(false))
  })
}
