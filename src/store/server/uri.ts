import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { AtelierError } from '../../core/index.ts'

/** Where a database server is, and who asks it. */
export interface DatabaseAddress {
  readonly kind: 'mysql' | 'postgres'
  readonly host: string
  readonly port: number
  /** A UNIX socket's path, instead of host and port; of PostgreSQL the folder that it is in. */
  readonly socketPath: string | undefined
  readonly user: string
  readonly password: string
  readonly database: string
  /** `undefined`: in the clear. */
  readonly tls: DatabaseTls | undefined
}

export interface DatabaseTls {
  /** Whether the server must show a certificate that is trusted. */
  readonly isVerified: boolean
  /** Whether the certificate must also be of this host. */
  readonly isHostVerified: boolean
  /** PEM. */
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
}

const KINDS: Readonly<Record<string, DatabaseAddress['kind']>> = {
  mysql: 'mysql',
  mariadb: 'mysql',
  postgres: 'postgres',
  postgresql: 'postgres',
}

const PORTS = { mysql: 3306, postgres: 5432 } as const

/** What of each parameter's names is ours: those of libpq, of MySQL's programs and of Python's drivers. */
const NAMES: Readonly<Record<string, 'mode' | 'ca' | 'cert' | 'key' | 'socket' | 'ignored'>> = {
  sslmode: 'mode',
  'ssl-mode': 'mode',
  ssl_mode: 'mode',
  sslrootcert: 'ca',
  'ssl-ca': 'ca',
  ssl_ca: 'ca',
  sslcert: 'cert',
  'ssl-cert': 'cert',
  ssl_cert: 'cert',
  sslkey: 'key',
  'ssl-key': 'key',
  ssl_key: 'key',
  unix_socket: 'socket',
  host: 'socket',
  charset: 'ignored', // always utf8mb4
  plugin: 'ignored', // of OpenStack's configuration
}

/**
 * Reads `mysql://user:password@host:port/database?ssl-mode=…`, `postgresql://…`, or either as SQLAlchemy writes it; `undefined` when it is no address of a
 * server. Throws INVALID_INPUT, which never repeats the address: there is a password in it.
 */
export function readAddress(uri: string): DatabaseAddress | undefined {
  // A driver of Python's after the `+` means nothing here: mysql+pymysql, postgresql+psycopg2.
  const scheme = /^([a-z]+)(?:\+[a-z0-9_]+)?:\/\//i.exec(uri)?.[1]?.toLowerCase()
  const kind = scheme === undefined ? undefined : KINDS[scheme]
  if (kind === undefined) return undefined
  let url: URL
  try {
    url = new URL(uri.replace(/^[^:]*/, 'tcp'))
  } catch {
    throw unfit(
      `cannot be read: write ${kind}://user:password@host/database, with %40 for an @ in the password`,
    )
  }
  const found = parametersOf(url)
  const socketPath = found.socket
  const database = decoded(url.pathname.slice(1))
  if (database === '' || database.includes('/')) throw unfit('names no database: write it after the host')
  if (url.username === '') throw unfit('names no user')
  const host = url.hostname.replace(/^\[|\]$/g, '') || 'localhost'
  const tls = tlsOf(found)
  // The driver would look for "localhost" in the certificate, whatever the address.
  if (kind === 'mysql' && tls?.isHostVerified && isIP(host) !== 0)
    throw unfit(
      'wants the certificate to be of its host (verify-full), which needs the name of the host: an address will not do. verify-ca asks for less',
    )
  return {
    kind,
    host,
    port: url.port === '' ? PORTS[kind] : Number(url.port),
    socketPath,
    user: decoded(url.username),
    password: decoded(url.password),
    database,
    tls,
  }
}

/** Whether this is the address of a database server, and not of a file. Throws INVALID_INPUT as `readAddress`. */
export function isServerUri(uri: string): boolean {
  return readAddress(uri) !== undefined
}

/** For people and logs: without user and password. */
export function placeOf({ kind, host, port, socketPath, database }: DatabaseAddress): string {
  const shown = host.includes(':') ? `[${host}]` : host
  return `${kind}://${socketPath ?? `${shown}:${port}`}/${database}`
}

type Found = Partial<Record<'mode' | 'ca' | 'cert' | 'key' | 'socket', string>>

function parametersOf(url: URL): Found {
  const found: Found = {}
  for (const [name, value] of url.searchParams) {
    const ours = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined
    if (ours === undefined)
      throw unfit(
        `has a parameter ${JSON.stringify(name.slice(0, 40))}, which there is not: see docs/store.md`,
      )
    if (ours === 'socket' && !value.startsWith('/')) throw unfit(`has a ${name} that is not a path`)
    if (ours !== 'ignored') found[ours] = value
  }
  return found
}

function tlsOf({ mode, ca, cert, key }: Found): DatabaseTls | undefined {
  const wanted = (mode ?? (ca === undefined ? 'disable' : 'verify-full')).toLowerCase().replaceAll('_', '-')
  const files = { ca: pem('ca', ca), cert: pem('cert', cert), key: pem('key', key) }
  switch (wanted) {
    case 'disable':
    case 'disabled':
      return undefined
    case 'require':
    case 'required':
      return { isVerified: ca !== undefined, isHostVerified: false, ...files }
    case 'verify-ca':
      return { isVerified: true, isHostVerified: false, ...files }
    case 'verify-full':
    case 'verify-identity':
      return { isVerified: true, isHostVerified: true, ...files }
    default:
      // "prefer" would let anybody in between turn it off.
      throw unfit('has a TLS mode that is none of disable, require, verify-ca, verify-full')
  }
}

function pem(what: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new AtelierError(
      'INVALID_INPUT',
      `The file ${path} (${what}) of the database's URI cannot be read.`,
      {
        cause,
      },
    )
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw unfit('has a % that is not followed by two hexadecimal digits: write %25 for it')
  }
}

function unfit(why: string): AtelierError {
  return new AtelierError('INVALID_INPUT', `The URI of the database ${why}.`)
}
