import { fileURLToPath } from 'node:url'
import { AtelierError } from '../../core/index.ts'
import type { BuildPlan, BuildStep, Environment, EnvironmentStatus } from '../environment.ts'
import { firstOf, onlyFileWith, revisionOf } from '../files.ts'
import { NODE_TARGET, nodeHeaders, nodeMount } from '../node-program.ts'
import { isOfQinling, planOfQinling } from '../python-program.ts'
import { findNpm, headersVariable } from './npm.ts'
import { nodeProgram, SHIM_TARGET } from './program.ts'

const NODE_MAJOR_MIN = 24
const NPM_TARGET = '/opt/atelier/npm'
const HEADERS_TARGET = '/opt/atelier/node-headers'
const SOURCE_EXTENSIONS = ['.mjs', '.js', '.cjs', '.ts', '.mts', '.cts']
const ENTRY_NAMES = ['index', 'main', 'handler', 'function', 'app', 'server']

// What a tenant's code may hear from Node about itself is for its author, not a warning about our way of loading it.
const QUIET = ['--disable-warning=ExperimentalWarning', '--disable-warning=MODULE_TYPELESS_PACKAGE_JSON']

/** Node: the program that runs the server runs the functions too, so there is nothing to install. */
export const nodejsEnvironment: Environment = {
  name: 'nodejs',
  description: 'JavaScript and TypeScript on Node',
  contract: 'frames',
  entryHelp: 'file, file#export or file#export:convention; conventions: web (default), lambda, fission, http',
  probe: async () => probe(),
  lacks: () =>
    findNpm() === undefined
      ? ['npm is not here, which installs the dependencies of packages: install npm.']
      : [],
  detects: files =>
    files.includes('package.json') || files.some(file => isSource(file) && !file.includes('node_modules/')),
  defaultEntry: files =>
    firstOf(
      files,
      ENTRY_NAMES.flatMap(name => SOURCE_EXTENSIONS.map(extension => name + extension)),
    ) ?? onlyFileWith(files, SOURCE_EXTENSIONS),
  buildPlan,
  commandFor: (contract, entry) => ({
    command: [NODE_TARGET, ...QUIET, ...nodeProgram(contract, entry)],
  }),
}

function isSource(file: string): boolean {
  return SOURCE_EXTENSIONS.some(extension => file.endsWith(extension))
}

function probe(): EnvironmentStatus {
  const version = process.versions.node
  if (Number.parseInt(version, 10) < NODE_MAJOR_MIN) {
    return { ready: false, reason: `Node ${NODE_MAJOR_MIN} or newer is needed, and this is ${version}.` }
  }
  const shim = fileURLToPath(new URL('shim', import.meta.url))
  return {
    ready: true,
    runtimeVersion: version,
    revision: revisionOf(version, shim),
    launch: {
      environment: 'nodejs',
      command: [NODE_TARGET, ...QUIET, `${SHIM_TARGET}/main.mjs`],
      env: {},
      mounts: [nodeMount(), { source: shim, target: SHIM_TARGET }],
    },
  }
}

function buildPlan(files: readonly string[], { entry }: { readonly entry: string }): BuildPlan {
  if (isOfQinling(entry)) return planOfQinling()
  const locked = firstOf(files, ['package-lock.json', 'npm-shrinkwrap.json'])
  const manifest = firstOf(files, ['package.json'])
  // A package that brings its own node_modules is taken as it is.
  const installs = manifest !== undefined && !files.some(file => file.startsWith('node_modules/'))
  return {
    lockFiles: installs ? [manifest, ...(locked === undefined ? [] : [locked])] : [],
    dependencySteps: installs ? [installStep(locked !== undefined)] : [],
    dependencyFolder: installs ? 'node_modules' : undefined,
    checkSteps: [checkStep(entry)],
  }
}

function installStep(locked: boolean): BuildStep {
  const npm = findNpm()
  if (npm === undefined) {
    throw new AtelierError(
      'BUILD_FAILED',
      'The package has a package.json, and npm is not on this server: install npm there, or bring node_modules in the package.',
    )
  }
  const visible = npm.startsWith('/usr/') // every sandbox shows it
  const command = [
    NODE_TARGET,
    `${visible ? npm : NPM_TARGET}/bin/npm-cli.js`,
    locked ? 'ci' : 'install',
    '--omit=dev',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
  ]
  const headers = nodeHeaders()
  const mounts = [
    nodeMount(),
    ...(visible ? [] : [{ source: npm, target: NPM_TARGET }]),
    ...(headers === undefined ? [] : [{ source: headers, target: `${HEADERS_TARGET}/include/node` }]),
  ]
  return {
    title: locked ? 'npm ci' : 'npm install',
    command,
    env: {
      // npm and install scripts start `node` by name.
      PATH: '/opt/atelier/bin:/usr/local/bin:/usr/bin:/bin',
      // Where node-gyp would else load them from, a server may not reach.
      ...(headers !== undefined && { [headersVariable(npm)]: HEADERS_TARGET }),
    },
    mounts: [...mounts, { source: nodeMount().source, target: '/opt/atelier/bin/node' }].map(readOnly),
  }
}

function checkStep(entry: string): BuildStep {
  return {
    title: 'check the entry',
    command: [
      NODE_TARGET,
      '--disable-warning=ExperimentalWarning',
      `${SHIM_TARGET}/check.mjs`,
      '/work',
      entry,
    ],
    env: {},
    mounts: [
      nodeMount(),
      { source: fileURLToPath(new URL('shim', import.meta.url)), target: SHIM_TARGET },
    ].map(readOnly),
  }
}

function readOnly(mount: { source: string; target: string }): {
  source: string
  target: string
  writable: boolean
} {
  return { ...mount, writable: false }
}
