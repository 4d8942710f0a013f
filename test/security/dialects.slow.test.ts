import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Principal, Role } from '../../src/core/index.ts'
import { DialectFixture } from '../support/dialects.ts'
import { type Operation, operationsOf } from '../support/operations.ts'
import { type Body, type Ground, grounds, MARK, type Things } from './grounds.ts'

/** Every operation of every dialect, read off its routes, tried by those who must not: a new one is attacked without a word here. */

const DAY_MS = 24 * 3_600_000
const FORGED = 'atk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
const ODD = [
  "x' OR '1'='1'; DROP TABLE apps; --",
  '"); DELETE FROM dialect_records; --',
  'a\r\nset-cookie: stolen=1',
  'a\nx-injected: 1',
  '../../etc/passwd',
  '\0',
  '%00',
  '%',
  '__proto__',
  '<script>alert(1)</script>',
  '{{7*7}}',
  'x'.repeat(300),
  '\ud800',
] // prettier-ignore
/** Bodies are many, and each may be a deploy. */
const ODD_IN_BODIES = [ODD[0]!, ODD[2]!, '\0', '__proto__', '\ud800', 'x'.repeat(300)]
const INNARDS = /SQLITE|syntax error|node_modules|\.ts:\d|\bat \w+ \(/i

type Answer = Awaited<ReturnType<DialectFixture['ask']>>
type Asked = { readonly named?: Things; readonly body?: Body }
type Login = { readonly token: string; readonly principal: Principal }

for (const ground of grounds)
  describe(`the dialect ${ground.dialect.name}`, () => {
    let at: DialectFixture
    let operations: readonly Operation[]
    let things: Things
    let blue: Login
    let red: Login
    let admin: Login
    const said: string[] = []
    const tokens = new Set<string>([FORGED])

    before(async () => {
      operations = await operationsOf(ground.dialect)
      at = await DialectFixture.open(ground.dialect, {}, { durable: ground.durable ?? false })
      blue = await login('blue')
      red = await login('red')
      admin = await login('ops', 'admin')
      things = await ground.furnish(at, blue.token, admin.token)
    })
    after(() => at?.dispose())

    async function login(project: string, role: Role = 'member'): Promise<Login> {
      const found = await at.login(project, role)
      tokens.add(found.token)
      return found
    }

    const guarded = (): readonly Operation[] => operations.filter(each => !ground.open.includes(each.name))

    async function ask(
      operation: Operation,
      token: string | undefined,
      { named = things, body = bodyOf(operation) }: Asked = {},
    ): Promise<Answer> {
      const query = ground.query?.(operation.name, named) ?? ''
      const method = operation.method === 'ANY' ? 'POST' : operation.method
      const answer = await at.ask(method, urlOf(operation, named) + query, {
        ...(token !== undefined && { token }),
        ...(body instanceof FormData ? { form: body } : body && { body }),
      })
      said.push(`${JSON.stringify([...answer.headers])}\n${answer.text}`)
      return answer
    }

    /** As blue, or as the administrator where only that is let further. */
    async function askAllowed(operation: Operation, what: Asked): Promise<Answer> {
      const answer = await ask(operation, blue.token, what)
      return answer.status === 403 ? ask(operation, admin.token, what) : answer
    }

    function bodyOf({ name, method }: Operation): Body {
      if (method === 'GET') return undefined
      if (method === 'DELETE') return ground.bodies[name]?.(things)
      if (ground.open.includes(name)) return { name: 'Ann' }
      return (ground.bodies[name] ?? assert.fail(`the test knows no body for ${name}`))(things)
    }

    /** All that blue sees of its own, as it is told: of what it names, and in lists. */
    async function seen(inLists = true): Promise<readonly string[]> {
      const reads = guarded().filter(
        ({ name, method, path }) =>
          method === 'GET' && (inLists || /[:*]/.test(path)) && !ground.taking?.includes(name),
      )
      const answers = [(await ground.hidden?.(at, things)) ?? '']
      for (const each of reads) answers.push(`${each.name} ${(await ask(each, blue.token)).text}`)
      return answers
    }

    test('serves what the test knows, and nothing without a token that is not listed', () => {
      const names = operations.map(({ name }) => name)
      assert.ok(names.length >= 10, names.join('\n'))
      for (const name of [...ground.making, ...Object.keys(ground.bodies)])
        assert.ok(names.includes(name), `${name} is no operation`)
      for (const name of ground.open) assert.ok(names.includes(name), `${name} is no operation`)
    })

    test('lets nobody in without a token, or with one that is forged, expired or revoked', async () => {
      const { identity, clock } = at.fixture
      const revoked = await login('blue')
      await identity.revoke(revoked.token)
      const gone = await login('green')
      await identity.deleteUser(at.fixture.admin, 'member-of-green')
      const longAgo = clock.nowMs
      clock.jump(-3 * DAY_MS)
      const expired = await login('blue')
      clock.jump(longAgo - clock.nowMs)
      const flipped = blue.token.slice(0, -1) + (blue.token.endsWith('a') ? 'b' : 'a')
      tokens.add(flipped)
      const bad = [
        undefined,
        '',
        FORGED,
        flipped,
        `${blue.token} `.repeat(2).trim(),
        'Bearer x',
        "' OR 1=1 --",
      ]
      for (const operation of guarded())
        for (const token of [...bad, revoked.token, gone.token, expired.token]) {
          const { status, text } = await ask(operation, token)
          assert.equal(status, 401, `${operation.name} with ${token}: ${text}`)
          assert.ok(!text.includes(MARK))
        }
    })

    test("shows and changes nothing of another project's", async () => {
      const before = await seen()
      assert.ok(before.some(each => each.includes(MARK)))
      for (const operation of guarded()) {
        const { name, path } = operation
        const { status, text } = await ask(operation, red.token)
        const what = `${name} answered ${status}: ${text.slice(0, 300)}`
        assert.ok(!text.includes(MARK), what)
        const isTheirs = path.includes(':') || path.includes('*')
        // Names of apps are one namespace, as they were: that one is taken is told, and nothing more.
        if (name === 'POST /v1/apps/:app/routes') assert.equal(status, 409, what)
        else if (path.includes(':project_id')) assert.equal(status, 401, what)
        else if (isTheirs) assert.ok(status === 404 || status === 403 || text.includes('[]'), what)
        else if (ground.blunt?.includes(name)) assert.equal(status, 500, what)
        else assert.ok(status < 500, what)
      }
      assert.deepEqual(await seen(), before)
    })

    test('lets a reader read and nothing else, and the own token of a service not even that', async () => {
      const [reader, service] = [await login('blue', 'reader'), await login('blue', 'service')]
      const before = await seen()
      for (const operation of guarded()) {
        const { name, method } = operation
        const isRead = method === 'GET' && !ground.taking?.includes(name)
        const expected = isRead ? (await ask(operation, blue.token)).status : 403
        assert.equal((await ask(operation, reader.token)).status, expected, `${name} by a reader`)
        assert.equal((await ask(operation, service.token)).status, 403, `${name} by a service`)
      }
      assert.deepEqual(await seen(), before)
    })

    test('takes no thing of another project where a body or a query names it', async () => {
      const before = await seen()
      for (const operation of guarded()) {
        const { name, path, method } = operation
        if (ground.making.includes(name)) continue
        const named = { ...things, project_id: red.principal.projectId }
        const { status, text } = await ask(operation, red.token, { named })
        const what = `${name} answered ${status}: ${text.slice(0, 300)}`
        assert.ok(!text.includes(MARK), what)
        if (method !== 'GET' && path.includes(':project_id')) assert.equal(status, 404, what)
        else if (method === 'POST') assert.ok([403, 404, 409].includes(status), what)
        else if (ground.blunt?.includes(name)) assert.equal(status, 500, what)
      }
      assert.deepEqual(await seen(), before)
    })

    test('takes odd text in any part of an address for a name, which is nobody’s', async () => {
      const before = await seen(false)
      for (const operation of operations)
        for (const part of partsOf(operation))
          for (const text of ODD)
            check(
              ground,
              operation,
              await askAllowed(operation, { named: { ...things, [part]: text } }),
              text,
            )
      // A name that is odd to others may be a good one.
      assert.deepEqual(await seen(false), before)
    })

    test('takes odd text in any field of a body for a text, or refuses it', async () => {
      const changing = guarded().filter(({ name }) => ground.bodies[name]?.(things))
      assert.ok(changing.length > 3)
      const kept = (await seen()).length
      for (const operation of changing)
        for (const text of ODD_IN_BODIES)
          for (const body of withOddText(bodyOf(operation)!, text))
            check(ground, operation, await askAllowed(operation, { body }), text)
      const now = await seen()
      assert.equal(now.length, kept)
      assert.ok(
        now.some(each => each.includes(MARK)),
        'what was there is there',
      )
    })

    test('says no token in an answer, an error or the log', () => {
      assert.ok(at.logged.length > 100, 'the log was kept')
      assert.ok(said.length > 100)
      for (const token of tokens) {
        assert.ok(!at.logged.some(each => each.includes(token)), 'a token is in the log')
        assert.ok(!said.some(each => each.includes(token)), 'a token is in an answer')
      }
    })
  })

function check(
  { blunt }: Ground,
  { name }: Operation,
  { status, headers, text }: Answer,
  given: string,
): void {
  const what = `${name} with ${JSON.stringify(given)} answered ${status}: ${text.slice(0, 300)}`
  assert.ok(status < 500 || (status === 500 && blunt?.includes(name)), what)
  assert.ok(!INNARDS.test(text.replaceAll(given, '')), what)
  assert.equal(headers.get('set-cookie'), null, what)
  assert.equal(headers.get('x-injected'), null, what)
}

/** The keys of `Things` that an address is made of. */
function partsOf({ path }: Operation): readonly string[] {
  const [, , collection] = path.split('/')
  return [...path.matchAll(/:(\w+)|\*/g)].map(([, name = '*']) => (name === 'id' ? `${collection}/id` : name))
}

function urlOf(operation: Operation, named: Things): string {
  const parts = [...partsOf(operation)]
  return operation.path.replaceAll(/:\w+|\*/g, () => {
    const part = parts.shift()!
    const value = named[part] ?? named['functions/id'] ?? named['fns/id'] ?? assert.fail(`no ${part}`)
    return encodeURIComponent(value.toWellFormed())
  })
}

/** The body once for each text and each key in it, with that one odd. */
function withOddText(body: NonNullable<Body>, text: string): readonly NonNullable<Body>[] {
  if (body instanceof FormData)
    return [...body.keys()].map(key => {
      const copy = new FormData()
      for (const [name, value] of body) {
        if (name === key) copy.append(name, text.toWellFormed())
        else if (typeof value === 'string') copy.append(name, value)
        else copy.append(name, value, 'package.zip')
      }
      return copy
    })
  return variants(body, text) as readonly Readonly<Record<string, unknown>>[]
}

function variants(value: unknown, text: string): readonly unknown[] {
  if (typeof value === 'string') return [text]
  if (Array.isArray(value))
    return value.flatMap((each, i) => variants(each, text).map(odd => value.toSpliced(i, 1, odd)))
  if (typeof value !== 'object' || value === null) return []
  const fields = Object.entries(value)
  const odd = fields.flatMap(([key, each]) => variants(each, text).map(other => ({ ...value, [key]: other })))
  return [...odd, Object.fromEntries([...fields, [text, text]])]
}
