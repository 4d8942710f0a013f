import { CommanderError } from 'commander'
import { Context } from './context.ts'
import { asFailure, EXIT } from './failure.ts'
import { createProgram, expand } from './program.ts'

/** Runs one command line (without node and script) to its end. Resolves with the exit code; never rejects. */
export async function run(argv: readonly string[]): Promise<number> {
  const interrupt = new AbortController()
  let interrupts = 0
  const onInterrupt = (): void => {
    if (++interrupts > 1) process.exit(EXIT.interrupted) // the second Ctrl-C does not wait for anybody
    interrupt.abort()
  }
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onInterrupt)
  const context = new Context(process.env, interrupt.signal)
  // `atelier logs | head`: the reader has seen enough, and that is no failure. A server goes on without one.
  process.stdout.on('error', error => {
    if (context.needsReader) process.exit('code' in error && error.code === 'EPIPE' ? EXIT.ok : EXIT.failed)
  })
  try {
    const program = await createProgram(argv, context)
    await program.parseAsync(expand(argv), { from: 'user' })
    return context.exitCode
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage
    if (interrupt.signal.aborted) {
      context.note('Interrupted.')
      return EXIT.interrupted
    }
    const failure = asFailure(thrown)
    context.complain(failure)
    if (process.env.ATELIER_DEBUG && thrown instanceof Error) process.stderr.write(`${thrown.stack}\n`)
    return failure.exitCode
  } finally {
    context.close()
    process.off('SIGINT', onInterrupt)
    process.off('SIGTERM', onInterrupt)
  }
}
