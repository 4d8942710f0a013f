import { fileURLToPath } from 'node:url'
import type { BuildPlan, BuildStep, EntryOptions, Environment, EnvironmentStatus } from '../environment.ts'
import { revisionOf } from '../files.ts'
import { NODE_TARGET, nodeMount } from '../node-program.ts'
import { firstAnswer, outputOf, probedOnce } from '../probing.ts'
import { type Go, standardLibrary } from './standard-library.ts'

const SHIM_TARGET = '/opt/atelier/go'
const MINOR_MIN = 21
const BINARY = '.atelier/function'

const shim = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '')
let known: Go | undefined

/** Go, compiled to a static binary with the shim inside: an instance is that binary and nothing else. */
export const goEnvironment: Environment = {
  name: 'go',
  description: 'Go functions and HTTP handlers, compiled',
  contract: 'frames',
  entryHelp:
    'Handler, or folder:Handler, where Handler is a func(http.ResponseWriter, *http.Request) or an http.Handler; the folder of a package main with a contract',
  startsWithCode: true,
  probe: probedOnce(look),
  detects: files =>
    files.includes('go.mod') || files.some(file => file.endsWith('.go') && !file.includes('node_modules/')),
  defaultEntry,
  buildPlan,
  // Whatever it speaks is compiled into it.
  commandFor: () => ({ command: [`/function/${BINARY}`] }),
}

async function look(): Promise<EnvironmentStatus> {
  const go = await firstAnswer(['/usr/local/go/bin/go', '/usr/bin/go', '/usr/lib/go/bin/go', 'go'], ask)
  if (go === undefined)
    return {
      ready: false,
      reason: `Go 1.${MINOR_MIN} or newer is needed, and no such go is here: install it to /usr/local/go, or the package golang-go where it is new enough.`,
    }
  known = go
  return {
    ready: true,
    runtimeVersion: go.version,
    revision: revisionOf(go.version, shim),
    launch: { environment: 'go', command: [`/function/${BINARY}`], env: {}, mounts: [] },
  }
}

async function ask(program: string): Promise<Go | undefined> {
  const output = await outputOf(program, ['env', 'GOVERSION', 'GOROOT'])
  const [, minor, root] = /^go1\.(\d+)\S*.*\n(\/.*)\n/.exec(output ?? '') ?? []
  if (output === undefined || root === undefined || Number(minor) < MINOR_MIN) return undefined
  return { version: output.slice(2).split(/\s/, 1)[0]!, root }
}

function defaultEntry(
  files: readonly string[],
  { isProgram = false }: EntryOptions = {},
): string | undefined {
  const folders = new Set(
    files
      .filter(file => file.endsWith('.go') && !file.endsWith('_test.go') && !/(^|\/)vendor\//.test(file))
      .map(file => file.slice(0, Math.max(0, file.lastIndexOf('/')))),
  )
  if (isProgram) return programFolder([...folders])
  if (folders.has('')) return 'Handler'
  return folders.size === 1 ? `${[...folders][0]}:Handler` : undefined
}

/** Where `go build` finds the program: at the root, or in the only folder of cmd, or in the only folder there is. */
function programFolder(folders: readonly string[]): string | undefined {
  if (folders.includes('')) return '.'
  const commands = folders.filter(folder => /^cmd\/[^/]+$/.test(folder))
  const [only, ...others] = commands.length > 0 ? commands : folders
  return others.length === 0 ? only : undefined
}

function buildPlan(
  files: readonly string[],
  { entry, isProgram = false }: EntryOptions & { readonly entry: string },
): BuildPlan {
  // A package that brings its vendor folder needs no network, and one without a go.mod names no modules.
  const downloads = files.includes('go.mod') && !files.includes('vendor/modules.txt')
  return {
    lockFiles: [],
    dependencySteps: downloads ? [step('download modules', 'download', entry, isProgram)] : [],
    dependencyFolder: undefined,
    checkSteps: [step('go build', 'compile', entry, isProgram)],
    keepsToolCache: true,
    ...(known && { toolCacheSeed: standardLibrary(known) }),
  }
}

function step(title: string, phase: string, entry: string, isProgram: boolean): BuildStep {
  const root = known?.root ?? '/usr/local/go'
  const mounts = [nodeMount(), { source: shim, target: SHIM_TARGET }]
  if (!`${root}/`.startsWith('/usr/')) mounts.push({ source: root, target: root })
  return {
    title,
    command: [
      NODE_TARGET,
      `${SHIM_TARGET}/build.mjs`,
      phase,
      '/work',
      entry,
      BINARY,
      ...(isProgram ? ['program'] : []),
    ],
    env: { PATH: `${root}/bin:/usr/local/bin:/usr/bin:/bin`, ATELIER_CACHE: '/cache', GOTOOLCHAIN: 'local' },
    mounts: mounts.map(mount => ({ ...mount, writable: false })),
  }
}
