import { pino } from 'pino'

/** The server's own log: JSON lines. */
export interface ServerLog {
  /** Whether lines of this level are written. */
  isLevelEnabled(level: 'debug'): boolean
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** `file`: where its lines go; empty for standard error. */
export function createLog(level: string, file: string): ServerLog {
  return pino(
    { level, base: null, redact: ['*.password', '*.token', '*.headers'] },
    pino.destination({ dest: file === '' ? 2 : file, append: true, sync: false }),
  )
}
