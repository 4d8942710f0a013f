/** docs/production.md, followed as far as one machine goes: its commands and files, as they are printed. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { type Certificates, makeCertificates, opensslMissing } from '../support/brokers/certificates.ts'
import { missingProgram } from '../support/brokers/daemon.ts'
import { BIN, bareEnvironment } from '../support/command.ts'
import { mariadbMissing, startMariadb } from '../support/databases/mariadb.ts'
import { exampleOf, runExample } from '../support/doc-example.ts'
import { ServerProcess } from '../support/server-process.ts'
import { Site } from '../support/site.ts'

const PAGE = 'production.md'
const NGINX = '/usr/sbin/nginx'
const nginxMissing = missingProgram(NGINX, 'nginx-light')
const HELLO = 'export default () => "hello"\n'

suite(`docs/${PAGE}`, { skip: opensslMissing ?? false, timeout: 400_000 }, () => {
  let site: Site
  let certificates: Certificates

  before(async () => {
    site = await Site.open('127.0.0.1')
    certificates = await makeCertificates(site.folder)
  })
  after(() => site?.close())

  /** What the page shows, with this machine's places in it. */
  const shown = async (
    name: string,
    language: string,
    own: Readonly<Record<string, string>>,
  ): Promise<string> => {
    let block = await exampleOf(PAGE, name, language)
    for (const [printed, real] of Object.entries(own)) {
      assert.ok(block.includes(printed), `${name} has ${printed}`)
      block = block.replaceAll(printed, real)
    }
    return block
  }

  test('its settings with MariaDB and TLS make a server that keeps what it is told', {
    skip: mariadbMissing ?? false,
  }, async t => {
    const database = await startMariadb()
    t.after(() => database.daemon.close())
    const socket = join(database.daemon.place.folder, 'socket')
    const password = 'a%20long%20one'
    const client = `mariadb --no-defaults --user=root --socket=${socket}`
    const variables = { PASSWORD: decodeURIComponent(password) }
    const made = await runExample(PAGE, 'mariadb', site.folder, variables, [
      ['mariadb <<END', `${client} <<END`],
    ])
    assert.equal(made.code, 0, made.stderr)
    const [port, routerPort] = [await site.freePort(), await site.freePort()]
    const settings = await shown('settings', 'yaml', {
      'host: 0.0.0.0': 'host: 127.0.0.1',
      'functions.example.org:1881': `localhost:${port}`,
      'functions.example.org:1882': `localhost:${routerPort}`,
      '/etc/atelier/tls/fullchain.pem': certificates.certPath,
      '/etc/atelier/tls/key.pem': certificates.keyPath,
    })
    const start = {
      home: await site.folderAt('home'),
      flags: [
        '--port',
        `${port}`,
        '--router-port',
        `${routerPort}`,
        '--config',
        await site.write('atelier.yaml', settings),
      ],
      env: { ATELIER_DB_URI: `mysql://atelier:${password}@localhost/atelier?unix_socket=${socket}` },
    }
    const first = await ServerProcess.start(start)
    try {
      assert.equal(first.login.url, `https://localhost:${port}`)
      const code = await site.folderAt('hello')
      await site.write('hello/index.mjs', HELLO)
      const env = bareEnvironment({
        HOME: site.folder,
        ATELIER_HOME: start.home,
        NODE_EXTRA_CA_CERTS: certificates.caPath,
      })
      const deploy = [BIN, 'deploy', code, '--public']
      const { stdout } = await promisify(execFile)(process.execPath, deploy, { env, timeout: 120_000 })
      assert.match(stdout, new RegExp(`https://localhost:${routerPort}/default/default/hello`))
    } finally {
      await first.stop()
    }
    assert.match(await database.ask('atelier', 'select name from functions'), /^hello$/m)
    const second = await ServerProcess.start(start)
    try {
      const answer = await ask(`https://localhost:${routerPort}/default/default/hello`, certificates.ca)
      assert.equal(answer.body, 'hello')
    } finally {
      await second.stop()
    }
  })

  test('behind its nginx, functions are told who asked and how, whatever a client says of itself', {
    skip: nginxMissing ?? false,
  }, async t => {
    const server = await ServerProcess.start({ flags: ['--trust-forwarded', 'true'] })
    t.after(() => server.dispose())
    const tells = `export default async request => Response.json({ length: (await request.text()).length,
      proto: request.headers.get('x-forwarded-proto'), for: request.headers.get('x-forwarded-for'), host: request.headers.get('host') })`
    await server.deploy('tells', { 'index.mjs': tells })
    const port = await site.freePort()
    const block = await shown('nginx', 'nginx', {
      'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
      '/etc/atelier/tls/fullchain.pem': certificates.certPath,
      '/etc/atelier/tls/key.pem': certificates.keyPath,
      '127.0.0.1:1882': new URL(server.routerUrl).host,
    })
    const folder = await site.folderAt('nginx')
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map(name => `${name}_temp_path ${folder}/${name};`)
      .join('\n')
    const config = await site.write(
      'nginx/nginx.conf',
      `${process.getuid?.() === 0 ? 'user root;\n' : ''}daemon off;\npid ${folder}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${block}}\n`,
    )
    const nginx = site.start('nginx', [NGINX, '-c', config, '-p', folder, '-e', 'stderr'])
    const url = `https://localhost:${port}/default/default/tells`
    await nginx.ready('nginx answers', async () => (await ask(url, certificates.ca)).status === 200)
    const answer = await ask(url, certificates.ca, 'x'.repeat(3 * 1024 * 1024), {
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-proto': 'gopher',
      forwarded: 'for=203.0.113.7',
    })
    assert.equal(answer.status, 200, answer.body)
    const told = JSON.parse(answer.body) as { length: number; proto: string; for: string; host: string }
    assert.equal(told.length, 3 * 1024 * 1024)
    assert.equal(told.proto, 'https')
    assert.ok(!told.for.includes('203.0.113.7'), told.for)
    assert.equal(told.host, `localhost:${port}`)
  })

  test('its backup is restored to what was there', async () => {
    const backups = await site.folderAt('backups')
    const server = await ServerProcess.start()
    try {
      await server.deploy('kept', { 'index.mjs': HELLO })
      const backup = await runExample(PAGE, 'backup', server.home, { BACKUPS: backups })
      assert.equal(backup.code, 0, backup.stderr)
      assert.ok((await server.api('DELETE', '/v1/apps/default/functions/kept')).status < 300)
      assert.equal((await server.call('kept')).status, 404)
      assert.equal(await server.stop(), 0)
      const restore = await runExample(PAGE, 'restore', server.home, { BACKUPS: backups })
      assert.equal(restore.code, 0, restore.stderr)
      await using second = await ServerProcess.start({ home: server.home })
      assert.equal((await second.call('kept')).text, 'hello')
    } finally {
      await server.dispose()
    }
  })
})

function ask(
  url: string,
  ca: string,
  body = '',
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    request(url, { ca, agent: false, headers, method: body === '' ? 'GET' : 'POST' }, answer => {
      text(answer).then(said => resolve({ status: answer.statusCode!, body: said }), reject)
    })
      .once('error', reject)
      .end(body)
  })
}
