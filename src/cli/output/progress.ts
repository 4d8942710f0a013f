import type { Context } from '../context.ts'
import { showDuration } from '../units.ts'
import { printable } from './styles.ts'

/**
 * Long work, step by step, on stderr. On a terminal the current step is shown with a moving mark and its time; elsewhere
 * each step is a line. Nothing at all with --quiet.
 */
export class Progress {
  readonly #context: Context
  readonly #live: boolean
  #step: { title: string; startedMs: number } | undefined
  #timer: NodeJS.Timeout | undefined
  #frame = 0

  constructor(context: Context) {
    this.#context = context
    this.#live = process.stderr.isTTY && !context.quiet && context.env.TERM !== 'dumb'
  }

  /** Ends the step before as done, and begins one. */
  step(title: string): void {
    this.done()
    this.#step = { title: printable(title), startedMs: performance.now() }
    if (!this.#live) return
    this.#draw()
    this.#timer = setInterval(() => this.#draw(), 100).unref()
  }

  /** Changes what the current step says. */
  update(title: string): void {
    if (this.#step) this.#step.title = printable(title)
  }

  /** Output of what is going on, line by line. */
  log(text: string): void {
    if (this.#context.quiet) return
    this.#erase()
    for (const line of text.replace(/\n$/, '').split('\n')) {
      // A carriage return redraws a line (npm's and pip's bars): only the last picture counts.
      const last = line.replace(/\r$/, '').split('\r').at(-1) ?? ''
      if (last.trim() === '') continue
      this.#context.note(this.#context.noteStyles.dim(`  | ${printable(last)}`))
    }
  }

  warn(text: string): void {
    this.#erase()
    this.#context.warn(printable(text))
  }

  done(): void {
    this.#end(this.#context.noteStyles.green('✓'))
  }

  failed(): void {
    this.#end(this.#context.noteStyles.red('✗'))
  }

  #end(mark: string): void {
    clearInterval(this.#timer)
    if (!this.#step) return
    const { title, startedMs } = this.#step
    this.#step = undefined
    this.#erase()
    this.#context.note(
      `${mark} ${title} ${this.#context.noteStyles.dim(`(${showDuration(Math.round(performance.now() - startedMs))})`)}`,
    )
  }

  #draw(): void {
    if (!this.#step) return
    const mark = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'[this.#frame++ % 10]!
    const width = process.stderr.columns ?? 80
    const text = `${this.#step.title} ${showDuration(Math.round(performance.now() - this.#step.startedMs))}`
    process.stderr.write(`\r\x1b[K${this.#context.noteStyles.cyan(mark)} ${text.slice(0, width - 3)}`)
  }

  #erase(): void {
    if (this.#live) process.stderr.write('\r\x1b[K')
  }
}
