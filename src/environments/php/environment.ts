import { fileURLToPath } from 'node:url'
import { AtelierError } from '../../core/index.ts'
import type { BuildPlan, BuildStep, EntryOptions, Environment, EnvironmentStatus } from '../environment.ts'
import { firstOf, onlyFileWith, revisionOf } from '../files.ts'
import { firstAnswer, isProgram, outputOf, probedOnce } from '../probing.ts'
import { isPages, phpProgram } from './program.ts'

const SHIM_TARGET = '/opt/atelier/php'
const COMPOSER = '/usr/bin/composer'
const MINIMUM = { major: 8, minor: 1 } // fibers
const ENTRY_NAMES = ['index.php', 'handler.php', 'main.php', 'function.php', 'app.php']

/** What one start of the interpreter tells. Sandboxes do not see /etc, where it is said which extensions are loaded. */
const PROBE = `
$extensions = [];
foreach (array_filter(array_map('trim', explode(',', php_ini_scanned_files() ?: ''))) as $file) {
    preg_match_all('/^\\s*extension\\s*=\\s*"?([\\w.\\/-]+)/m', (string) @file_get_contents($file), $found);
    array_push($extensions, ...$found[1]);
}
echo json_encode(['version' => PHP_VERSION, 'major' => PHP_MAJOR_VERSION, 'minor' => PHP_MINOR_VERSION,
    'program' => PHP_BINARY, 'extensions' => $extensions]);
`

interface Php {
  readonly version: string
  readonly major: number
  readonly minor: number
  readonly program: string
  readonly extensions: readonly string[]
}

const shim = fileURLToPath(new URL('shim', import.meta.url))
let known: Php | undefined

/** PHP of the system, its command line program, kept running: a process serves many calls. */
export const phpEnvironment: Environment = {
  name: 'php',
  description: 'PHP functions, and plain scripts',
  contract: 'frames',
  entryHelp:
    'file.php or file.php:function; a file that only prints is a plain script; with the contract http a folder of pages (public/)',
  warmsWhenUsed: true,
  probe: probedOnce(look),
  lacks: () =>
    isProgram(COMPOSER)
      ? []
      : ['Composer is not here, which installs dependencies: install the package composer.'],
  detects: files =>
    files.includes('composer.json') ||
    files.some(file => file.endsWith('.php') && !/(^|\/)(vendor|node_modules)\//.test(file)),
  defaultEntry: files => firstOf(files, ENTRY_NAMES) ?? onlyFileWith(files, ['.php']),
  buildPlan,
  commandFor: (contract, entry) => {
    const args = phpProgram(contract, entry)
    return args && { command: [...args.before, ...interpreter(installed()), ...args.after] }
  },
}

async function look(): Promise<EnvironmentStatus> {
  const php = await firstAnswer(['/usr/bin/php', '/usr/local/bin/php', 'php'], ask)
  if (php === undefined)
    return {
      ready: false,
      reason: `PHP ${MINIMUM.major}.${MINIMUM.minor} or newer is needed, and no such php is here: install the package php-cli.`,
    }
  known = php
  return {
    ready: true,
    runtimeVersion: php.version,
    revision: revisionOf(`${php.version} ${php.extensions.join(' ')}`, shim),
    launch: {
      environment: 'php',
      command: [...interpreter(php), `${SHIM_TARGET}/shim.php`],
      env: {},
      mounts: [{ source: shim, target: SHIM_TARGET }],
    },
  }
}

async function ask(program: string): Promise<Php | undefined> {
  const output = await outputOf(program, ['-r', PROBE])
  if (output === undefined) return undefined
  try {
    const php = JSON.parse(output) as Php
    const { major, minor } = MINIMUM
    // A program outside /usr is not seen in sandboxes.
    const usable =
      php.program.startsWith('/usr/') && (php.major > major || (php.major === major && php.minor >= minor))
    return usable ? php : undefined
  } catch {
    return undefined
  }
}

function interpreter({ program, extensions }: Php): string[] {
  return [program, '-n', ...extensions.flatMap(name => ['-d', `extension=${name}`])]
}

function buildPlan(
  files: readonly string[],
  { entry, isProgram = false }: EntryOptions & { readonly entry: string },
): BuildPlan {
  const manifest = firstOf(files, ['composer.json'])
  const locked = firstOf(files, ['composer.lock'])
  // A package that brings its own vendor folder is taken as it is.
  const installs = manifest !== undefined && !files.some(file => file.startsWith('vendor/'))
  return {
    lockFiles: installs ? [manifest, ...(locked === undefined ? [] : [locked])] : [],
    dependencySteps: installs ? [installStep()] : [],
    dependencyFolder: installs ? 'vendor' : undefined,
    checkSteps:
      isProgram && isPages(entry)
        ? checkedPages(files, entry)
        : [step('check the entry', [`${SHIM_TARGET}/check.php`, '/work', entry], {})],
  }
}

/** Pages have no entry to check: whether there are any is seen from the names. */
function checkedPages(files: readonly string[], entry: string): readonly BuildStep[] {
  const folder = entry === './' ? '' : entry
  if (files.some(file => file.startsWith(folder) && file.endsWith('.php'))) return []
  throw new AtelierError(
    'BUILD_FAILED',
    `The entry names the folder ${entry}, and there is no PHP file in it.`,
  )
}

function installed(): Php {
  return known ?? { version: '', major: 8, minor: 1, program: '/usr/bin/php', extensions: [] }
}

function installStep(): BuildStep {
  if (!isProgram(COMPOSER))
    throw new AtelierError(
      'BUILD_FAILED',
      'The package has a composer.json, and Composer is not on this server: install the package composer there, or bring the folder vendor in the package.',
    )
  const command = [
    COMPOSER,
    'install',
    '--no-dev',
    '--no-interaction',
    '--no-progress',
    '--prefer-dist',
    '--classmap-authoritative',
  ]
  return step('composer install', command, { COMPOSER_ALLOW_SUPERUSER: '1', COMPOSER_NO_INTERACTION: '1' })
}

function step(title: string, command: readonly string[], env: Readonly<Record<string, string>>): BuildStep {
  return {
    title,
    command: [...interpreter(installed()), ...command],
    env,
    mounts: [{ source: shim, target: SHIM_TARGET, writable: false }],
  }
}
