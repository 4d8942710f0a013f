import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { run } from 'node:test'
import { inspect } from 'node:util'

const FILES_SHOWN = 20
const TESTS_SHOWN = 20
const FAILURE_LINES_SHOWN = 12
const TICKS_PER_S = 100 // of the times in /proc/…/stat, on every Linux
const CHILDREN_USER = 13 // places in /proc/…/stat behind the name of the program, counted from 0
const CHILDREN_SYSTEM = 14

/** What the line-by-line output of a test run leaves out: who was skipped and why, and what took long. */
export class TestReport {
  readonly #root: string
  readonly #fileMs = new Map<string, number>()
  readonly #tests: { readonly name: string; readonly file: string; readonly ms: number }[] = []
  readonly #skipped: { readonly name: string; readonly file: string; readonly reason: string }[] = []
  readonly #failed: { readonly name: string; readonly file: string; readonly error: string }[] = []
  #durationMs = 0
  #success = false

  constructor(root: string) {
    this.#root = root
  }

  /** Whether the run came to its end and nothing failed. */
  get success(): boolean {
    return this.#success
  }

  watch(events: ReturnType<typeof run>): void {
    events.on('test:complete', data => {
      const { name, skip, details } = data
      const file = relative(this.#root, entryOf(data))
      if (name === data.file) this.#fileMs.set(file, details.duration_ms)
      else if (skip !== undefined && skip !== false) {
        const what = details.type === 'suite' ? `${name} (all its tests)` : name
        this.#skipped.push({ name: what, file, reason: skip === true ? 'no reason given' : skip })
      } else if (details.type !== 'suite') this.#tests.push({ name, file, ms: details.duration_ms })
    })
    events.on('test:fail', data => {
      const file = relative(this.#root, entryOf(data))
      // A suite, or a file, that failed for one of its tests has nothing of its own to tell.
      const { cause, failureType } = data.details.error as Error & { failureType?: string }
      if (failureType === 'subtestsFailed' && this.#failed.some(each => each.file === file)) return
      this.#failed.push({ name: data.name, file, error: inspect(cause ?? data.details.error) })
    })
    events.on('test:summary', data => {
      if (data.file !== undefined) return // of one file
      this.#durationMs = data.duration_ms
      this.#success = data.success
    })
  }

  /** The files in which something failed, by path from the root. */
  get filesFailed(): readonly string[] {
    return [...new Set(this.#failed.map(each => each.file))]
  }

  /** What failed, with the beginning of each error. */
  failures(): string[] {
    return this.#failed.flatMap(({ name, file, error }) => [
      `  ${name} (${file})`,
      ...error
        .split('\n')
        .slice(0, FAILURE_LINES_SHOWN)
        .map(line => `      ${line}`),
    ])
  }

  /** How long each file took, from the start of its process to the end, by path from the root. */
  fileMs(): ReadonlyMap<string, number> {
    return this.#fileMs
  }

  /** The skipped tests with their reasons, and with `timings` the slowest files and tests. */
  summary({ timings }: { readonly timings: boolean }): string[] {
    const lines = this.#skipped
      .toSorted((a, b) => (a.file < b.file ? -1 : 1))
      .map(each => `  ${each.name}: ${each.reason} (${each.file})`)
    if (lines.length > 0) lines.unshift('', `skipped, ${lines.length}:`)
    return timings ? [...lines, ...this.#timings()] : lines
  }

  #timings(): string[] {
    const files = [...this.#fileMs].map(([name, ms]) => ({ line: name, ms }))
    const tests = this.#tests.map(each => ({ line: `${each.name} (${each.file})`, ms: each.ms }))
    const cpuS = childrenCpuS()
    return [
      '',
      `the slowest of ${files.length} files, in seconds:`,
      ...slowest(files, FILES_SHOWN),
      '',
      `the slowest of ${tests.length} tests, in seconds:`,
      ...slowest(tests, TESTS_SHOWN),
      '',
      `${seconds(this.#durationMs)} s${cpuS === undefined ? '' : `, ${cpuS.toFixed(0)} s of CPU in child processes`}`,
    ]
  }
}

/** The file that was started. A test of a shared suite is defined elsewhere. */
function entryOf(data: { readonly file?: string; readonly entryFile?: string }): string {
  return data.entryFile ?? data.file ?? ''
}

function slowest(each: readonly { readonly line: string; readonly ms: number }[], count: number): string[] {
  return each
    .toSorted((a, b) => b.ms - a.ms)
    .slice(0, count)
    .map(({ line, ms }) => `${seconds(ms).padStart(7)}  ${line}`)
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2)
}

/** User and system time of all processes that this one started and that have ended; only Linux tells. */
function childrenCpuS(): number | undefined {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[CHILDREN_USER]) + Number(fields[CHILDREN_SYSTEM])) / TICKS_PER_S
  } catch {
    return undefined
  }
}
