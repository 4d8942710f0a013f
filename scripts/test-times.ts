import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** How long each test file took when it last ran here: the longest start first, so that none of them runs on alone. */
export class TestTimes {
  readonly #path: string
  readonly #fileMs: ReadonlyMap<string, number>

  private constructor(path: string, fileMs: ReadonlyMap<string, number>) {
    this.#path = path
    this.#fileMs = fileMs
  }

  /** What was kept at `path`; nothing when there is no such file, or none that can be read. */
  static read(path: string): TestTimes {
    try {
      return new TestTimes(path, new Map(Object.entries(JSON.parse(readFileSync(path, 'utf8')) as object)))
    } catch {
      return new TestTimes(path, new Map())
    }
  }

  /** The longest first; a file that never ran here is taken for long. */
  longestFirst(files: readonly string[]): string[] {
    const ms = (file: string): number => this.#fileMs.get(file) ?? Number.MAX_SAFE_INTEGER
    return files.toSorted((a, b) => ms(b) - ms(a) || (a < b ? -1 : 1))
  }

  /** Keeps the times of a run beside those of files that it did not run; without a place to write, the order is all that is lost. */
  update(fileMs: ReadonlyMap<string, number>): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true })
      writeFileSync(this.#path, JSON.stringify(Object.fromEntries([...this.#fileMs, ...fileMs])))
    } catch (error) {
      console.error(`the times of this run were not kept: ${(error as Error).message}`)
    }
  }
}
