import type { Trouble } from '../server/wire.ts'

// mariadb.com/kb/en/mariadb-error-code-reference
const TROUBLES: ReadonlyMap<number, Trouble> = new Map<number, Trouble>([
  [1062, 'duplicate'],
  [1586, 'duplicate'],
  [1205, 'retry'], // waited too long for a lock
  [1213, 'retry'], // deadlock
  [1020, 'retry'], // changed since it was read
  [1021, 'full'],
  [1114, 'full'],
  [1040, 'unavailable'],
  [1203, 'unavailable'],
  [1226, 'unavailable'],
  [1290, 'unavailable'], // read only
  [1836, 'unavailable'],
  [1044, 'refused'],
  [1045, 'refused'],
  [1049, 'refused'],
  [1130, 'refused'],
  [1698, 'refused'],
  [1053, 'lost'], // the server stops
  [1152, 'lost'],
  [1927, 'lost'],
  [2013, 'lost'],
  [4031, 'lost'],
  [1406, 'unfit'],
  [1366, 'unfit'],
])

const UNTRUSTED = ['HANDSHAKE_SSL_ERROR', 'HANDSHAKE_NO_SSL_SUPPORT']
const LOST = /^(PROTOCOL_CONNECTION_LOST|PROTOCOL_SEQUENCE_TIMEOUT|E[A-Z]+)$/
const DONE_ALREADY = [1050, 1060, 1061, 1062, 1826]
const NO_SPACE = 28 // as the operating system counts errors; the server quotes it

/** What an error of MariaDB or MySQL means. */
export function mysqlTrouble(thrown: unknown): Trouble {
  if (!(thrown instanceof Error)) return 'other'
  const { errno, code, fatal } = thrown as { errno?: unknown; code?: unknown; fatal?: unknown }
  const known = typeof errno === 'number' ? TROUBLES.get(errno) : undefined
  if (known) return known
  if (typeof code === 'string' && UNTRUSTED.includes(code)) return 'untrusted'
  if (new RegExp(`(errno|Errcode): ${NO_SPACE}\\b`, 'i').test(thrown.message)) return 'full'
  if (typeof code === 'string' && LOST.test(code) && !code.startsWith('ER_')) return 'lost'
  if (/closed state|Connection lost/i.test(thrown.message) || fatal === true) return 'lost'
  return 'other'
}

/** Changes of tables are not undone with their transaction: a step that was broken off finds what it has made. */
export function isMysqlDoneAlready(thrown: unknown): boolean {
  return thrown instanceof Error && 'errno' in thrown && DONE_ALREADY.includes(thrown.errno as number)
}
