import {
  type CreateTableNode,
  type DataTypeNode,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
} from 'kysely'
import { createPool, type Pool, type PoolConnection } from 'mysql2'
import type { DatabaseAddress, DatabaseTls } from '../server/uri.ts'
import { placeOf } from '../server/uri.ts'
import type { Engine, Wire, WireResult } from '../server/wire.ts'
import { isMysqlDoneAlready, mysqlTrouble } from './errors.ts'

const CONNECTIONS_MAX = 10
const WAITING_MAX = 10_000 // statements that wait for a connection
const CONNECT_TIMEOUT_MS = 10_000
const LOCK_WAIT_S = 20

// Escapes as the driver writes them, whatever the server's default; errors instead of cut-off values. Read committed:
// what a transaction sees after it got its turn is what the one before has left.
const SETUP = [
  `set sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'`,
  `set session transaction isolation level read committed`,
  `set innodb_lock_wait_timeout = ${LOCK_WAIT_S}`,
]

/** MariaDB and MySQL. */
export function mysqlEngine(address: DatabaseAddress): Engine {
  const pool = createPool({
    ...(address.socketPath === undefined
      ? { host: address.host, port: address.port }
      : { socketPath: address.socketPath }),
    user: address.user,
    password: address.password,
    database: address.database,
    ...(address.tls && { ssl: tlsOf(address.tls) }),
    charset: 'utf8mb4_bin',
    connectionLimit: CONNECTIONS_MAX,
    queueLimit: WAITING_MAX,
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableKeepAlive: true,
    decimalNumbers: true, // sums
    stringifyObjects: true,
  })
  const ready = new WeakSet<PoolConnection>()
  return {
    name: 'mysql',
    place: placeOf(address),
    parts: {
      createAdapter: () => new MysqlAdapter(),
      createIntrospector: db => new MysqlIntrospector(db),
      createQueryCompiler: () => new Compiler(),
    },
    async connect() {
      const connection = await take(pool)
      const wire = wireOf(connection)
      if (ready.has(connection)) return wire
      try {
        for (const statement of SETUP) await wire.query(statement)
      } catch (error) {
        wire.release(true)
        throw error
      }
      ready.add(connection)
      return wire
    },
    close: () => new Promise((resolve, reject) => pool.end(error => (error ? reject(error) : resolve()))),
    trouble: mysqlTrouble,
    async begin(wire, turn) {
      // Every commit of a server with default settings waits for the disk: there is nothing to relax for one of them.
      await wire.query('start transaction')
      if (turn !== undefined) await wire.query(`select number from ${turn} where number = 1 for update`)
    },
    async lock(wire, waitS) {
      const { rows } = await wire.query(`select get_lock(${LOCK_NAME}, ?) as taken`, [waitS])
      return (rows[0] as { taken: number | null }).taken === 1
    },
    async unlock(wire) {
      await wire.query(`select release_lock(${LOCK_NAME})`)
    },
    isDoneAlready: isMysqlDoneAlready,
  }
}

const LOCK_NAME = `concat('atelier tables ', md5(database()))` // names of locks are the whole server's

/** Names differ by their letters' case, and a text may be long. */
class Compiler extends MysqlQueryCompiler {
  protected override visitCreateTable(node: CreateTableNode): void {
    super.visitCreateTable(node)
    this.append(' engine = InnoDB default character set utf8mb4 collate utf8mb4_bin')
  }

  protected override visitDataType(node: DataTypeNode): void {
    this.append(node.dataType === 'text' ? 'longtext' : node.dataType)
  }
}

function take(pool: Pool): Promise<PoolConnection> {
  return new Promise((resolve, reject) =>
    pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection))),
  )
}

function wireOf(connection: PoolConnection): Wire {
  return {
    query: (text, values = []) =>
      new Promise<WireResult>((resolve, reject) => {
        connection.query(text, values.map(asValue), (error, answer) => {
          if (error) reject(error)
          else if (Array.isArray(answer)) resolve({ rows: answer, changed: undefined })
          else resolve({ rows: [], changed: answer.affectedRows })
        })
      }),
    release(isBroken) {
      if (isBroken) connection.destroy()
      else connection.release()
    },
  }
}

/** The driver makes SQL of what it gets: nothing comes to it that it could take for more than one value. */
function asValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (value === null || value === undefined) return null
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return value
  throw new TypeError(`A ${typeof value} is no value for a column.`)
}

/** The driver adds the host that the certificate must be of. */
function tlsOf({ isVerified, isHostVerified, ca, cert, key }: DatabaseTls) {
  return {
    rejectUnauthorized: isVerified,
    verifyIdentity: isHostVerified,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
}
