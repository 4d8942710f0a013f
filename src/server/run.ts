import { asAtelierError } from '../core/index.ts'
import { readConfig } from './config.ts'
import { createLog } from './log.ts'
import { startServer } from './server.ts'

/**
 * The life of a server process: configuration, start, what it prints, and the signals that end it. SIGTERM and SIGINT drain;
 * a second one ends at once. Resolves with the exit code.
 */
export async function runServer(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  file: string | undefined,
): Promise<number> {
  try {
    const config = readConfig({ flags, env: process.env, file })
    const log = createLog(config['log-level'])
    const server = await startServer(config, log)
    console.log(server.banner)
    return await untilStopped(server.stop)
  } catch (thrown) {
    const error = asAtelierError(thrown)
    console.error(`error: ${error.message}`)
    if (error.code === 'INTERNAL') console.error(thrown)
    return 1
  }
}

function untilStopped(stop: () => Promise<void>): Promise<number> {
  return new Promise((resolve, reject) => {
    let signals = 0
    const onSignal = (): void => {
      signals++
      if (signals > 1) {
        process.exit(1)
      }
      console.log('Stopping: running calls may finish; another signal ends them.')
      stop().then(() => resolve(0), reject)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}
