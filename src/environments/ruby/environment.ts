import { fileURLToPath } from 'node:url'
import { AtelierError } from '../../core/index.ts'
import type { BuildPlan, BuildStep, Environment, EnvironmentStatus } from '../environment.ts'
import { firstOf, onlyFileWith, revisionOf } from '../files.ts'
import { firstAnswer, isProgram, outputOf, probedOnce } from '../probing.ts'

const SHIM_TARGET = '/opt/atelier/ruby'
const BUNDLE_FOLDER = 'vendor/bundle'
const BUNDLERS = ['/usr/bin/bundle', '/usr/local/bin/bundle']
const MAJOR_MIN = 3
const ENTRY_NAMES = ['config.ru', 'handler.rb', 'main.rb', 'function.rb', 'app.rb', 'index.rb']
// The system's own gems are not shown to functions: what they use, they bring.
const ISOLATED = ['--disable-gems', '--disable-did_you_mean', '-Eutf-8:utf-8']

const shim = fileURLToPath(new URL('shim', import.meta.url))
let known = '/usr/bin/ruby'

/** Ruby of the system. */
export const rubyEnvironment: Environment = {
  name: 'ruby',
  description: 'Ruby functions and Rack applications',
  contract: 'frames',
  entryHelp: 'file.rb, file.rb:method, or config.ru',
  warmsWhenUsed: true,
  probe: probedOnce(look),
  lacks: () =>
    findBundler() === undefined
      ? ['Bundler is not here, which installs gems: install the package ruby-bundler.']
      : [],
  detects: files =>
    files.includes('Gemfile') ||
    files.some(file => /\.(rb|ru)$/.test(file) && !/(^|\/)(vendor|node_modules)\//.test(file)),
  defaultEntry: files => firstOf(files, ENTRY_NAMES) ?? onlyFileWith(files, ['.rb']),
  buildPlan,
  // A server of its own needs what a handler does without: RubyGems.
  commandFor: (contract, entry) =>
    contract === 'functions-framework'
      ? undefined
      : { command: [known, '-Eutf-8:utf-8', `${SHIM_TARGET}/program.rb`, scriptOf(entry)] },
}

async function look(): Promise<EnvironmentStatus> {
  const ruby = await firstAnswer(['/usr/bin/ruby', '/usr/local/bin/ruby', 'ruby'], ask)
  if (ruby === undefined)
    return {
      ready: false,
      reason: `Ruby ${MAJOR_MIN}.0 or newer is needed, and no such ruby is here: install the package ruby.`,
    }
  known = ruby.program
  return {
    ready: true,
    runtimeVersion: ruby.version,
    revision: revisionOf(ruby.version, shim),
    launch: {
      environment: 'ruby',
      command: [ruby.program, ...ISOLATED, `${SHIM_TARGET}/shim.rb`],
      env: {},
      mounts: [{ source: shim, target: SHIM_TARGET }],
    },
  }
}

async function ask(program: string): Promise<{ version: string; program: string } | undefined> {
  const output = await outputOf(program, [
    '--disable-gems',
    '-rrbconfig',
    '-e',
    'print RUBY_VERSION, " ", RbConfig.ruby',
  ])
  const [version = '', path = ''] = (output ?? '').split(' ')
  // A program outside /usr is not seen in sandboxes.
  return Number.parseInt(version, 10) >= MAJOR_MIN && path.startsWith('/usr/')
    ? { version, program: path }
    : undefined
}

function buildPlan(files: readonly string[], { entry }: { readonly entry: string }): BuildPlan {
  const manifest = firstOf(files, ['Gemfile'])
  const locked = firstOf(files, ['Gemfile.lock'])
  const installs = manifest !== undefined && !files.some(file => file.startsWith(`${BUNDLE_FOLDER}/`))
  return {
    lockFiles: installs ? [manifest, ...(locked === undefined ? [] : [locked])] : [],
    dependencySteps: installs ? [installStep(files, locked !== undefined)] : [],
    dependencyFolder: installs ? BUNDLE_FOLDER : undefined,
    checkSteps: [step('check the entry', [...ISOLATED, `${SHIM_TARGET}/check.rb`, '/work', entry], {})],
  }
}

/** As in a handler's entry, whose second part has no meaning for a program. */
function scriptOf(entry: string): string {
  const [file = ''] = entry.split(':', 1)
  return file.endsWith('.rb') ? file : `${file}.rb`
}

/** Bundler makes a file that sets the paths of all gems: at run time neither it nor RubyGems is loaded. */
function installStep(files: readonly string[], locked: boolean): BuildStep {
  const bundler = findBundler()
  if (bundler === undefined)
    throw new AtelierError(
      'BUILD_FAILED',
      `The package has a Gemfile, and Bundler is not on this server: install the package ruby-bundler there, or bring the folder ${BUNDLE_FOLDER} in the package ("bundle install --standalone").`,
    )
  const cached = files.some(file => file.startsWith('vendor/cache/'))
  return step('bundle install', [bundler, 'install', '--standalone', ...(cached ? ['--local'] : [])], {
    BUNDLE_PATH: BUNDLE_FOLDER,
    BUNDLE_WITHOUT: 'development:test',
    BUNDLE_SILENCE_ROOT_WARNING: 'true',
    BUNDLE_DISABLE_VERSION_CHECK: 'true',
    ...(locked && { BUNDLE_FROZEN: 'true' }),
  })
}

function findBundler(): string | undefined {
  return BUNDLERS.find(isProgram)
}

function step(title: string, args: readonly string[], env: Readonly<Record<string, string>>): BuildStep {
  return {
    title,
    command: [known, ...args],
    env,
    mounts: [{ source: shim, target: SHIM_TARGET, writable: false }],
  }
}
