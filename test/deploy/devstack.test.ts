/** The DevStack plugin: loaded as DevStack loads it, phase by phase, with DevStack's own functions replaced by ones that take notes. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readConfig } from '../../src/server/config.ts'

const ROOT = join(import.meta.dirname, '../..')
const SHELLCHECK = '/usr/bin/shellcheck'
const PHASES = ['stack pre-install', 'stack install', 'stack post-config', 'stack extra', 'stack test-config']

/** What plugins use of DevStack. Each call is a line: the name and its arguments, one after the other in brackets. */
const DEVSTACK = `
set -o errexit -o nounset -o pipefail
note() { local line=$1 each; shift; for each in "$@"; do line+=" [$each]"; done; echo "$line" >>"$NOTES"; }
for name in define_plugin install_package create_service_user get_or_create_endpoint run_process stop_process wait_for_service echo_summary npm; do
  eval "$name() { note $name \\"\\$@\\"; }"
done
enable_service() { ENABLED="$ENABLED $1"; }
is_service_enabled() { [[ " $ENABLED " == *" $1 "* ]]; }
get_or_create_service() { note get_or_create_service "$@"; echo an-id; }
sudo() { "$@"; }
die() { note die "$@"; exit 1; }
ENABLED=''
DEST=$FOLDER/dest DATA_DIR=$FOLDER/data SERVICE_HOST=192.0.2.10 SERVICE_LISTEN_ADDRESS=0.0.0.0 REGION_NAME=RegionOne
SERVICE_PASSWORD='pass "word" $x' SERVICE_PROJECT_NAME=service KEYSTONE_SERVICE_URI=http://192.0.2.10/identity
ATELIER_CONF_DIR=$FOLDER/etc
mkdir -p "$DEST/atelier"
`

interface Ran {
  readonly folder: string
  readonly notes: readonly string[]
}

test('a cloud with the plugin has the server, its user and its services, and none of it without', t => {
  const { notes, folder } = run(t, PHASES)
  const url = (port: number, path = '') => Array(3).fill(`[http://192.0.2.10:${port}${path}]`).join(' ')
  const expected = [
    'create_service_user [atelier]',
    'get_or_create_service [picasso] [functions] [Functions-as-a-Service]',
    `get_or_create_endpoint [functions] [RegionOne] ${url(10001)}`,
    'get_or_create_service [qinling] [function-engine] [Function Service]',
    `get_or_create_endpoint [function-engine] [RegionOne] ${url(7070)}`,
    'get_or_create_service [atelier] [faas] [Functions as a service]',
    `get_or_create_endpoint [faas] [RegionOne] ${url(1881, '/v1')}`,
  ]
  const done = notes.filter(each => /^(create|get_or)_/.test(each))
  assert.deepEqual(done, expected)
  assert.ok(notes.some(each => /^install_package .*\[bubblewrap\].*\[slirp4netns\]/.test(each)))
  assert.ok(notes.includes('npm [ci] [--omit=dev]'))
  const server = `${folder}/dest/atelier/node_modules/.bin/node ${folder}/dest/atelier/bin/atelier.js server --config ${folder}/etc/atelier.yaml`
  assert.ok(notes.includes(`run_process [atelier] [${server}] [root] [root]`), notes.join('\n'))
  const order = ['npm', 'create_service_user', 'run_process', 'wait_for_service'].map(name =>
    notes.findIndex(each => each.startsWith(`${name} `)),
  )
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  )
  assert.ok(order[0]! >= 0)

  assert.deepEqual(run(t, PHASES, { disabled: true }).notes, ['define_plugin [atelier]'])
})

test('the server takes the settings that the plugin writes, and nobody else reads the password', async t => {
  const { folder } = run(t, ['stack post-config'])
  const config = await readConfig({ flags: {}, env: {}, file: join(folder, 'etc/atelier.yaml') })
  assert.equal(config.home, join(folder, 'data/atelier'))
  assert.equal(config.dialects, 'picasso:10001,qinling:7070')
  assert.equal(config['api-url'], 'http://192.0.2.10:1881')
  assert.equal(config['router-url'], 'http://192.0.2.10:1882')
  assert.deepEqual(
    [config.identity, config['keystone-endpoint'], config['keystone-user'], config['keystone-project']],
    ['keystone', 'http://192.0.2.10/identity/v3', 'atelier', 'service'],
  )
  const file = config['keystone-password-file']
  assert.equal(readFileSync(file, 'utf8'), 'pass "word" $x\n')
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.equal(statSync(config.home).mode & 0o777, 0o700)
})

test('dialects that were not asked for are neither spoken nor in the catalogue', async t => {
  const { folder, notes } = run(t, ['stack post-config'], {
    before: 'ATELIER_DIALECTS=picasso PICASSO_PORT=11001',
  })
  const config = await readConfig({ flags: {}, env: {}, file: join(folder, 'etc/atelier.yaml') })
  assert.equal(config.dialects, 'picasso:11001')
  assert.ok(!notes.some(each => each.includes('function-engine')))
  assert.ok(notes.some(each => each.includes('[http://192.0.2.10:11001]')))
  const none = run(t, ['stack post-config'], { before: 'ATELIER_DIALECTS=none' })
  assert.ok(!none.notes.some(each => each.includes('[functions]')))
})

test('unstack ends it, clean takes away what it kept', t => {
  const { folder, notes } = run(t, ['stack post-config', 'unstack', 'clean'])
  assert.ok(notes.includes('stop_process [atelier]'))
  for (const name of ['etc', 'data/atelier']) assert.equal(existsSync(join(folder, name)), false, name)
})

test('a server that does not answer ends the installation', t => {
  const { notes } = run(t, ['stack extra'], { after: 'wait_for_service() { return 1; }', code: 1 })
  assert.ok(notes.at(-1)!.startsWith('die '))
})

test('shellcheck finds nothing wrong with the plugin', {
  skip: existsSync(SHELLCHECK) ? false : `${SHELLCHECK} is not installed (Debian package shellcheck)`,
}, () => {
  const files = ['plugin.sh', 'settings'].map(name => join(ROOT, 'devstack', name))
  const { stdout, status } = spawnSync(SHELLCHECK, files, { encoding: 'utf8' })
  assert.equal(stdout, '')
  assert.equal(status, 0)
})

function run(
  t: TestContext,
  phases: readonly string[],
  { before = '', after = '', code = 0, disabled = false } = {},
): Ran {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-devstack-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const script = [
    DEVSTACK,
    before,
    after,
    'source "$PLUGIN/settings"',
    ...(disabled ? ["ENABLED=''"] : []),
    ...phases.map(phase => `source "$PLUGIN/plugin.sh" ${phase}`),
  ].join('\n')
  const notes = join(folder, 'notes')
  const env = { PATH: process.env['PATH'], FOLDER: folder, NOTES: notes, PLUGIN: join(ROOT, 'devstack') }
  const ran = spawnSync('bash', ['-c', script], { env, encoding: 'utf8' })
  assert.equal(ran.status, code, ran.stderr)
  return { folder, notes: readFileSync(notes, 'utf8').trimEnd().split('\n') }
}
