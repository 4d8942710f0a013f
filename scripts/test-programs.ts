import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

interface Program {
  /** Of a program, or a path that the package brings. */
  readonly name: string
  readonly debian: string
  readonly why: string
}

const PROGRAMS: readonly Program[] = [
  { name: 'bwrap', debian: 'bubblewrap', why: 'the sandbox that functions run in' },
  { name: 'slirp4netns', debian: 'slirp4netns', why: 'network for sandboxes' },
  { name: 'ip', debian: 'iproute2', why: 'rules for the network of sandboxes' },
  { name: 'python3', debian: 'python3', why: 'the python environment' },
  { name: 'pip3', debian: 'python3-pip', why: 'building Python packages' },
  { name: 'php', debian: 'php-cli', why: 'the php environment' },
  { name: 'composer', debian: 'composer', why: 'building PHP packages' },
  { name: 'ruby', debian: 'ruby', why: 'the ruby environment' },
  { name: 'bundle', debian: 'ruby-bundler', why: 'building Ruby packages' },
  { name: 'go', debian: 'golang-go', why: 'the go environment' },
  { name: 'curl', debian: 'curl', why: "the README's tour" },
  { name: 'shellcheck', debian: 'shellcheck', why: 'the DevStack plugin, read by a checker' },
  { name: 'zip', debian: 'zip', why: 'packages made by another program' },
  { name: 'nats-server', debian: 'nats-server', why: 'queue triggers over a real NATS' },
  { name: 'rabbitmq-server', debian: 'rabbitmq-server', why: 'queue triggers over a real RabbitMQ' },
  { name: 'mosquitto', debian: 'mosquitto', why: 'queue triggers over a real MQTT broker' },
  { name: 'redis-server', debian: 'redis-server', why: 'queue triggers over a real Redis' },
  { name: 'javac', debian: 'default-jdk-headless', why: 'the java environment, and a real Kafka' },
  { name: 'mcs', debian: 'mono-mcs', why: 'the dotnet environment' },
  { name: 'mvn', debian: 'maven', why: 'building Java projects, and Apache Kafka itself' },
]

const PYTHON_MODULES = '/usr/lib/python3/dist-packages'

/** What only slow tests use. Installed by themselves: where one of them cannot be had, the rest still runs. */
const SLOW_PROGRAMS: readonly Program[] = [
  { name: 'g++', debian: 'g++', why: "AWS's Lambda client for Node, which is compiled" },
  { name: 'cmake', debian: 'cmake', why: 'part of it' },
  { name: 'jq', debian: 'jq', why: 'the sessions on the pages of dialects' },
  { name: 'make', debian: 'make', why: 'part of it' },
  { name: 'xz', debian: 'xz-utils', why: 'part of it' },
  { name: 'runsc', debian: 'runsc', why: 'gVisor, the stronger sandbox' },
  { name: 'mariadbd', debian: 'mariadb-server', why: 'the store on MariaDB' },
  { name: '/usr/lib/postgresql', debian: 'postgresql', why: 'the store on PostgreSQL' },
  { name: 'rabbitmq-server', debian: 'rabbitmq-server', why: 'a real message broker' },
  { name: 'openstack', debian: 'python3-openstackclient', why: "OpenStack's command" },
  { name: 'podman', debian: 'podman', why: 'container images as functions' },
  { name: 'dockerd', debian: 'docker.io', why: 'the same on Docker' },
  { name: 'runc', debian: 'runc', why: 'runs their containers' },
  { name: 'crun', debian: 'crun', why: 'another that does' },
  { name: 'busybox', debian: 'busybox-static', why: 'what is in their images' },
  { name: 'newuidmap', debian: 'uidmap', why: 'engines of ordinary users' },
  { name: 'docker-registry', debian: 'docker-registry', why: 'pulling images' },
  { name: 'keystone-manage', debian: 'python3-keystone', why: "OpenStack's identity" },
  { name: `${PYTHON_MODULES}/qinlingclient`, debian: 'python3-qinlingclient', why: 'the client of Qinling' },
  { name: `${PYTHON_MODULES}/waitress`, debian: 'python3-waitress', why: 'serves it' },
  { name: `${PYTHON_MODULES}/keystonemiddleware`, debian: 'python3-keystonemiddleware', why: 'serves it' },
  { name: 'swift-proxy-server', debian: 'swift-proxy', why: "OpenStack's object store" },
  { name: 'swift-account-server', debian: 'swift-account', why: 'part of it' },
  { name: 'swift-container-server', debian: 'swift-container', why: 'part of it' },
  { name: 'swift-object-server', debian: 'swift-object', why: 'part of it' },
  { name: '/usr/share/aodh-common/api-paste.ini', debian: 'aodh-common', why: "OpenStack's alarms" },
  { name: 'aodh-notifier', debian: 'python3-aodh', why: "OpenStack's alarms" },
  {
    name: 'ceilometer-agent-notification',
    debian: 'ceilometer-agent-notification',
    why: "OpenStack's notifications",
  },
  {
    name: `${PYTHON_MODULES}/ceilometermiddleware`,
    debian: 'python3-ceilometermiddleware',
    why: "Swift's notifications",
  },
]

const SERVICE_POLICY = '/usr/sbin/policy-rc.d'

/** Installs what tests need and this machine lacks, where that is possible, and says so. */
export function installMissing({ slow }: { readonly slow: boolean }): void {
  install(PROGRAMS)
  if (slow) install(SLOW_PROGRAMS)
}

function install(programs: readonly Program[]): void {
  const missing = programs.filter(program => !onPath(program.name))
  if (missing.length === 0) return
  const list = missing.map(each => `${each.debian} (${each.why})`).join(', ')
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    console.log(`missing: ${list}. The tests that need them are skipped, by name.`)
    return
  }
  console.log(`installing what the tests need: ${list}`)
  const packages = missing.map(each => each.debian)
  const status = withoutServices(() => {
    aptGet(['update', '-qq'])
    return aptGet(['install', '-y', '-qq', '--no-install-recommends', ...packages])
  })
  if (status !== 0)
    console.log(
      `apt-get could not install ${packages.join(' ')}; the tests that need them are skipped, by name.`,
    )
}

function aptGet(args: readonly string[]): number | null {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env }).status
}

/** Tests start what they need by themselves: the packages' own services stay off, as Debian lets one say. */
function withoutServices<T>(work: () => T): T {
  if (existsSync(SERVICE_POLICY)) return work()
  writeFileSync(SERVICE_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return work()
  } finally {
    rmSync(SERVICE_POLICY)
  }
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '')
    .split(':')
    .concat('/usr/sbin', '/sbin')
    .some(folder => existsSync(resolve(folder, program)))
}
