import { globSync } from 'node:fs'
import { readFile, realpath } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AtelierError } from '../../core/index.ts'
import type { BuildPlan, BuildStep, EntryOptions, Environment, EnvironmentStatus } from '../environment.ts'
import { firstOf } from '../files.ts'
import { firstAnswer, outputOf, probedOnce, programsOf } from '../probing.ts'
import { makeShim } from './make.ts'
import { MAVEN_CONF_TARGET, mavenCommand } from './maven.ts'

const MAJOR_MIN = 17
const ENTRY_CLASSES = ['Main', 'Handler', 'Function', 'App', 'Index']
const PROCESSORS_MAX = 4 // pools that the JDK makes for each core would take the function's threads

const sources = fileURLToPath(new URL('./source', import.meta.url))
const mavenConf = fileURLToPath(new URL('./maven', import.meta.url))

/** What a small, quick start needs. Memory is bounded by the instance's limit and not by these: the heap only grows when it must. */
export const JVM_OPTIONS: readonly string[] = [
  '-XX:TieredStopAtLevel=1',
  '-XX:+UseSerialGC',
  '-Xshare:auto',
  '-Xms8m',
  '-Xmn6m',
  '-XX:MaxRAMPercentage=70',
  '-XX:MinHeapFreeRatio=15',
  '-XX:MaxHeapFreeRatio=30',
  '-XX:ReservedCodeCacheSize=32m',
  '-Xss512k',
  '-XX:-UsePerfData',
  `-XX:ActiveProcessorCount=${Math.min(PROCESSORS_MAX, availableParallelism())}`,
  '-Duser.dir=/function',
  '-Dfile.encoding=UTF-8',
]

/** Of programs; `Code.java` has it for handlers. */
const CLASS_PATH = ['classes', 'target/classes', '.', '*', 'lib/*'].map(path => `/function/${path}`).join(':')

interface Jdk {
  readonly version: string
  readonly home: string
}

let known: { readonly jdk: Jdk; readonly made: string; readonly maven: string | undefined } | undefined

/** Java of the system: a JDK, since sources are compiled. */
export const javaEnvironment: Environment = {
  name: 'java',
  description: 'Java classes, sources, Maven projects and jars',
  contract: 'frames',
  entryHelp: 'Class, Class:method or Class:method:convention; conventions: plain (default), function, lambda',
  warmsWhenUsed: true,
  probe: probedOnce(look),
  lacks: () =>
    known?.maven === undefined
      ? ['Maven is not here, which builds packages with a pom.xml: install the package maven.']
      : [],
  detects: files => files.some(file => /(^pom\.xml|\.java)$/.test(file) || /^[^/]+\.jar$/.test(file)),
  defaultEntry,
  buildPlan,
  commandFor: (contract, entry) =>
    contract === 'functions-framework'
      ? undefined
      : { command: [java(), ...JVM_OPTIONS, '-cp', CLASS_PATH, ...entry.split(':', 1)] },
}

async function look(): Promise<EnvironmentStatus> {
  const jdk = await firstAnswer(['/usr/bin/javac', '/usr/local/bin/javac', 'javac'], ask)
  if (jdk === undefined)
    return {
      ready: false,
      reason: `Java ${MAJOR_MIN} or newer with its compiler is needed, and no such javac is here: install the package default-jdk-headless.`,
    }
  let shim: { readonly folder: string; readonly key: string }
  try {
    shim = await makeShim(sources, jdk.home, jdk.version, JVM_OPTIONS)
  } catch (error) {
    return { ready: false, reason: `The shim for Java could not be compiled: ${String(error)}` }
  }
  known = { jdk, made: shim.folder, maven: await findMaven() }
  return {
    ready: true,
    runtimeVersion: jdk.version,
    revision: shim.key,
    launch: {
      environment: 'java',
      command: [
        java(),
        ...JVM_OPTIONS,
        `-XX:SharedArchiveFile=${shim.folder}/shim.jsa`,
        '-jar',
        `${shim.folder}/shim.jar`,
      ],
      env: {},
      mounts: mounts(),
    },
  }
}

function java(): string {
  return join(known?.jdk.home ?? '/usr', 'bin', 'java')
}

async function ask(program: string): Promise<Jdk | undefined> {
  const home = dirname(dirname(await realpath(program)))
  const version =
    (await toldBy(home)) ?? /^javac (\S+)/.exec((await outputOf(program, ['-version'])) ?? '')?.[1]
  return version === undefined || Number.parseInt(version, 10) < MAJOR_MIN ? undefined : { version, home }
}

/** What a JDK says of itself in a file: to start it for that takes half a second. */
async function toldBy(home: string): Promise<string | undefined> {
  const text = await readFile(join(home, 'release'), 'utf8').catch(() => '')
  return /^JAVA_VERSION="([^"]+)"$/m.exec(text)?.[1]
}

async function findMaven(): Promise<string | undefined> {
  const [program] = programsOf(['mvn'])
  if (program === undefined) return undefined
  const home = dirname(dirname(await realpath(program)))
  if (globSync('boot/plexus-classworlds*.jar', { cwd: home }).length > 0) return home
  const said = await outputOf(program, ['-version'])
  return /^Maven home: (\S+)$/m.exec(said ?? '')?.[1]
}

/** The shim under its own path, which the archive of its classes holds; and a JDK that is not in /usr. */
function mounts(): { source: string; target: string }[] {
  const { made = '', jdk } = known ?? {}
  const own = jdk !== undefined && !`${jdk.home}/`.startsWith('/usr/')
  return [{ source: made, target: made }, ...(own ? [{ source: jdk.home, target: jdk.home }] : [])]
}

function defaultEntry(files: readonly string[]): string | undefined {
  const classes = files
    .filter(file => file.endsWith('.java') && !/(^|\/)test\//.test(file))
    .map(file => file.replace(/^src\/main\/java\//, '').replace(/\.java$/, ''))
    .filter(path => !/(^|\/)(package|module)-info$/.test(path))
  const named = ENTRY_CLASSES.flatMap(name =>
    classes.filter(path => path === name || path.endsWith(`/${name}`)),
  )
  const [entry] = named.length > 0 ? named : classes.length === 1 ? classes : []
  return entry?.replaceAll('/', '.')
}

function buildPlan(
  files: readonly string[],
  { entry, isProgram = false }: EntryOptions & { readonly entry: string },
): BuildPlan {
  const pom = firstOf(files, ['pom.xml'])
  const check = (...more: readonly string[]) =>
    step(pom === undefined ? 'javac' : 'check the entry', [
      java(),
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      '-Xshare:auto',
      '-cp',
      `${known?.made ?? ''}/shim.jar`,
      'atelier.shim.Build',
      '/work',
      entry,
      ...more,
      ...(isProgram ? ['program'] : []),
    ])
  if (pom === undefined)
    return { lockFiles: [], dependencySteps: [], dependencyFolder: undefined, checkSteps: [check()] }
  return {
    lockFiles: [pom],
    dependencySteps: [maven()],
    dependencyFolder: undefined,
    checkSteps: [check('ready')],
    keepsToolCache: true,
  }
}

function maven(): BuildStep {
  const { jdk, made = '', maven } = known ?? {}
  if (maven === undefined)
    throw new AtelierError(
      'BUILD_FAILED',
      'The package has a pom.xml, and Maven is not on this server: install the package maven there, or bring jars without the pom.xml.',
    )
  return {
    ...step('mvn package', mavenCommand(jdk?.home ?? '/usr', maven, made)),
    mounts: [...mounts(), { source: mavenConf, target: MAVEN_CONF_TARGET }].map(readOnly),
  }
}

function step(title: string, command: readonly string[]): BuildStep {
  return { title, command, env: {}, mounts: mounts().map(readOnly) }
}

function readOnly(mount: { source: string; target: string }) {
  return { ...mount, writable: false }
}
