import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { AtelierError } from '../../core/index.ts'
import type { BuildPlan, BuildStep, Environment, EnvironmentStatus } from '../environment.ts'
import { firstOf, onlyFileWith, revisionOf } from '../files.ts'
import { programsOf } from '../probing.ts'
import { pythonProgram } from './program.ts'

const run = promisify(execFile)

const SHIM_TARGET = '/opt/atelier/python'
const PACKAGES_FOLDER = 'python_packages'
const ENTRY_NAMES = ['main.py', 'index.py', 'handler.py', 'function.py', 'app.py', 'lambda_function.py']
const MINOR_MIN = 9
const PROBE_MS_MAX = 20_000
// The system's own packages are not shown to functions: what they use, they bring. Settings come from nobody's environment.
const ISOLATED = ['-I', '-S']

/** What one start of the interpreter tells; on the way it compiles the shim, which sandboxes see read-only. */
const PROBE = `
import compileall, importlib.util, json, sys
try:
    compileall.compile_dir(sys.argv[1], quiet=2)
except OSError:
    pass
print(json.dumps({"version": sys.version.split()[0], "minor": sys.version_info[1], "major": sys.version_info[0],
    "prefix": sys.base_prefix, "program": sys.executable, "pip": importlib.util.find_spec("pip") is not None}))
`

interface Python {
  readonly version: string
  readonly major: number
  readonly minor: number
  readonly prefix: string
  readonly program: string
  readonly pip: boolean
}

const shim = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '')
let found: Promise<Python | undefined> | undefined
let known: Python | undefined

/** Python of the system, 3.9 or newer. */
export const pythonEnvironment: Environment = {
  name: 'python',
  description: 'Python functions, WSGI and ASGI applications',
  contract: 'frames',
  entryHelp:
    'module:function or module:function:convention; conventions: plain (default), lambda, wsgi, asgi',
  probe,
  lacks: () =>
    known?.pip === false
      ? ['pip is not here, which installs requirements: install the package python3-pip.']
      : [],
  commandFor: (contract, entry) => ({
    command: [program(), '-S', '-u', ...pythonProgram(contract, entry)],
    env: { PYTHONPATH: `/function/${PACKAGES_FOLDER}:/function` },
  }),
  detects: files => files.some(file => file.endsWith('.py') && !file.includes('node_modules/')),
  defaultEntry: files => (firstOf(files, ENTRY_NAMES) ?? onlyFileWith(files, ['.py']))?.replace(/\.py$/, ''),
  buildPlan,
}

async function probe(): Promise<EnvironmentStatus> {
  found ??= choose()
  const python = await found
  if (python === undefined) {
    found = undefined // it may be installed while we run
    return {
      ready: false,
      reason: `Python 3.${MINOR_MIN} or newer is needed, and no such python3 is here: install the package python3. Functions that are servers of their own need it too.`,
    }
  }
  known = python
  return {
    ready: true,
    runtimeVersion: python.version,
    revision: revisionOf(python.version, shim),
    launch: {
      environment: 'python',
      command: [python.program, ...ISOLATED, `${SHIM_TARGET}/shim.py`],
      env: {},
      mounts: mounts(python),
      zygote: { command: [python.program, ...ISOLATED, `${shim}/zygote.py`] },
    },
  }
}

/** The system's own Python before one that somebody has put into the path; one with pip before one without. */
async function choose(): Promise<Python | undefined> {
  let first: Python | undefined
  for (const program of programsOf(['/usr/bin/python3', '/usr/local/bin/python3', 'python3'])) {
    const python = await ask(program)
    if (python?.major !== 3 || python.minor < MINOR_MIN) continue
    if (python.pip) return python
    first ??= python
  }
  return first
}

async function ask(python: string): Promise<Python | undefined> {
  try {
    const { stdout } = await run(python, ['-I', '-c', PROBE, shim], { timeout: PROBE_MS_MAX })
    return JSON.parse(stdout) as Python
  } catch {
    return undefined // not there, or none that runs
  }
}

/** The shim, and the interpreter where it is not in /usr, which every sandbox shows. */
function mounts(python: Python | undefined): { source: string; target: string }[] {
  const own = python !== undefined && !`${python.prefix}/`.startsWith('/usr/')
  return [
    { source: shim, target: SHIM_TARGET },
    ...(own ? [{ source: python.prefix, target: python.prefix }] : []),
  ]
}

function buildPlan(files: readonly string[], { entry }: { readonly entry: string }): BuildPlan {
  if (isOfQinling(entry)) return planOfQinling()
  const requirements = firstOf(files, ['requirements.txt'])
  const brought = files.some(file => file.startsWith(`${PACKAGES_FOLDER}/`))
  const installs = requirements !== undefined && !brought
  return {
    lockFiles: installs ? [requirements] : [],
    dependencySteps: installs ? [installStep(requirements)] : [],
    dependencyFolder: installs ? PACKAGES_FOLDER : undefined,
    checkSteps: [step('check the entry', pythonCommand('check.py', '/work', entry), {})],
  }
}

/** Whether this is a function as Qinling has them: it brings all it needs, and is looked at when it runs. */
export function isOfQinling(entry: string): boolean {
  return entry.endsWith(':qinling')
}

/** Its package is one file, package.zip, as it was sent. */
export function planOfQinling(): BuildPlan {
  return {
    lockFiles: [],
    dependencySteps: [],
    dependencyFolder: undefined,
    checkSteps: [step('unpack package.zip', pythonCommand('unpack.py', '/work'), {})],
  }
}

function installStep(requirements: string): BuildStep {
  if (known?.pip === false) {
    throw new AtelierError(
      'BUILD_FAILED',
      `The package has a ${requirements}, and pip is not on this server: install python3-pip there, or bring the folder ${PACKAGES_FOLDER} in the package.`,
    )
  }
  const command = [
    program(),
    '-I',
    '-m',
    'pip',
    'install',
    `--requirement=${requirements}`,
    `--target=${PACKAGES_FOLDER}`,
    '--no-input',
    '--no-cache-dir',
    '--disable-pip-version-check',
    '--progress-bar=off',
    '--root-user-action=ignore',
  ]
  return step('pip install', command, { PYTHONDONTWRITEBYTECODE: '1' })
}

/** Runs one of the scripts beside this file, with the mounts of `pythonMounts`. */
export function pythonCommand(script: string, ...args: readonly string[]): readonly string[] {
  return [program(), ...ISOLATED, `${SHIM_TARGET}/${script}`, ...args]
}

/** What build steps in Python need to see. */
export function pythonMounts(): { source: string; target: string; writable: boolean }[] {
  return mounts(known).map(mount => ({ ...mount, writable: false }))
}

function program(): string {
  return known?.program ?? '/usr/bin/python3'
}

function step(title: string, command: readonly string[], env: Readonly<Record<string, string>>): BuildStep {
  return { title, command, env, mounts: pythonMounts() }
}
