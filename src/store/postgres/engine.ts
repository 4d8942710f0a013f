import { type DataTypeNode, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import { Pool, type PoolClient, TypeOverrides } from 'pg'
import type { DatabaseAddress, DatabaseTls } from '../server/uri.ts'
import { placeOf } from '../server/uri.ts'
import type { Engine, Wire } from '../server/wire.ts'
import { postgresTrouble } from './errors.ts'

const CONNECTIONS_MAX = 10
const CONNECT_TIMEOUT_MS = 10_000
const LOCK_WAIT_MS = 20_000
const IDLE_IN_TRANSACTION_MS = 30_000 // a node that hangs gives its turn back

const INT8 = 20
const NUMERIC = 1700 // sums

/** PostgreSQL. */
export function postgresEngine(address: DatabaseAddress): Engine {
  const numbers = new TypeOverrides()
  for (const type of [INT8, NUMERIC]) numbers.setTypeParser(type, Number)
  const pool = new Pool({
    host: address.socketPath ?? address.host,
    port: address.port,
    user: address.user,
    password: address.password,
    database: address.database,
    ssl: address.tls ? tlsOf(address.tls) : false,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'atelier',
    lock_timeout: LOCK_WAIT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    types: numbers,
  })
  pool.on('error', () => {}) // one that waits in the pool died: the next statement finds out and takes another
  return {
    name: 'postgres',
    place: placeOf(address),
    parts: {
      createAdapter: () => new PostgresAdapter(),
      createIntrospector: db => new PostgresIntrospector(db),
      createQueryCompiler: () => new Compiler(),
    },
    connect: async () => wireOf(await pool.connect()),
    close: () => pool.end(),
    trouble: postgresTrouble,
    async begin(wire, turn, relaxed) {
      const statements = ['begin']
      if (relaxed) statements.push('set local synchronous_commit = off')
      if (turn !== undefined) statements.push(`select pg_advisory_xact_lock(${LOCKS}, hashtext('${turn}'))`)
      await wire.query(statements.join('; '))
    },
    async lock(wire, waitS) {
      try {
        await wire.query(`set lock_timeout = '${Math.max(1, waitS * 1000)}ms'`)
        await wire.query(`select pg_advisory_lock(${LOCKS}, ${TABLES_LOCK})`)
        await wire.query(`set lock_timeout = ${LOCK_WAIT_MS}`)
        return true
      } catch (error) {
        if ((error as { code?: unknown }).code === LOCK_NOT_AVAILABLE) return false
        throw error
      }
    },
    async unlock(wire) {
      await wire.query(`select pg_advisory_unlock(${LOCKS}, ${TABLES_LOCK})`)
    },
    isDoneAlready: () => false, // a step is undone with its transaction
  }
}

const LOCKS = 0x6174656c // "atel": our family among the advisory locks of a database
const TABLES_LOCK = 0
const LOCK_NOT_AVAILABLE = '55P03'

/** Texts are compared byte by byte, whatever the database's language: pages of lists and ids rely on it. */
class Compiler extends PostgresQueryCompiler {
  protected override visitDataType(node: DataTypeNode): void {
    super.visitDataType(node)
    if (node.dataType === 'text' || node.dataType.startsWith('varchar')) this.append(' collate "C"')
  }
}

function wireOf(client: PoolClient): Wire {
  // A connection that dies between two statements says so; unheard, that would end the process.
  const onError = (): void => {}
  client.on('error', onError)
  return {
    async query(text, values = []) {
      const answer = await client.query(text, [...values])
      const result = Array.isArray(answer) ? answer.at(-1) : answer
      const isChange = result?.command !== 'SELECT'
      return { rows: result?.rows ?? [], changed: isChange ? (result?.rowCount ?? 0) : undefined }
    },
    release(isBroken) {
      client.off('error', onError)
      client.release(isBroken)
    },
  }
}

/** The driver adds the host that the certificate must be of. */
function tlsOf({ isVerified, isHostVerified, ca, cert, key }: DatabaseTls) {
  return {
    rejectUnauthorized: isVerified,
    ...(isHostVerified ? {} : { checkServerIdentity: () => undefined }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
}
