import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import type { Context } from '../context.ts'
import { CliFailure, EXIT, usage } from '../failure.ts'
import { printable } from '../output/styles.ts'
import type { CommandSpec } from '../spec.ts'
import { showDuration } from '../units.ts'

const PORT_DEFAULT = 1888
const INSPECT_PORT_DEFAULT = 9229

export const dev: CommandSpec = {
  name: 'dev',
  summary: 'Run a function on this machine, reloading as you type',
  details: `Runs the code in a plain process with the same shim as on the server: no server is needed, and there is no sandbox, so run only
code that you trust. Every change is loaded at once; when the new code does not load, the error is shown and the last good
code goes on answering. Configuration comes from atelier.json, secrets from a file .env in the folder. What a build makes (Go),
and servers and commands of their own (a contract in the manifest), are deployed instead.

--inspect opens a debugger: connect with an editor or chrome://inspect; calls then have no timeout. WebSockets are refused here.`,
  args: [{ syntax: '[folder]', help: 'Folder of the function (default: this folder)', completes: 'file' }],
  options: [
    {
      flags: '-p, --port <port>',
      help: `Where to answer (default: ${PORT_DEFAULT}, or a free one when that is taken)`,
    },
    {
      flags: '--inspect [port]',
      help: `Open a debugger (default: ${INSPECT_PORT_DEFAULT}); write --inspect=PORT for another`,
    },
  ],
  examples: [
    ['atelier dev', 'the folder you are in'],
    ['atelier dev examples/thumbnail --port 3000', 'another folder and port'],
    ['atelier dev . --inspect', 'with breakpoints'],
  ],
  async run({ context, args, options }) {
    const folder = resolve(args[0] ?? '.')
    const shown = args[0] ?? '.'
    const stats = await stat(folder).catch(() => undefined)
    if (!stats)
      throw new CliFailure(EXIT.notFound, `${shown} does not exist`, {
        hint: 'Give the folder of a function: atelier dev FOLDER.',
      })
    if (!stats.isDirectory())
      throw usage(`${shown} is not a folder`, 'Put the file into a folder of its own.')
    const port = options.integer('port', '--port', { min: 0, max: 65_535 })
    const inspectPort =
      options.integer('inspect', '--inspect', { min: 0, max: 65_535 }) ??
      (options.flag('inspect') ? INSPECT_PORT_DEFAULT : undefined)

    const [{ DevRunner }, { createFront }, { watchFolder }] = await Promise.all([
      import('../dev/runner.ts'),
      import('../dev/front.ts'),
      import('../dev/watch.ts'),
    ])
    const say = new Voice(context)
    const runner = new DevRunner(
      { folder, env: context.env, inspectPort },
      {
        onLog: (stream, text) => say.log(stream, text),
        onReady(project, tookMs, reloaded) {
          for (const warning of project.warnings) context.warn(printable(warning))
          say.good(
            reloaded
              ? `Reloaded in ${showDuration(Math.round(tookMs))}.`
              : `${project.app}/${project.name} (${project.environment.name}, ${project.entry}) is loaded.`,
          )
        },
        onBroken(failure, kept) {
          say.bad(
            failure.message,
            failure instanceof CliFailure
              ? [...failure.details, ...(failure.hint ? [failure.hint] : [])].join('\n')
              : stackOf(failure.cause),
          )
          context.note(kept ? 'The last good code goes on answering.' : 'Waiting for a change.')
        },
        onCrash: how => say.bad(`The function ${how}. The next call starts it again.`, undefined),
      },
    )
    const front = createFront(
      runner,
      {
        onAnswer: (method, path, status, tookMs) => say.answer(method, path, status, tookMs),
        onFailure: message => say.bad(message, undefined),
      },
      { timeouts: inspectPort === undefined },
    )
    const address = await listen(front, port)
    const unwatch = await watchFolder(folder, () => void runner.reload())
    context.print(`http://127.0.0.1:${address.port}/`)
    context.note(context.noteStyles.dim('Ctrl-C ends it.'))
    await runner.reload()
    if (!context.signal.aborted) await once(context.signal, 'abort')
    unwatch()
    front.closeAllConnections()
    front.close()
    await runner.close()
    context.exitCode = EXIT.interrupted
  },
}

async function listen(server: Server, port: number | undefined): Promise<AddressInfo> {
  for (const one of port === undefined ? [PORT_DEFAULT, 0] : [port]) {
    server.listen(one, '127.0.0.1')
    const taken = await once(server, 'listening').then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error,
    )
    if (!taken) return server.address() as AddressInfo
    if (taken.code !== 'EADDRINUSE') throw taken
  }
  throw new CliFailure(EXIT.failed, `port ${port} is taken`, {
    hint: 'Choose another with --port, or leave it out for a free one.',
  })
}

/** Of our own failure; that of the code has been printed with what the code says. */
function stackOf(cause: unknown): string | undefined {
  return cause instanceof Error ? cause.stack : undefined
}

/** How `atelier dev` speaks: what the code prints to stdout and stderr as it is, all else to stderr. */
class Voice {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  log(stream: 'stdout' | 'stderr', text: string): void {
    process[stream].write(text)
  }

  good(text: string): void {
    this.#context.note(`${this.#context.noteStyles.green('✓')} ${printable(text)}`)
  }

  bad(message: string, detail: string | undefined): void {
    const { red, dim } = this.#context.noteStyles
    process.stderr.write(`${red('✗')} ${printable(message)}\n`)
    // The first lines of a stack repeat the message.
    if (detail) process.stderr.write(`${dim(printable(detail).replace(/^(?!\s)/gm, '  '))}\n`)
  }

  answer(method: string, path: string, status: number, tookMs: number): void {
    const { red, yellow, green, dim } = this.#context.noteStyles
    const paint = status >= 500 ? red : status >= 400 ? yellow : green
    this.#context.note(`${paint(String(status))} ${method} ${printable(path)} ${dim(showDuration(tookMs))}`)
  }
}
