import type { BuildPlan, Environment, EnvironmentStatus } from '../environment.ts'
import { firstOf } from '../files.ts'
import { pythonCommand, pythonEnvironment, pythonMounts } from '../python-program.ts'

const ENTRY_NAMES = ['bootstrap', 'handler', 'handler.sh', 'main.sh', 'run.sh', 'function.sh', 'run', 'main']

/**
 * Any executable or script, started anew for each call with the names of CGI. The runner is the Python shim, forked from its
 * zygote.
 */
export const binaryEnvironment: Environment = {
  name: 'binary',
  description: 'Executables and shell scripts, a process for each call',
  contract: 'frames',
  entryHelp: 'the path of the executable in the package',
  warmsWhenUsed: true,
  probe,
  commandFor: (_contract, entry) => ({ command: [`/function/${entry}`] }),
  yields: true, // packages of other languages have scripts too
  detects: files => firstOf(files, ENTRY_NAMES) !== undefined,
  defaultEntry: files => firstOf(files, ENTRY_NAMES),
  buildPlan,
}

async function probe(): Promise<EnvironmentStatus> {
  const python = await pythonEnvironment.probe()
  if (!python.ready) return { ready: false, reason: `Its runner is written in Python. ${python.reason}` }
  const { launch, revision } = python
  return {
    ready: true,
    runtimeVersion: `${process.platform} ${process.arch}`,
    revision,
    launch: { ...launch, environment: 'binary', env: { ...launch.env, ATELIER_PROGRAM: '1' } },
  }
}

function buildPlan(_files: readonly string[], { entry }: { readonly entry: string }): BuildPlan {
  return {
    lockFiles: [],
    dependencySteps: [],
    dependencyFolder: undefined,
    checkSteps: [
      {
        title: 'check the program',
        command: pythonCommand('check_program.py', '/work', entry),
        env: {},
        mounts: pythonMounts(),
      },
    ],
  }
}
