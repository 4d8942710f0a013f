/** A whole server that speaks TLS by itself, with a certificate of a private authority. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { type Certificates, makeCertificates, opensslMissing } from '../support/brokers/certificates.ts'
import { BIN, bareEnvironment } from '../support/command.ts'
import { ServerProcess, until } from '../support/server-process.ts'

const FUNCTION = `export default request => Response.json({
  proto: request.headers.get('x-forwarded-proto'), forwarded: request.headers.get('forwarded'),
})`

interface Told {
  readonly status: number
  readonly location: string | undefined
  readonly body: string
}

describe('a server with a certificate of its own', {
  skip: opensslMissing ?? false,
  timeout: 300_000,
}, () => {
  let folder: string
  let server: ServerProcess
  let first: Certificates
  let second: Certificates
  let fnPort: string
  let trusted: string
  const pair = { cert: '', key: '' }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atelier-tls-'))
    const [one, two, code] = ['one', 'two', 'code'].map(name => join(folder, name)) as [
      string,
      string,
      string,
    ]
    for (const each of [one, two, code]) await mkdir(each)
    first = await makeCertificates(one)
    second = await makeCertificates(two)
    pair.cert = join(folder, 'cert.pem')
    pair.key = join(folder, 'key.pem')
    await show(first)
    trusted = first.caPath
    server = await ServerProcess.start({
      flags: ['--tls-cert', pair.cert, '--tls-key', pair.key, '--dialects', 'fn:0', '--log-level', 'info'],
    })
    await writeFile(join(code, 'index.mjs'), FUNCTION)
    const deployed = await cli('deploy', code, '--name', 'hello', '--public')
    assert.equal(deployed.code, 0, deployed.stderr)
    fnPort = new URL(server.dialect('fn')).port
  })
  after(async () => {
    await server?.dispose()
    await rm(folder, { recursive: true, force: true })
  })

  test('API, router and dialect answer over TLS, and their links say so', async () => {
    for (const url of [server.url, server.routerUrl]) assert.match(url, /^https:/)
    assert.equal((await get(`${server.url}/healthz`)).status, 200)
    assert.equal((await get(`https://localhost:${fnPort}/v2/apps`)).status, 401)
    const answer = await get(`${server.routerUrl}/default/default/hello`)
    assert.equal(answer.status, 200)
    const { proto, forwarded } = JSON.parse(answer.body) as { proto: string; forwarded: string }
    assert.equal(proto, 'https')
    assert.match(forwarded, /proto=https/)
    const identity = await get(`${server.url}/identity/v3`)
    assert.ok(identity.body.includes(`"${server.url}/identity/v3`), identity.body)
    const accepted = await get(`${server.routerUrl}/default/default/hello`, {
      headers: { prefer: 'respond-async' },
    })
    assert.equal(accepted.status, 202)
    assert.ok(accepted.location?.startsWith(`${server.url}/v1/async-invocations/`), accepted.location)
  })

  test('the command works where the authority is trusted, and says what to do where it is not', async () => {
    const listed = await cli('function', 'list')
    assert.equal(listed.code, 0, listed.stderr)
    assert.match(listed.stdout, /hello/)
    const refused = await cli('--no-trust', 'function', 'list')
    assert.notEqual(refused.code, 0)
    assert.match(refused.stderr, /certificate authority is not known here.*NODE_EXTRA_CA_CERTS/)
  })

  test('who speaks no TLS, or one that is too old, gets no answer, and is let go', async () => {
    for (const url of [server.url, server.routerUrl]) {
      const port = Number(new URL(url).port)
      const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n'))
      socket.on('error', () => {})
      assert.doesNotMatch(await text(socket).catch(() => ''), /HTTP\/1\.1 (200|401|404)/)
      const old = connectTls({
        port,
        host: '127.0.0.1',
        ca: first.ca,
        maxVersion: 'TLSv1.1',
        minVersion: 'TLSv1',
      })
      const [error] = (await once(old, 'error')) as [NodeJS.ErrnoException]
      assert.match(
        error.code ?? '',
        /ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE|ECONNRESET/,
      )
    }
    assert.equal((await get(`${server.routerUrl}/default/default/hello`)).status, 200)
  })

  test('SIGHUP shows the renewed certificate to new connections, and breaks none that is open', async () => {
    const kept = new Agent({ keepAlive: true, maxSockets: 1, ca: first.ca })
    const hello = `${server.routerUrl}/default/default/hello`
    assert.equal((await get(hello, { agent: kept })).status, 200)

    await writeFile(pair.cert, 'half a certificate')
    process.kill(server.pid, 'SIGHUP')
    await until('it has said so', () => /certificate stays as it was/.test(server.stderr))
    assert.equal((await get(hello)).status, 200)

    await show(second)
    process.kill(server.pid, 'SIGHUP')
    await until('it has read it', () => /certificate was read again/.test(server.stderr))
    for (const url of [hello, `${server.url}/healthz`, `https://localhost:${fnPort}/v2/apps`]) {
      assert.ok((await get(url, { ca: second.ca })).status < 500)
      await assert.rejects(get(url), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
    }
    assert.equal((await get(hello, { agent: kept })).status, 200, 'the connection from before')
    kept.destroy()
    trusted = second.caPath
    assert.equal((await cli('function', 'list')).code, 0)
    await show(first)
    process.kill(server.pid, 'SIGHUP')
    trusted = first.caPath
    await until('the first is back', async () => (await get(hello).catch(() => undefined))?.status === 200)
  })

  test('a new process takes over the encrypted sockets, and refuses nobody', async () => {
    const hello = `${server.routerUrl}/default/default/hello`
    const failures: unknown[] = []
    let answered = 0
    const over = new AbortController()
    const load = (async () => {
      while (!over.signal.aborted) {
        const status = await get(hello).then(
          each => each.status,
          (error: unknown) => error,
        )
        if (status === 200) answered++
        else failures.push(status)
      }
    })()
    const restarted = await cli('restart', '-o', 'json')
    assert.equal(restarted.code, 0, restarted.stderr)
    const before = answered
    await until('it is answered after it', () => answered > before + 3)
    over.abort()
    await load
    assert.deepEqual(failures, [])
    const { pid } = JSON.parse(restarted.stdout) as { pid: number }
    process.kill(pid, 'SIGTERM')
    await until('the new one has ended', () => !isAlive(pid))
  })

  async function show(certificates: Certificates): Promise<void> {
    await copyFile(certificates.certPath, pair.cert)
    await copyFile(certificates.keyPath, pair.key)
  }

  async function cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const trusts = args[0] !== '--no-trust'
    const env = bareEnvironment({
      HOME: server.home,
      ATELIER_HOME: server.home,
      ...(trusts && { NODE_EXTRA_CA_CERTS: trusted }),
    })
    const given = [BIN, ...(trusts ? args : args.slice(1))]
    try {
      return { code: 0, ...(await promisify(execFile)(process.execPath, given, { env, timeout: 120_000 })) }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { code, stdout, stderr }
    }
  }

  function get(
    url: string,
    {
      ca = first.ca,
      agent,
      headers = {},
    }: { ca?: string; agent?: Agent; headers?: Record<string, string> } = {},
  ): Promise<Told> {
    return new Promise((resolve, reject) => {
      request(url, { ca, headers, agent: agent ?? false }, answer => {
        text(answer).then(
          body => resolve({ status: answer.statusCode!, location: answer.headers.location, body }),
          reject,
        )
      })
        .once('error', reject)
        .end()
    })
  }
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
