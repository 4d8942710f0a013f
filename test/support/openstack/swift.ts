import type { RabbitMq } from '../brokers/rabbitmq.ts'
import type { Daemon } from '../daemon.ts'
import { PYTHON, type Site } from '../site.ts'
import { type Answer, type Ask, ask } from './ask.ts'
import { authOptions, type Credentials, type Keystone, type Project } from './keystone.ts'

/** Where our own Swift middleware lies, for Python. */
const MIDDLEWARE = new URL('../../../deploy/swift', import.meta.url).pathname
const RINGS = ['account', 'container', 'object'] as const

export interface SwiftOptions {
  readonly keystone: Keystone
  /** With a broker: each request is told to it by ceilometermiddleware, as an operator would set it up. */
  readonly notify?: RabbitMq
  /** URLs that uploaders may name in `X-Function-URL` begin with this; without it the middleware is left out. */
  readonly functionUrlPrefix?: string
}

/** A real Swift: proxy with Keystone, S3 API, large and versioned objects; one account, container and object server. */
export class Swift {
  /** Of the proxy, without `/v1`; also the endpoint of its S3 API. */
  readonly url: string
  readonly #keystone: Keystone
  readonly #daemons: readonly Daemon[]
  readonly #startProxy: () => Promise<Daemon>
  #proxy: Daemon

  private constructor(
    url: string,
    keystone: Keystone,
    daemons: readonly Daemon[],
    proxy: Daemon,
    startProxy: () => Promise<Daemon>,
  ) {
    this.url = url
    this.#keystone = keystone
    this.#daemons = daemons
    this.#proxy = proxy
    this.#startProxy = startProxy
  }

  /** Also enters it into Keystone's catalogue. */
  static async start(site: Site, options: SwiftOptions): Promise<Swift> {
    const { keystone } = options
    const home = await site.folderAt('swift')
    await site.folderAt('swift/dev/d1')
    await site.folderAt('swift/cache')
    await site.write('swift/etc/swift.conf', SWIFT_CONF)
    const user = (await site.run(['id', '-un'])).trim()
    const ports = await Promise.all(RINGS.map(() => site.freePort()))
    const rings = await site.write('swift/rings.py', MAKE_RINGS)
    const named = RINGS.map((ring, index) => `${ring}=${ports[index]}`)
    await site.run([PYTHON, rings, `${home}/etc`, site.address, ...named])
    const daemons = await Promise.all(
      RINGS.map(async (ring, index) => {
        const port = ports[index]!
        const text = storageConf(ring, site.address, port, user, home)
        const conf = await site.write(`swift/etc/${ring}.conf`, text)
        const daemon = site.start(`swift-${ring}`, [`swift-${ring}-server`, conf])
        return { daemon, url: `http://${site.address}:${port}` }
      }),
    )
    const port = await site.freePort()
    const url = `http://${site.address}:${port}`
    const auth = authOptions(keystone, await keystone.createServiceUser('swift'))
    const conf = await site.write(
      'swift/etc/proxy.conf',
      proxyConf(options, auth, { address: site.address, port, user, home }),
    )
    const startProxy = async (): Promise<Daemon> => {
      const proxy = site.start('swift-proxy', ['swift-proxy-server', conf], {
        env: { PYTHONPATH: MIDDLEWARE, PYTHONDONTWRITEBYTECODE: '1' },
      })
      await proxy.ready(`Swift answers at ${url}`, () => isHealthy(url))
      return proxy
    }
    const [proxy] = await Promise.all([
      startProxy(),
      ...daemons.map(each => each.daemon.ready(`${each.daemon.name} answers`, () => isHealthy(each.url))),
    ])
    await keystone.createService('object-store', 'swift', `${url}/v1/AUTH_%(project_id)s`)
    return new Swift(
      url,
      keystone,
      daemons.map(each => each.daemon),
      proxy,
      startProxy,
    )
  }

  accountUrl(project: Project): string {
    return `${this.url}/v1/AUTH_${project.id}`
  }

  /** A client that speaks as these credentials say. */
  async client(project: Project, credentials: Credentials): Promise<SwiftClient> {
    return new SwiftClient(this.accountUrl(project), await this.#keystone.token(credentials))
  }

  /** The proxy dies; what is stored stays. */
  async killProxy(): Promise<void> {
    await this.#proxy.kill()
  }

  /** Starts the proxy again where it was. */
  async restartProxy(): Promise<void> {
    this.#proxy = await this.#startProxy()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#proxy, ...this.#daemons].map(each => each.stop()))
  }
}

/** Requests to one account. Each rejects unless it succeeds. */
export class SwiftClient {
  readonly accountUrl: string
  readonly token: string

  constructor(accountUrl: string, token: string) {
    this.accountUrl = accountUrl
    this.token = token
  }

  createContainer(name: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer<unknown>> {
    return this.request('PUT', name, { headers })
  }

  put(
    container: string,
    object: string,
    body: string | Uint8Array<ArrayBuffer>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer<unknown>> {
    return this.request('PUT', `${container}/${encodePath(object)}`, { body, headers })
  }

  delete(container: string, object: string): Promise<Answer<unknown>> {
    return this.request('DELETE', `${container}/${encodePath(object)}`)
  }

  /** `path` is encoded and may have a query. */
  request<T>(method: string, path: string, options: Ask = {}): Promise<Answer<T>> {
    const headers = { 'x-auth-token': this.token, ...options.headers }
    return ask<T>(method, `${this.accountUrl}/${path}`, { ...options, headers })
  }

  /** The bytes of an object, or `undefined` when there is none. */
  async bytes(container: string, object: string): Promise<Uint8Array | undefined> {
    const url = `${this.accountUrl}/${container}/${encodePath(object)}`
    const response = await fetch(url, { headers: { 'x-auth-token': this.token } })
    const bytes = new Uint8Array(await response.arrayBuffer())
    return response.ok ? bytes : undefined
  }
}

function encodePath(object: string): string {
  return object.split('/').map(encodeURIComponent).join('/')
}

async function isHealthy(url: string): Promise<boolean> {
  return (await fetch(`${url}/healthcheck`)).ok
}

const SWIFT_CONF = `[swift-hash]
swift_hash_path_suffix = s
swift_hash_path_prefix = p
[storage-policy:0]
name = Policy-0
default = yes
`

/** What swift-ring-builder does in three commands for each ring, in one process. */
const MAKE_RINGS = `import sys
from swift.common.ring import RingBuilder
folder, address, *rings = sys.argv[1:]
for ring in rings:
    name, port = ring.split('=')
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({'region': 1, 'zone': 1, 'ip': address, 'port': int(port), 'replication_ip': address,
                     'replication_port': int(port), 'device': 'd1', 'weight': 100.0, 'meta': ''})
    builder.rebalance()
    builder.get_ring().save(folder + '/' + name + '.ring.gz')
`

function storageConf(ring: string, address: string, port: number, user: string, home: string): string {
  return `[DEFAULT]
bind_ip = ${address}
bind_port = ${port}
workers = 0
user = ${user}
swift_dir = ${home}/etc
devices = ${home}/dev
mount_check = false
recon_cache_path = ${home}/cache
fallocate_reserve = 0
log_address = /nowhere
[pipeline:main]
pipeline = healthcheck ${ring}-server
[app:${ring}-server]
use = egg:swift#${ring}
[filter:healthcheck]
use = egg:swift#healthcheck
`
}

interface ProxyPlace {
  readonly address: string
  readonly port: number
  readonly user: string
  readonly home: string
}

function proxyConf(
  { keystone, notify, functionUrlPrefix }: SwiftOptions,
  auth: string,
  { address, port, user, home }: ProxyPlace,
): string {
  const pipeline = [
    'catch_errors gatekeeper healthcheck proxy-logging bulk tempurl authtoken s3api s3token keystoneauth',
    ...(functionUrlPrefix === undefined ? [] : ['function_url']),
    ...(notify === undefined ? [] : ['ceilometer']), // before `copy`: after it, copies would not be told
    'copy slo dlo versioned_writes symlink',
    'proxy-logging proxy-server',
  ].join(' ')
  const plain = [
    'catch_errors',
    'gatekeeper',
    'healthcheck',
    'bulk',
    'tempurl',
    'copy',
    'slo',
    'dlo',
    'symlink',
  ]
  return `[DEFAULT]
bind_ip = ${address}
bind_port = ${port}
workers = 0
user = ${user}
swift_dir = ${home}/etc
[pipeline:main]
pipeline = ${pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
${plain.map(each => `[filter:${each}]\nuse = egg:swift#${each}`).join('\n')}
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
[filter:s3api]
use = egg:swift#s3api
location = RegionOne
[filter:s3token]
use = egg:swift#s3token
auth_uri = ${keystone.url}
${auth}
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = True
${auth}
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, swiftoperator
[filter:ceilometer]
paste.filter_factory = ceilometermiddleware.swift:filter_factory
url = ${notify?.oslo ?? ''}
driver = messagingv2
topic = notifications
control_exchange = swift
[filter:function_url]
paste.filter_factory = function_url:filter_factory
allowed_prefix = ${functionUrlPrefix ?? ''}
`
}
