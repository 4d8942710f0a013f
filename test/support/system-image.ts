import { execFile, spawnSync } from 'node:child_process'
import { lstatSync, readdirSync, readlinkSync, realpathSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { commandWith, type Engine, programPath } from './engine.ts'

const run = promisify(execFile)

/** Why no image can be made of these Debian packages. */
export function systemImageUnavailable(packages: readonly string[]): string | false {
  if (!programPath('apt-cache')) return 'apt-cache is not there: this machine is no Debian'
  const missing = packages.filter(name => spawnSync('dpkg-query', ['--listfiles', name]).status !== 0)
  return missing.length > 0 && `${missing.join(', ')} is not installed as a package`
}

/** The Debian package that a program came with, which may have been replaced since; `undefined`: it came otherwise, or is not there. */
export function packageOf(program: string): string | undefined {
  const path = programPath(program)
  if (path === undefined) return undefined
  const { stdout } = spawnSync('dpkg-query', ['--search', realpathSync(path)], { encoding: 'utf8' })
  return /^[\w.+-]+/.exec(stdout ?? '')?.[0]
}

/** Makes an image of Debian packages that this machine has: these, all that they need, and folders beside them. */
export async function systemImage(
  engine: Engine,
  reference: string,
  { packages, folders }: { readonly packages: readonly string[]; readonly folders: readonly string[] },
  instructions: readonly string[],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-system-'))
  try {
    const list = join(folder, 'list')
    await writeFile(list, (await filesOf(await withNeeded(packages), folders)).join('\n'))
    const archive = join(folder, 'system.tar')
    await commandWith('tar', ['-cf', archive, '-C', '/', '--no-recursion', '-T', list])
    await engine.command('import', ...instructions.flatMap(each => ['--change', each]), archive, reference)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function withNeeded(packages: readonly string[]): Promise<readonly string[]> {
  const others = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances']
  const options = ['--recurse', '--installed', ...others.map(each => `--no-${each}`)]
  const { stdout } = await run('apt-cache', ['depends', ...options, ...ESSENTIAL, ...packages], {
    maxBuffer: BYTES_MAX,
  })
  // It also names what another package is there instead of.
  const all = await run('dpkg-query', ['--show', '--showformat=${db:Status-Status} ${Package}\n'])
  const installed = new Set(all.stdout.split('\n').map(line => /^installed (\S+)$/.exec(line)?.[1]))
  return [...new Set(stdout.split('\n').filter(line => installed.has(line)))]
}

/** Their files, from the root on, without what is only read by people. */
async function filesOf(packages: readonly string[], folders: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await run('dpkg-query', ['--listfiles', ...packages], { maxBuffer: BYTES_MAX })
  const real = new Map<string, string>()
  const found = new Set<string>()
  const add = (path: string): void => {
    if (!path.startsWith('/') || READ_BY_PEOPLE.test(path) || !lstatSync(path, { throwIfNoEntry: false }))
      return
    // A package may say /bin/sh where /bin is a link to /usr/bin.
    const parent = dirname(path)
    if (!real.has(parent)) real.set(parent, realpathSync(parent))
    found.add(join(real.get(parent)!, basename(path)).slice(1))
  }
  stdout.split('\n').forEach(add)
  MADE_LATER.forEach(add)
  for (const folder of folders)
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) add(join(folder, name))
  for (const name of readdirSync('/etc/alternatives')) add(`/etc/alternatives/${name}`)
  for (const name of readdirSync('/usr/bin'))
    if (linkOf(`/usr/bin/${name}`)?.startsWith('/etc/alternatives/')) add(`/usr/bin/${name}`)
  return [...found].filter(Boolean)
}

function linkOf(path: string): string | undefined {
  return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined
}

const BYTES_MAX = 64 * 2 ** 20
const READ_BY_PEOPLE = /^\/usr\/share\/(doc|man|info|locale|lintian)\//
/** What every Debian has, as far as anything here needs it. */
const ESSENTIAL = [
  'bash',
  'base-files',
  'coreutils',
  'dash',
  'debianutils',
  'grep',
  'libc-bin',
  'sed',
  'util-linux',
]
/** What no package's list names: it came to be when they were installed. */
const MADE_LATER = [
  '/bin',
  '/sbin',
  '/lib',
  '/lib64',
  '/etc/group',
  '/etc/passwd',
  '/etc/ld.so.cache',
  '/etc/ssl/certs/ca-certificates.crt',
]
