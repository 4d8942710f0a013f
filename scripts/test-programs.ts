import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
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

/** Installs what tests need and this machine lacks, where that is possible, and says so. */
export function installMissing(): void {
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
