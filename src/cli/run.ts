import { CommanderError } from 'commander'
import { Context } from './context.ts'
import { asFailure, EXIT } from './failure.ts'
import { createProgram, expand } from './program.ts'

const ONE_INTERRUPT_MS = 500

/** Runs one command line (without node and script) to its end. Resolves with the exit code; never rejects. */
export async function run(argv: readonly string[]): Promise<number> {
  const interrupt = new AbortController()
  const context = new Context(process.env, interrupt.signal)
  let interruptedMs: number | undefined
  const onInterrupt = (): void => {
    if (context.handlesSignals) return
    interruptedMs ??= performance.now()
    // The second Ctrl-C does not wait for anybody; npx passes on the first one, which the terminal has sent already.
    if (performance.now() - interruptedMs > ONE_INTERRUPT_MS) process.exit(EXIT.interrupted)
    interrupt.abort()
  }
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onInterrupt)
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
    await context.complain(failure)
    if (process.env.ATELIER_DEBUG && thrown instanceof Error) process.stderr.write(`${thrown.stack}\n`)
    return failure.exitCode
  } finally {
    context.close()
    process.off('SIGINT', onInterrupt)
    process.off('SIGTERM', onInterrupt)
  }
}
