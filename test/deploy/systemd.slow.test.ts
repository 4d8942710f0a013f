/** deploy/systemd: what systemd says of the units, and whether functions run with what the service gives up. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { BIN } from '../support/command.ts'
import { ServerProcess } from '../support/server-process.ts'

const FOLDER = join(import.meta.dirname, '../../deploy/systemd')
const UNITS = ['atelier.service', 'atelier-api.socket', 'atelier-router.socket'] as const
const ANALYZE = '/usr/bin/systemd-analyze'

const noSystemd = existsSync(ANALYZE) ? false : `${ANALYZE} is not installed (Debian package systemd)`

test('systemd finds nothing wrong with the units', { skip: noSystemd }, t => {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-units-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const paths = UNITS.map(name => {
    const path = join(folder, name)
    // Where the program lies on this machine; all else is as it is installed.
    const text = readFileSync(join(FOLDER, name), 'utf8')
      .replace('/opt/atelier/node_modules/.bin/node', process.execPath)
      .replace('/opt/atelier/bin/atelier.js', BIN)
    writeFileSync(path, text)
    return path
  })
  const { status, stderr } = spawnSync(ANALYZE, ['verify', '--man=no', ...paths], { encoding: 'utf8' })
  assert.equal(stderr, '')
  assert.equal(status, 0)
})

test('the service holds what a server needs to hand its sockets over and to end', () => {
  const service = section('Service')
  for (const name of ['atelier-api', 'atelier-router']) {
    assert.match(settings('atelier.service', 'Unit')['Requires']!, new RegExp(`${name}\\.socket`))
    assert.equal(settings(`${name}.socket`, 'Socket')['Service'], 'atelier.service')
    assert.equal(settings(`${name}.socket`, 'Socket')['FileDescriptorName'], name.slice('atelier-'.length))
  }
  assert.equal(service['KillMode'], 'mixed')
  assert.equal(service['Delegate'], 'yes')
  // Server and functions fail in ways that are hard to see through with any of these.
  for (const name of [
    'PrivateUsers',
    'RestrictNamespaces',
    'ProtectControlGroups',
    'ProtectHostname',
    'MemoryDenyWriteExecute',
  ])
    assert.equal(service[name], undefined, name)
})

test('functions run in their sandboxes, with and without network, under what the service gives up', {
  skip: process.getuid?.() === 0 ? false : 'only root may take the service’s place',
}, async () => {
  const { CapabilityBoundingSet = '', NoNewPrivileges } = section('Service')
  const kept = CapabilityBoundingSet.toLowerCase()
    .split(/\s+/)
    .map(name => `+${name.replace(/^cap_/, '')}`)
  assert.equal(NoNewPrivileges, 'yes')
  const home = mkdtempSync(join(tmpdir(), 'atelier-unit-home-'))
  // As ProtectSystem=strict with StateDirectory: all that is on the disk can be read, and the home alone be written to.
  const strict = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"'
  await using server = await ServerProcess.start({
    home,
    under: [
      'unshare',
      '--mount',
      '--propagation',
      'slave',
      'sh',
      '-c',
      strict,
      home,
      'setpriv',
      '--no-new-privs',
      '--bounding-set',
      ['-all', ...kept].join(','),
      '--inh-caps',
      '-all',
    ],
  })
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8')
  assert.match(status, /^NoNewPrivs:\s+1$/m)
  const bounding = BigInt(`0x${/^CapBnd:\s+(\w+)$/m.exec(status)![1]}`)
  // A machine in a container may have less than that itself.
  assert.ok(bounding.toString(2).replaceAll('0', '').length <= kept.length)
  const { stdout } = await server.cli('status')
  assert.doesNotMatch(stdout, /\bnone\b.*isolation/i)
  const tells = "export default () => process.getuid() + ' ' + (process.env.HOME ?? '')"
  await server.deploy('node', { 'index.mjs': tells })
  await server.deploy('python', {
    'main.py': 'def main(request, context):\n    import os\n    return str(os.getuid())',
  })
  await server.deploy('online', { 'index.mjs': tells }, { network: 'outbound' })
  for (const name of ['node', 'python', 'online']) {
    const answer = await server.call(name)
    assert.equal(answer.status, 200, answer.text)
    assert.doesNotMatch(answer.text, /^0\b/, 'not as root')
  }
})

function section(name: string): Readonly<Record<string, string>> {
  return settings('atelier.service', name)
}

/** The settings of a unit's section; one that is set twice has the values of both. */
function settings(unit: string, name: string): Readonly<Record<string, string>> {
  const text = readFileSync(join(FOLDER, unit), 'utf8')
  const body = new RegExp(`^\\[${name}\\]$([\\s\\S]*?)(?=^\\[|$(?![\\s\\S]))`, 'm').exec(text)![1]!
  const found: Record<string, string> = {}
  for (const [, key, value] of body.matchAll(/^(\w+)=(.*)$/gm))
    found[key!] = found[key!] === undefined ? value! : `${found[key!]} ${value}`
  return found
}
