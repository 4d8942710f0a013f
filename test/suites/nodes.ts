import assert from 'node:assert/strict'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Database } from '../support/databases/database.ts'
import { makeHome, ServerProcess, until } from '../support/server-process.ts'

const WAIT_MS = 90_000

/** Two real servers on one database: what is done on one of them holds on the other, and either may go. */
export function nodeSuite(
  name: string,
  { start, missing }: { start(): Promise<Database>; missing: string | undefined },
): void {
  describe(`two servers on one ${name}`, { skip: missing ?? false }, () => {
    let database: Database
    let url: string
    let a: ServerProcess
    let b: ServerProcess
    before(async () => {
      database = await start()
      url = await database.create()
      a = await startNode(url)
      b = await startNode(url, a.home)
    })
    after(async () => {
      await Promise.all([a?.dispose(), b?.dispose()])
      await database?.daemon.stop('SIGQUIT') // PostgreSQL's processes are no group
      await database?.daemon.close()
    })

    test('both know each other, and one of them leads', async () => {
      for (const server of [a, b])
        await until('two nodes are there', async () => (await nodesOf(server)).length === 2, WAIT_MS)
      const [ofA, ofB] = [await nodesOf(a), await nodesOf(b)]
      assert.deepEqual(
        ofA.map(({ id, url: at, isLeader }) => [id, at, isLeader]),
        ofB.map(({ id, url: at, isLeader }) => [id, at, isLeader]),
      )
      assert.equal(ofA.filter(each => each.isLeader).length, 1)
      assert.equal(ofA.find(each => each.isThis)?.url, a.url)
    })

    test('the tables may be looked at while servers run on them', async () => {
      const { code, stdout, stderr } = await a.cli('db', 'status', '--db-uri', url, '-o', 'json')
      assert.equal(code, 0, stderr)
      const { items } = JSON.parse(stdout) as { items: { kind: string; pending: string[] }[] }
      assert.deepEqual(
        items.map(({ kind, pending }) => [kind, pending]),
        [
          ['control', []],
          ['events', []],
        ],
      )
      assert.doesNotMatch(stdout, /p@ss|p%40ss/)
      const migrated = await b.cli('db', 'migrate', '--db-uri', url)
      assert.equal(migrated.code, 0, migrated.stderr)
      assert.match(migrated.stdout, /is up to date$/m)
    })

    test('a deploy on one is routed by the other within a second, with the bundle that the first one built', async () => {
      await a.deploy('hello', { 'index.mjs': `export default () => 'one'`, 'lib/x.txt': 'x' })
      const deployed = performance.now()
      await until('the other routes it', async () => (await b.call('hello')).status === 200, WAIT_MS)
      assert.equal((await b.call('hello')).text, 'one')
      console.log(`# routed and answered by the other after ${Math.round(performance.now() - deployed)} ms`)
      await b.deploy('hello', { 'index.mjs': `export default () => 'two'` })
      await until('the first has the newer one', async () => (await a.call('hello')).text === 'two', WAIT_MS)
      // Without its package: the other has it.
      const again = await a.api(
        'POST',
        '/v1/apps/default/functions/hello/deploy',
        settings({ config: { A: '1' } }),
      )
      assert.equal(again.status, 201, again.text)
      await until(
        'it is gone with its function',
        async () => {
          const { status } = await b.api('DELETE', '/v1/apps/default/functions/hello')
          return status === 204 || status === 404
        },
        WAIT_MS,
      )
      await until('nobody routes it', async () => (await a.call('hello')).status === 404, WAIT_MS)
    })

    test('a secret that was set on one is opened on the other', async () => {
      await a.api('PUT', '/v1/secrets/word', { value: 'hush' })
      await b.deploy(
        'tells',
        {
          'index.mjs': `export default (_request, context) => context.secrets?.word ?? process.env.word ?? 'nothing'`,
        },
        { secrets: ['word'] },
      )
      assert.equal((await b.call('tells')).text, 'hush')
      await until('the first tells it too', async () => (await a.call('tells')).text === 'hush', WAIT_MS)
    })

    test('a token that was revoked on one is refused by the other', async () => {
      const { user, password } = a.login
      const login = await fetch(`${a.url}/v1/tokens`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ user, password }),
      })
      const { token } = (await login.json()) as { token: string }
      const ask = (server: ServerProcess): Promise<number> =>
        fetch(`${server.url}/v1/apps`, { headers: { authorization: `Bearer ${token}` } }).then(
          answer => answer.status,
        )
      assert.deepEqual([await ask(a), await ask(b)], [200, 200])
      const gone = await fetch(`${a.url}/v1/tokens/current`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${token}` },
      })
      assert.equal(gone.status, 204)
      assert.equal(await ask(a), 401)
      // From its memory it would be taken for a minute.
      await until('the other refuses it', async () => (await ask(b)) === 401, 30_000)
    })

    test('a repeated request with an idempotency key is answered once, whoever gets it', async () => {
      const make = (server: ServerProcess) =>
        server.api('POST', '/v1/apps', { name: 'once' }, { 'idempotency-key': 'make-once' })
      const first = await make(a)
      assert.equal(first.status, 201, first.text)
      const again = await make(b)
      assert.deepEqual([again.status, again.text], [201, first.text])
    })

    test('records and logs of a call are read on the other, pages and all', async () => {
      await a.deploy('speaks', {
        'index.mjs': `export default () => { console.log('said here'); return 'ok' }`,
      })
      await until('the other routes it', async () => (await b.call('speaks')).status === 200, WAIT_MS)
      const ids = []
      for (const server of [a, b, a, b]) {
        const { status, headers } = await server.call('speaks')
        assert.equal(status, 200)
        ids.push(headers.get('atelier-invocation-id')!)
      }
      for (const [index, id] of ids.entries()) {
        const reader = index % 2 === 0 ? b : a
        assert.equal((await reader.record(id)).status, 'ok')
        const lines = await reader.api('GET', `/v1/invocations/${id}/logs`)
        assert.match(lines.text, /said here/)
      }
      const path = '/v1/invocations?app=default&function=speaks&limit=2'
      for (const server of [a, b]) {
        const seen: string[] = []
        let next: string | undefined
        do {
          const page = await server.api<{ items: { id: string }[]; next?: string }>(
            'GET',
            next === undefined ? path : `${path}&cursor=${next}`,
          )
          assert.equal(page.status, 200, page.text)
          seen.push(...page.json.items.map(each => each.id))
          next = page.json.next
        } while (next !== undefined)
        assert.deepEqual([...seen], [...new Set(seen)].sort().toReversed())
        for (const id of ids) assert.ok(seen.includes(id), `${id} is listed`)
      }
    })

    test('what other nodes ask is nothing that anybody else may ask', async () => {
      const question = Buffer.from(JSON.stringify({ ask: 'listLogs', args: ['x', {}, 10] })).toString(
        'base64url',
      )
      const answer = await fetch(`${a.url}/-/nodes/ask?q=${question}`)
      assert.equal(answer.status, 404)
      const asAdmin = await a.api('GET', `/-/nodes/ask?q=${question}`)
      assert.equal(asAdmin.status, 404)
    })

    test('a third server with another key, or none, is refused and leaves no key behind', async t => {
      const home = await makeHome()
      await assert.rejects(
        ServerProcess.start({ home, env: { ATELIER_DB_URI: url } }),
        /copy secret.key of one of them/,
      )
      t.after(async () => (await import('../support/server-process.ts')).removeHome(home))
      const { existsSync, writeFileSync } = await import('node:fs')
      assert.equal(existsSync(join(home, 'secret.key')), false)
      writeFileSync(join(home, 'secret.key'), `other ${Buffer.alloc(32, 7).toString('base64')}\n`, {
        mode: 0o600,
      })
      await assert.rejects(
        ServerProcess.start({ home, env: { ATELIER_DB_URI: url } }),
        /copy secret.key of one of them/,
      )
    })

    test('a second server on one data directory is refused', async () => {
      await assert.rejects(
        ServerProcess.start({ home: a.home, env: { ATELIER_DB_URI: url } }),
        /in use by the process with pid/,
      )
    })

    test('a schedule fires once, and goes on when the node that leads is killed', async () => {
      await a.deploy('ticks', {
        'index.mjs': `export default request => request.headers.get('atelier-event-time') ?? 'now'`,
      })
      const made = await a.api('POST', '/v1/triggers', {
        kind: 'schedule',
        name: 'every-second',
        app: 'default',
        function: 'ticks',
        config: { every: '1s' },
      })
      assert.equal(made.status, 201, made.text)
      await until('it ran some times', async () => (await plannedRuns(b)).length >= 4, WAIT_MS)
      const runs = await plannedRuns(b)
      assert.equal(new Set(runs).size, runs.length, 'no run twice')
      const leader = (await nodesOf(a)).find(each => each.isLeader)!
      const [dead, left] = leader.url === a.url ? [a, b] : [b, a]
      await dead.kill()
      assert.equal((await left.call('ticks')).status, 200)
      const before = Date.now()
      await until(
        'the other makes the runs',
        async () => (await plannedRuns(left)).filter(at => Date.parse(at) > before + 1_000).length >= 3,
        WAIT_MS,
      )
      const all = await plannedRuns(left)
      assert.equal(new Set(all).size, all.length, 'no run twice')
      await left.deploy('after', { 'index.mjs': `export default () => 'still here'` })
      assert.equal((await left.call('after')).text, 'still here')
      await until('one node is left', async () => (await nodesOf(left)).length === 1, WAIT_MS)
      // It comes back with its data directory, and serves what was deployed meanwhile.
      const back = await ServerProcess.start({ home: dead.home, env: { ATELIER_DB_URI: url } })
      if (dead === a) a = back
      else b = back
      assert.equal((await back.call('after')).text, 'still here')
    })

    test('calls that a killed node had accepted or had begun run on the other, each to its end once', async () => {
      await b.deploy('slow', {
        'index.mjs': `export default async request => {
  await new Promise(resolve => setTimeout(resolve, 300))
  return 'did ' + (await request.text())
}`,
      })
      await until('both route it', async () => (await a.call('slow')).status === 200, WAIT_MS)
      const ids: string[] = []
      for (let n = 0; n < 20; n++) {
        const answer = await fetch(`${a.routerUrl}/default/default/slow`, {
          method: 'POST',
          headers: { prefer: 'respond-async' },
          body: `${n}`,
        })
        assert.equal(answer.status, 202)
        ids.push(((await answer.json()) as { id: string }).id)
      }
      await a.kill()
      for (const [n, id] of ids.entries())
        await until(
          `call ${n} has ended`,
          async () =>
            (await b.api<{ state: string }>('GET', `/v1/async-invocations/${id}`)).json.state === 'succeeded',
          WAIT_MS,
        )
      const result = await b.api('GET', `/v1/async-invocations/${ids[7]}/result`)
      assert.equal(result.text, 'did 7')
    })
  })
}

interface NodeSeen {
  readonly id: string
  readonly url: string
  readonly isLeader: boolean
  readonly isThis: boolean
}

async function nodesOf(server: ServerProcess): Promise<readonly NodeSeen[]> {
  const { json } = await server.api<{ nodes?: readonly NodeSeen[] }>('GET', '/v1/status')
  return json.nodes ?? []
}

/** For which times the schedule has made calls. */
async function plannedRuns(server: ServerProcess): Promise<readonly string[]> {
  const { status, text, json } = await server.api<{ items: readonly { id: string }[] }>(
    'GET',
    '/v1/async-invocations?trigger=schedule&triggerName=every-second&state=succeeded&limit=500',
  )
  assert.equal(status, 200, text)
  for (const { id } of json.items)
    if (!times.has(id)) times.set(id, (await server.api('GET', `/v1/async-invocations/${id}/result`)).text)
  return json.items.map(({ id }) => times.get(id)!)
}

const times = new Map<string, string>()

/** `like`: the data directory of a node whose key and login this one gets. */
async function startNode(uri: string, like?: string): Promise<ServerProcess> {
  const home = await makeHome()
  if (like !== undefined)
    for (const name of ['secret.key', 'admin.json']) await copyFile(join(like, name), join(home, name))
  return ServerProcess.start({ home, env: { ATELIER_DB_URI: uri } })
}

function settings(value: object): FormData {
  const form = new FormData()
  form.set('settings', JSON.stringify(value))
  return form
}
