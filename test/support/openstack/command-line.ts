import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { bareEnvironment } from '../command.ts'
import { PYTHON } from '../site.ts'

const SHELL = '/usr/lib/python3/dist-packages/openstackclient/shell.py'
const PRELOADED = join(import.meta.dirname, 'preloaded.py')
const RUN_MS_MAX = 120_000

/** Why the `openstack` command cannot be run here; `false` when it can. */
export const commandLineMissing: string | false =
  !existsSync(SHELL) && `not installed: python3-openstackclient (${SHELL})`

export interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * Debian's `openstack` command, as it is. What a command costs is mostly loading its modules: that is done once, and each
 * command runs in a process that is forked from the one that has loaded them.
 */
export class CommandLine {
  /** Where a program `openstack` is that runs commands so; for the path of who runs pages. */
  readonly folder: string
  readonly #child: ChildProcess

  private constructor(folder: string, child: ChildProcess) {
    this.folder = folder
    this.#child = child
  }

  static async start(): Promise<CommandLine> {
    const folder = await mkdtemp(join(tmpdir(), 'atelier-openstack-'))
    const child = spawn(PYTHON, [PRELOADED, folder], {
      env: { PATH: '/usr/bin:/bin', HOME: folder, LANG: 'C.UTF-8', PYTHONWARNINGS: 'ignore' },
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true, // its processes are one group, which it ends
    })
    for await (const line of createInterface({ input: child.stdout }))
      if (line === 'ready') return new CommandLine(folder, child)
    await rm(folder, { recursive: true, force: true })
    throw new Error('the modules of the openstack command cannot be loaded')
  }

  /** Runs a command to its end with these variables, in `cwd` or where its own program is. */
  run(
    env: Readonly<Record<string, string>>,
    args: readonly string[],
    cwd: string = this.folder,
  ): Promise<Said> {
    const options = { cwd, env: bareEnvironment({ HOME: cwd, ...env }), timeout: RUN_MS_MAX }
    return new Promise(resolve =>
      execFile(join(this.folder, 'openstack'), args, options, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
      ),
    )
  }

  async close(): Promise<void> {
    const exited = new Promise(resolve => this.#child.once('exit', resolve))
    this.#child.stdin!.end()
    await exited
    await rm(this.folder, { recursive: true, force: true })
  }
}
