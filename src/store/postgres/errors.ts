import type { Trouble } from '../server/wire.ts'

// postgresql.org/docs/current/errcodes-appendix.html
const TROUBLES: Readonly<Record<string, Trouble>> = {
  '23505': 'duplicate',
  '40001': 'retry', // serialization failure
  '40P01': 'retry', // deadlock
  '55P03': 'retry', // waited too long for a lock
  '53100': 'full',
  '53200': 'unavailable',
  '53300': 'unavailable',
  '57P03': 'unavailable', // it is starting
  '25006': 'unavailable', // read only
  '28000': 'refused',
  '28P01': 'refused',
  '3D000': 'refused',
  '57P01': 'lost',
  '57P02': 'lost',
  '57P05': 'lost',
  '25P03': 'lost',
  '22001': 'unfit',
  '22021': 'unfit',
}

/** Of OpenSSL, as Node names what is wrong with a certificate, and of Node itself. */
const UNTRUSTED = /CERT|_SIGNATURE$|^ERR_TLS|^ERR_SSL/
const LOST = /^E[A-Z]{3,}/ // of the operating system

/** What an error of PostgreSQL means. */
export function postgresTrouble(thrown: unknown): Trouble {
  if (!(thrown instanceof Error)) return 'other'
  const { code } = thrown as { code?: unknown }
  if (typeof code === 'string') {
    const known = Object.hasOwn(TROUBLES, code) ? TROUBLES[code] : undefined
    if (known) return known
    if (UNTRUSTED.test(code)) return 'untrusted'
    if (code.startsWith('08') || LOST.test(code)) return 'lost'
    return 'other'
  }
  if (/not support SSL|establishing an SSL connection/.test(thrown.message)) return 'untrusted'
  if (
    /connection terminated|client has encountered|not queryable|timeout expired|timeout exceeded/i.test(
      thrown.message,
    )
  )
    return 'lost'
  return 'other'
}
