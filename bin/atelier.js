#!/usr/bin/env node
// The `atelier` command. Atelier needs Node 24; the repository brings it as an npm package, so a machine whose
// own Node is older starts this file again with that one.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { fileURLToPath } from 'node:url'
import { useCompileCache } from './compile-cache.js'

const NODE_MAJOR_MIN = 24

// Containers run as users that no table knows. The data directory is then the one place that is theirs.
if (!process.env.HOME) {
  const home = knownHome() || process.env.ATELIER_HOME
  if (!home) {
    console.error(
      'error: this user has no home directory. Set HOME, or ATELIER_HOME to a folder for the data.',
    )
    process.exit(1)
  }
  process.env.HOME = home
}

// glibc gives each thread a heap of its own and keeps in it what was freed: 15 MB of a server that had two thousand deploys. It asks
// for this when a process begins, so a server begins twice; with the same process id, and 30 ms later. Not one that was given
// sockets: Node passes those on to nobody.
const { LISTEN_PID, LISTEN_FDS = '0', LISTEN_FDNAMES = '' } = process.env
const socketsGiven = Number(LISTEN_PID) === process.pid ? Number(LISTEN_FDS) : 0
const env =
  process.argv[2] === 'server' && process.env.MALLOC_ARENA_MAX === undefined && socketsGiven === 0
    ? { ...process.env, MALLOC_ARENA_MAX: '1' }
    : process.env

if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) {
  if (env !== process.env && process.execve && !process.send)
    process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], env)
  useCompileCache()
  const built = new URL('../dist/atelier.js', import.meta.url)
  await import(existsSync(built) ? built.href : new URL('../src/cli/main.ts', import.meta.url).href)
} else {
  const candidates = [
    `../node_modules/node-linux-${process.arch}/bin/node`,
    `../../node-linux-${process.arch}/bin/node`,
    '../node_modules/.bin/node',
  ].map(path => fileURLToPath(new URL(path, import.meta.url)))
  const node = candidates.find(path => existsSync(path))
  if (!node) {
    console.error(
      `atelier needs Node ${NODE_MAJOR_MIN} or newer, and this is ${process.version}. Run "npm ci" in its folder: that brings one along.`,
    )
    process.exit(1)
  }
  const descriptors = Array.from({ length: socketsGiven }, (_, i) => 3 + i)
  const names = LISTEN_FDNAMES.split(':')
  const listeners = descriptors.map((fd, i) => `${names[i] ?? ''}=${fd}:`).join(',')
  const child = spawn(node, process.argv.slice(1), {
    stdio: ['inherit', 'inherit', 'inherit', ...descriptors],
    env: socketsGiven > 0 ? { ...env, ATELIER_LISTENERS: listeners } : env,
  })
  // A terminal signals both processes, but a supervisor only this one: without passing it on, the server would be left behind.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'])
    process.on(signal, () => child.kill(signal))
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

function knownHome() {
  try {
    return userInfo().homedir
  } catch {
    return undefined
  }
}
