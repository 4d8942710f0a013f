import { AtelierError } from '../core/index.ts'

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EACCES: 'this user may not listen there',
  EADDRNOTAVAIL: 'this machine has no such address',
}

/** Runs `open` for a port; a failure says which setting to change. */
export async function listen<T>(
  setting: string,
  port: number,
  open: (port: number) => Promise<T>,
): Promise<T> {
  try {
    return await open(port)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    const reason = REASONS[code]
    if (reason === undefined) throw cause
    throw new AtelierError(
      'UNAVAILABLE',
      `Port ${port} cannot be used: ${reason}. Choose another with --${setting}.`,
      {
        cause,
      },
    )
  }
}
