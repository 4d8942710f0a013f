import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface, type Interface } from 'node:readline'
import { PYTHON } from '../site.ts'

const SHELL = '/usr/lib/python3/dist-packages/openstackclient/shell.py'

/** Why the `openstack` command cannot be run here; `false` when it can. */
export const commandLineMissing: string | false =
  !existsSync(SHELL) && `not installed: python3-openstackclient (${SHELL})`

export interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * Debian's `openstack` command, as it is, in one Python process: what a command costs is mostly loading its modules. Commands run one
 * after the other, each with the variables that it is given and no others.
 */
export class CommandLine {
  readonly #child: ChildProcess
  readonly #lines: Interface
  #stderr = ''
  #last: Promise<unknown> = Promise.resolve()

  constructor(home: string) {
    this.#child = spawn(PYTHON, ['-c', LOOP], {
      env: { PATH: '/usr/bin:/bin', HOME: home, LANG: 'C.UTF-8' },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text))
    this.#lines = createInterface({ input: this.#child.stdout! })
  }

  run(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Said> {
    const next = this.#last.then(async () => {
      this.#child.stdin!.write(`${JSON.stringify({ env, args })}\n`)
      const line = await new Promise<string>((resolve, reject) => {
        const onClose = (): void => reject(new Error(`the command line ended: ${this.#stderr}`))
        this.#lines.once('close', onClose)
        this.#lines.once('line', text => {
          this.#lines.off('close', onClose)
          resolve(text)
        })
      })
      return JSON.parse(line) as Said
    })
    this.#last = next.catch(() => {})
    return next
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }
}

const LOOP = `
import contextlib, io, json, logging, os, sys
from openstackclient import shell
from openstackclient.common.clientmanager import ClientManager
from osc_lib.clientmanager import ClientCache

for line in sys.stdin:
    asked = json.loads(line)
    for name in [each for each in os.environ if each.startswith('OS_')]:
        del os.environ[name]
    os.environ.update(asked['env'])
    logging.getLogger().handlers.clear()
    # Who asked last is kept with the class.
    for owner in ClientManager.__mro__:
        for kept in vars(owner).values():
            if isinstance(kept, ClientCache):
                kept._handle = None
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = shell.main(asked['args'])
        except SystemExit as end:
            code = end.code
    sys.stdout.write(json.dumps({'code': int(code or 0), 'stdout': out.getvalue(), 'stderr': err.getvalue()}) + '\\n')
    sys.stdout.flush()
`
