/**
 * `npm test`: the whole suite with the Node that the repository brings. What needs a program that is missing is
 * installed first where that is possible (root on Debian or Ubuntu), and said so; otherwise those tests skip by name.
 *
 * `--fast`: without `*.slow.test.ts`. Other arguments are parts of file names: only files that contain one of them.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'

const PROGRAMS: readonly { readonly name: string; readonly debian: string; readonly why: string }[] = [
  { name: 'bwrap', debian: 'bubblewrap', why: 'the sandbox that functions run in' },
  { name: 'slirp4netns', debian: 'slirp4netns', why: 'network for sandboxes' },
  { name: 'ip', debian: 'iproute2', why: 'rules for the network of sandboxes' },
  { name: 'python3', debian: 'python3', why: 'the python environment' },
  { name: 'pip3', debian: 'python3-pip', why: 'building Python packages' },
  { name: 'curl', debian: 'curl', why: "the README's tour" },
  { name: 'zip', debian: 'zip', why: 'packages made by another program' },
]
const SLOW = '.slow.test.ts'
const FILES_AT_ONCE = 2 // the suite is planned for two cores

const root = join(import.meta.dirname, '..')
const bin = join(root, 'node_modules', '.bin')
const options = process.argv.slice(2)
const fast = options.includes('--fast')
const wanted = options.filter(each => !each.startsWith('-'))

installMissing()

const files = globSync('test/**/*.test.ts', { cwd: root })
  .filter(file => !(fast && file.endsWith(SLOW)))
  .filter(file => wanted.length === 0 || wanted.some(part => file.includes(part)))
  .toSorted()
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ') || 'test/**/*.test.ts'}`)
  process.exit(1)
}

const result = spawnSync(
  process.execPath,
  ['--test', `--test-concurrency=${FILES_AT_ONCE}`, '--test-timeout=300000', ...files],
  { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` } },
)
process.exitCode = result.status ?? 1

function installMissing(): void {
  const missing = PROGRAMS.filter(program => !onPath(program.name))
  if (missing.length === 0) return
  const list = missing.map(each => `${each.debian} (${each.why})`).join(', ')
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    console.log(`missing: ${list}. The tests that need them are skipped, by name.`)
    return
  }
  console.log(`installing what the tests need: ${list}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  spawnSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 'ignore', 'inherit'], env })
  const packages = missing.map(each => each.debian)
  const installed = spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env,
  })
  if (installed.status !== 0)
    console.log(
      `apt-get could not install ${packages.join(' ')}; the tests that need them are skipped, by name.`,
    )
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '')
    .split(':')
    .concat('/usr/sbin', '/sbin')
    .some(folder => existsSync(join(folder, program)))
}
