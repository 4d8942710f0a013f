import { constants } from 'node:fs'
import { access, readFile, statfs } from 'node:fs/promises'
import { platform, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { dataFolder } from '../client/login.ts'
import { showBytes, showMemory } from '../units.ts'
import { type Check, type Finding, fail, firstLineOf, ok, warn } from './check.ts'

const NODE_MAJOR_MIN = 24
const DISK_BYTES_MIN = 500e6 // a few packages with their dependencies
const DISK_BYTES_WANTED = 5e9
const MEMORY_BYTES_WANTED = 1024 ** 3

/** What a server on this machine needs. */
export function machineChecks(env: NodeJS.ProcessEnv): readonly Check[] {
  return [
    { name: 'system', look: system },
    { name: 'node', look: node },
    { name: 'bubblewrap', look: bubblewrap },
    { name: 'user namespaces', look: userNamespaces },
    { name: 'slirp4netns', look: slirp },
    { name: 'gvisor', look: gvisor },
    { name: 'containers', look: () => containers(env) },
    { name: 'cgroups', look: cgroups },
    { name: 'memory', look: memory },
    { name: 'disk', look: () => disk(dataFolder(env)) },
  ]
}

async function system(): Promise<Finding> {
  if (platform() === 'linux') return ok('Linux')
  return fail(platform(), 'The server runs on Linux; from here, use one elsewhere: atelier login URL.')
}

async function node(): Promise<Finding> {
  const { node: version } = process.versions
  if (Number.parseInt(version, 10) >= NODE_MAJOR_MIN) return ok(version)
  return fail(version, `Node ${NODE_MAJOR_MIN} or newer is needed: "npm ci" in Atelier's folder brings one.`)
}

async function bubblewrap(): Promise<Finding> {
  const version = await firstLineOf('bwrap', ['--version'])
  if (version === undefined)
    return fail('not found', 'Functions are kept apart by it: apt install bubblewrap.')
  const works = await firstLineOf('bwrap', [
    '--ro-bind',
    '/',
    '/',
    '--unshare-all',
    '--',
    '/bin/echo',
    'works',
  ])
  if (works === 'works') return ok(version)
  return fail(
    `${version}, which cannot make a sandbox here`,
    'In a container, allow it to make namespaces; on Ubuntu 24.04, see kernel.apparmor_restrict_unprivileged_userns.',
  )
}

async function userNamespaces(): Promise<Finding> {
  if (process.getuid?.() === 0) return ok('not needed: you are root')
  const most = await numberIn('/proc/sys/user/max_user_namespaces')
  const clone = await numberIn('/proc/sys/kernel/unprivileged_userns_clone')
  if (most === 0) return fail('switched off', 'sysctl -w user.max_user_namespaces=15000')
  if (clone === 0)
    return fail('not for you', 'sysctl -w kernel.unprivileged_userns_clone=1, or run the server as root.')
  return ok('available')
}

async function slirp(): Promise<Finding> {
  const version = await firstLineOf('slirp4netns', ['--version'])
  return version === undefined
    ? warn(
        'not found',
        'Without it functions have no network, and builds cannot install dependencies: apt install slirp4netns.',
      )
    : ok(version)
}

async function gvisor(): Promise<Finding> {
  const version = await firstLineOf('runsc', ['--version'])
  return version === undefined
    ? ok('not installed: only functions with isolation gvisor need it (apt install runsc)')
    : ok(version)
}

async function containers(env: NodeJS.ProcessEnv): Promise<Finding> {
  const { lookForEngine } = await import('../../backends/index.ts')
  const wanted = env['ATELIER_CONTAINER_ENGINE']
  const found = await lookForEngine(wanted, env)
  if (!('reason' in found)) return ok(`${found.version} at ${found.path}`)
  const isNamed = Boolean(wanted || env['DOCKER_HOST'])
  return isNamed
    ? warn(
        'the engine that is named cannot be used',
        `Functions that are container images cannot run. ${sentence(found.reason)}`,
      )
    : ok('no engine: only functions that are container images need one (apt install podman)')
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`
}

async function cgroups(): Promise<Finding> {
  const remedy =
    'Limits are then kept by rlimits and a watchdog; run the server as root or in a delegated systemd unit for hard ones.'
  const second = await readFile('/sys/fs/cgroup/cgroup.controllers', 'utf8').catch(() => undefined)
  if (second !== undefined) {
    const own =
      (await readFile('/proc/self/cgroup', 'utf8').catch(() => ''))
        .split('\n')
        .find(line => line.startsWith('0::'))
        ?.slice(3) ?? '/'
    const writable =
      (await canWrite(`/sys/fs/cgroup${own}/cgroup.procs`)) || (await canWrite('/sys/fs/cgroup/cgroup.procs'))
    return writable ? ok(`version 2 (${second.trim()})`) : warn('version 2, which you may not use', remedy)
  }
  if (await canWrite('/sys/fs/cgroup/memory/tasks')) return ok('version 1')
  return warn('none that you may use', remedy)
}

async function memory(): Promise<Finding> {
  const bytes = totalmem()
  return bytes >= MEMORY_BYTES_WANTED
    ? ok(showMemory(bytes))
    : warn(showMemory(bytes), 'Few instances will fit: 1 GiB or more is better.')
}

async function disk(folder: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(await nearestFolder(folder))
  const free = bavail * bsize
  const found = `${showBytes(free)} free for ${folder}`
  if (free < DISK_BYTES_MIN) return fail(found, 'Make room, or put the data elsewhere with ATELIER_HOME.')
  return free < DISK_BYTES_WANTED ? warn(found, 'Packages and dependencies will fill it soon.') : ok(found)
}

/** The folder itself, or the nearest above it that exists. */
async function nearestFolder(folder: string): Promise<string> {
  const exists = await access(folder).then(
    () => true,
    () => false,
  )
  return exists || dirname(folder) === folder ? folder : await nearestFolder(dirname(folder))
}

async function canWrite(path: string): Promise<boolean> {
  return await access(path, constants.W_OK).then(
    () => true,
    () => false,
  )
}

async function numberIn(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : Number(text)
}
