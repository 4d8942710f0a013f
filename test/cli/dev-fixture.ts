import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { BIN, serverEnvironment } from '../support/command.ts'

/** A running `atelier dev` and what it says. */
export class Dev {
  readonly child: ChildProcess
  readonly exited: Promise<unknown>
  url = ''
  output = ''
  #look: () => void = () => undefined

  constructor(home: string, folder: string, args: readonly string[]) {
    this.child = spawn(process.execPath, [BIN, 'dev', folder, '--port', '0', ...args], {
      cwd: home,
      env: serverEnvironment({ HOME: home }),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.exited = once(this.child, 'exit')
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
        this.url ||= /^(http:\S+)\/$/m.exec(this.output)?.[1] ?? ''
        this.#look()
      })
    }
  }

  /** Resolves once the output holds `pattern`, counted from the last call. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.output)) {
      const more = new Promise<void>(resolve => (this.#look = resolve))
      const over = await Promise.race([more.then(() => false), this.exited.then(() => true)])
      if (over && !pattern.test(this.output)) assert.fail(`ended without saying ${pattern}:\n${this.output}`)
    }
    this.output = this.output.replace(pattern, '')
  }
}

/** Starts `atelier dev` on a folder; resolves when it has loaded the code, or has said why not. */
export async function startDev(
  t: TestContext,
  home: string,
  folder: string,
  args: readonly string[] = [],
): Promise<Dev> {
  const dev = new Dev(home, folder, args)
  t.after(async () => {
    dev.child.kill('SIGTERM')
    await dev.exited
  })
  await dev.says(/is loaded|Waiting for a change/)
  return dev
}
