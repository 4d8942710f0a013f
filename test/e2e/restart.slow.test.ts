import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { readProcessFile } from '../../src/server/index.ts'
import { BIN, serverEnvironment } from '../support/command.ts'
import { makeHome, removeHome, ServerProcess, until } from '../support/server-process.ts'

const HELLO = { 'index.mjs': 'export default () => new Response("hello")' }
const SLOW = {
  'index.mjs':
    'export default async () => { await new Promise(done => setTimeout(done, 1500)); return new Response("slept") }',
}
const CLIENTS = 8

test('a restart under load fails no request, of new connections or old ones, by the router or the API', async t => {
  const server = await ServerProcess.start()
  t.after(() => disposeAll(server))
  await server.deploy('hello', HELLO)
  await server.deploy('slow', SLOW)
  const hello = `${server.routerUrl}/default/default/hello`
  await server.call('hello')
  const load = new Load()
  t.after(() => load.end())
  for (let i = 0; i < CLIENTS; i++) {
    load.client(hello, { isKept: i % 2 === 0 })
    load.client(`${server.url}/healthz`, { isKept: i % 2 === 0 })
  }
  await load.answersMore(200)
  let pid = server.pid
  for (let round = 0; round < 2; round++) {
    const slow = ask(`${server.routerUrl}/default/default/slow`)
    await until('the slow call runs', async () =>
      (await server.instances('slow')).some(one => one.state === 'busy'),
    )
    const restarted = await server.cli('restart', '--home', server.home, '-o', 'json')
    assert.equal(restarted.code, 0, restarted.stderr + server.stderr)
    assert.equal((await slow).body, 'slept')
    const next = readProcessFile(server.home)!.pid
    assert.notEqual(next, pid)
    assert.deepEqual(JSON.parse(restarted.stdout), { home: server.home, pid: next, pidBefore: pid })
    pid = next
    await load.answersMore(200)
  }
  const { answered, failures } = await load.end()
  assert.deepEqual(failures, [], `of ${answered}`)
})

test('a server whose successor cannot start serves on, and says why', async t => {
  const home = await makeHome()
  const config = join(home, 'config.yaml')
  writeFileSync(config, 'record-days: 1\n')
  const server = await ServerProcess.start({ home, flags: ['--config', config] })
  t.after(() => disposeAll(server))
  await server.deploy('hello', HELLO)
  writeFileSync(config, 'record-days: many\n')
  const refused = await server.cli('restart', '--home', home)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /serves on as it was/)
  assert.match(server.stderr, /record-days/)
  assert.equal((await server.call('hello')).text, 'hello')
  writeFileSync(config, 'record-days: 2\n')
  const restarted = await server.cli('restart', '--home', home)
  assert.equal(restarted.code, 0, restarted.stderr)
  assert.equal((await server.call('hello')).text, 'hello')
})

test('a second server on the same home is refused as ever, and restart names a home that nobody serves', async t => {
  const server = await ServerProcess.start()
  t.after(() => disposeAll(server))
  await assert.rejects(ServerProcess.start({ home: server.home }), /in use/)
  const nobody = await server.cli('restart', '--home', join(server.home, 'elsewhere'))
  assert.equal(nobody.code, 3)
  assert.match(nobody.stderr, /no server that could be restarted/)
})

test('sockets that systemd opened are used: who connects while no server runs is answered by the next', async t => {
  const home = await makeHome()
  t.after(() => removeHome(home))
  const systemd = new Activator(home)
  t.after(() => systemd.end())
  const [api, router] = await systemd.ports()
  for (let round = 0; round < 2; round++) {
    const early = [
      ask(`http://127.0.0.1:${router}/default/default/none`),
      ask(`http://127.0.0.1:${api}/healthz`),
    ]
    await systemd.run('start')
    assert.deepEqual(
      (await Promise.all(early)).map(answer => answer.status),
      [404, 200],
    )
    await systemd.run('stop')
  }
})

/** Does what systemd does with socket units: holds the sockets, and starts the server with them from descriptor 3 on. */
class Activator {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(home: string) {
    const server = [process.execPath, BIN, 'server', '--home', home, '--log-level', 'warn']
    this.#child = spawn('python3', ['-c', ACTIVATOR, ...server], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: serverEnvironment({ HOME: home }),
    })
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]()
  }

  /** Of the API and the router. */
  async ports(): Promise<number[]> {
    return String((await this.#lines.next()).value)
      .split(' ')
      .map(Number)
  }

  async run(command: 'start' | 'stop'): Promise<void> {
    this.#child.stdin!.write(`${command}\n`)
    assert.equal((await this.#lines.next()).value, command)
  }

  end(): void {
    this.#child.stdin!.end()
  }
}

const ACTIVATOR = `
import os, signal, socket, sys
sockets = []
for wanted in (3, 4):
    each = socket.create_server(('127.0.0.1', 0), backlog=64)
    assert each.fileno() == wanted
    os.set_inheritable(wanted, True)
    sockets.append(each)
print(*(each.getsockname()[1] for each in sockets), flush=True)
child = 0
for line in sys.stdin:
    if line == 'start\\n':
        child = os.fork()
        if child == 0:
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='api:router')
            os.dup2(os.open('/dev/null', os.O_RDWR), 1)
            os.execv(sys.argv[1], sys.argv[1:])
    elif child:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        child = 0
    print(line.strip(), flush=True)
if child:
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)
`

/** Clients that ask without a pause. */
class Load {
  readonly #failures: string[] = []
  readonly #clients: Promise<void>[] = []
  #answered = 0
  #isOver = false

  client(url: string, { isKept }: { readonly isKept: boolean }): void {
    const agent = new Agent({ keepAlive: isKept, maxSockets: 1 })
    const run = async (): Promise<void> => {
      while (!this.#isOver) {
        try {
          const { status, body } = await ask(url, agent)
          if (status === 200) this.#answered++
          else this.#failures.push(`${status} ${body}`)
        } catch (error) {
          this.#failures.push(String(error))
        }
        await sleep(2)
      }
      agent.destroy()
    }
    this.#clients.push(run())
  }

  /** Resolves when so many more were answered, whatever time that takes. */
  async answersMore(count: number): Promise<void> {
    const end = this.#answered + count
    await until(
      `${count} more requests are answered`,
      () => this.#answered >= end || this.#failures.length > 0,
      120_000,
    )
  }

  async end(): Promise<{ readonly answered: number; readonly failures: readonly string[] }> {
    this.#isOver = true
    await Promise.all(this.#clients)
    return { answered: this.#answered, failures: this.#failures }
  }
}

function ask(url: string, agent?: Agent): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, agent ? { agent } : {}, answer => {
      let body = ''
      answer.setEncoding('utf8').on('data', (text: string) => (body += text))
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body }))
      answer.once('error', reject)
    })
    asked.once('error', reject)
    asked.end()
  })
}

/** Ends whichever process serves by now. */
async function disposeAll(server: ServerProcess): Promise<void> {
  const serving = readProcessFile(server.home)
  if (serving && serving.pid !== server.pid) {
    process.kill(serving.pid, 'SIGTERM')
    await until('the new server ends', () => readProcessFile(server.home) === undefined)
  }
  await server.dispose()
}
