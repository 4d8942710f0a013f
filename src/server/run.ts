import { asAtelierError } from '../core/index.ts'
import { readConfig } from './config.ts'
import { createLog } from './log.ts'
import { startServer } from './server.ts'

const ONE_STOP_MS = 500
const ALIVE_MS = 60_000

/**
 * The life of a server process: configuration, start, what it prints, and the signals that end it. SIGTERM and SIGINT drain,
 * also while it starts; a second one ends at once. Resolves with the exit code.
 */
export async function runServer(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  file: string | undefined,
): Promise<number> {
  const stopAsked = stopSignal()
  try {
    const config = await readConfig({ flags, env: process.env, file })
    const log = createLog(config['log-level'], config['log-file'])
    const server = await startServer(config, log)
    console.log(server.banner)
    await stopAsked
    console.log('Stopping: running calls may finish; another signal ends them.')
    // What is waited for may be a timer, and those keep no process alive.
    const alive = setInterval(() => {}, ALIVE_MS)
    await server.stop()
    clearInterval(alive)
    return 0
  } catch (thrown) {
    const error = asAtelierError(thrown)
    console.error(`error: ${error.message}`)
    if (error.code === 'INTERNAL') console.error(thrown)
    return 1
  }
}

/**
 * Resolves at the first signal to stop; a later one ends the process. Ctrl-C under npm arrives twice, from the terminal and
 * from npm, so what comes together is one.
 */
function stopSignal(): Promise<void> {
  return new Promise(resolve => {
    let firstMs: number | undefined
    const onSignal = (): void => {
      firstMs ??= performance.now()
      if (performance.now() - firstMs > ONE_STOP_MS) process.exit(1)
      resolve()
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}
