import { pino } from 'pino'

/** The server's own log: JSON lines on stderr. */
export interface ServerLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export function createLog(level: string): ServerLog {
  return pino(
    { level, base: null, redact: ['*.password', '*.token', '*.headers'] },
    pino.destination({ fd: 2, sync: false }),
  )
}
