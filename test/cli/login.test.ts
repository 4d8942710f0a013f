import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Answer, atelier, freshHome, json, playApi, problem } from './fixture.ts'

const principal = {
  user: 'ada',
  project: 'default',
  roles: ['member'],
  expiresAt: '2999-01-01T00:00:00.000Z',
}

/** Knows the tokens it has issued, until they are forgotten. */
function identity(password: string): {
  tokens: Set<string>
  issued: string[]
  answers: Record<string, Answer>
} {
  const tokens = new Set<string>()
  const issued: string[] = []
  const guarded =
    (answer: Answer): Answer =>
    (seen, response, request) => {
      const token = /^Bearer (.+)$/.exec(seen.headers.authorization ?? '')?.[1]
      return token && tokens.has(token)
        ? answer(seen, response, request)
        : problem(401, 'The token is not valid.')(seen, response, request)
    }
  return {
    tokens,
    issued,
    answers: {
      'POST /v1/tokens': (seen, response, request) => {
        const input = JSON.parse(seen.body) as { user: string; password: string }
        if (input.password !== password)
          return problem(401, 'The user or the password is wrong.')(seen, response, request)
        const token = `token-${issued.length}-of-${input.user}`
        tokens.add(token)
        issued.push(token)
        return json({ ...principal, user: input.user, token })(seen, response, request)
      },
      'GET /v1/whoami': guarded(json(principal)),
      'DELETE /v1/tokens/current': guarded((seen, response) => {
        tokens.delete(seen.headers.authorization!.slice('Bearer '.length))
        response.writeHead(204).end()
      }),
    },
  }
}

async function writeAdmin(home: string, url: string, password: string): Promise<void> {
  await mkdir(join(home, 'data'), { recursive: true })
  await writeFile(
    join(home, 'data', 'admin.json'),
    JSON.stringify({ url, user: 'admin', password, project: 'default' }),
    { mode: 0o600 },
  )
}

test('the login of a server on this machine is found in its admin.json, and its token is used again', async t => {
  const home = await freshHome(t)
  const { answers, issued } = identity('open sesame')
  const { url } = await playApi(t, answers)
  await writeAdmin(home, url, 'open sesame')
  for (let i = 0; i < 2; i++) {
    const { code, stdout, stderr } = await atelier(home, ['whoami', '-o', 'json'])
    assert.equal(code, 0, stderr)
    assert.deepEqual(JSON.parse(stdout), principal)
  }
  assert.equal(issued.length, 1)
  const cache = join(home, '.cache', 'atelier', 'tokens.json')
  assert.equal((await stat(cache)).mode & 0o777, 0o600)
  assert.ok(!(await readFile(cache, 'utf8')).includes('open sesame'))
})

test('a token that the server has forgotten is renewed without a word', async t => {
  const home = await freshHome(t)
  const { answers, tokens, issued } = identity('open sesame')
  const { url } = await playApi(t, answers)
  await writeAdmin(home, url, 'open sesame')
  assert.equal((await atelier(home, ['whoami'])).code, 0)
  tokens.clear()
  const { code, stderr } = await atelier(home, ['whoami'])
  assert.equal(code, 0)
  assert.equal(stderr, '')
  assert.equal(issued.length, 2)
})

test('a login is stored for its owner alone, without the password, and ends with logout', async t => {
  const home = await freshHome(t)
  const { answers, tokens } = identity('open sesame')
  const { url } = await playApi(t, answers)
  const login = await atelier(home, ['login', url, '--user', 'ada'], { stdin: 'open sesame\n' })
  assert.equal(login.code, 0, login.stderr)
  assert.ok(!login.stdout.includes('token-0'))
  const path = join(home, '.config', 'atelier', 'config.json')
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.ok(!(await readFile(path, 'utf8')).includes('open sesame'))
  assert.equal((await atelier(home, ['whoami'])).code, 0)
  assert.equal((await atelier(home, ['logout'])).code, 0)
  assert.equal(tokens.size, 0)
  const after = await atelier(home, ['whoami'])
  assert.equal(after.code, 4)
  assert.match(after.stderr, /not logged in/)
})

test('a wrong password is exit code 4 and stores nothing', async t => {
  const home = await freshHome(t)
  const { url } = await playApi(t, identity('open sesame').answers)
  const { code, stderr } = await atelier(home, ['login', url, '--user', 'ada'], { stdin: 'guess' })
  assert.equal(code, 4)
  assert.match(stderr, /does not let ada in: user, password or project is wrong/)
  await assert.rejects(stat(join(home, '.config', 'atelier', 'config.json')), { code: 'ENOENT' })
})

test('flags win over the environment, and the environment over what is stored', async t => {
  const home = await freshHome(t)
  const stored = await playApi(t, identity('x').answers)
  const other = await playApi(t, {
    'GET /v1/whoami': (seen, response, request) =>
      json({ ...principal, user: seen.headers.authorization })(seen, response, request),
  })
  await writeAdmin(home, stored.url, 'x')
  const env = { ATELIER_URL: other.url, ATELIER_TOKEN: 'from-environment' }
  const fromEnvironment = await atelier(home, ['whoami', '-o', 'json'], { env })
  assert.equal(JSON.parse(fromEnvironment.stdout).user, 'Bearer from-environment')
  const fromFlag = await atelier(home, ['whoami', '-o', 'json', '--token', 'from-flag'], { env })
  assert.equal(JSON.parse(fromFlag.stdout).user, 'Bearer from-flag')
  assert.equal(stored.seen.length, 0)
})

test('a password that belongs to one server is never sent to another', async t => {
  const home = await freshHome(t)
  const other = await playApi(t, identity('x').answers)
  await writeAdmin(home, 'http://127.0.0.1:1', 'secret of the first')
  const { code } = await atelier(home, ['whoami', '--url', other.url])
  assert.equal(code, 4)
  assert.ok(other.seen.every(one => !one.body.includes('secret of the first')))
})

test('a first start that has not come up is no server yet', async t => {
  const home = await freshHome(t)
  await writeAdmin(home, '', 'x')
  const { code, stderr } = await atelier(home, ['status'])
  assert.equal(code, 4)
  assert.match(stderr, /no server was found on this machine/)
})

test('a server that is down is exit code 5 and says how to start it', async t => {
  const home = await freshHome(t)
  await writeAdmin(home, 'http://127.0.0.1:1', 'x')
  const { code, stderr } = await atelier(home, ['status'])
  assert.equal(code, 5)
  assert.match(stderr, /cannot reach the server at http:\/\/127\.0\.0\.1:1: nothing listens there/)
  assert.match(stderr, /npm start/)
})

test('what is no Atelier at the URL is said so', async t => {
  const home = await freshHome(t)
  const { url } = await playApi(t, { 'GET /v1/whoami': (_, response) => response.end('<html>') })
  const { code, stderr } = await atelier(home, ['whoami', '--url', url, '--token', 't'])
  assert.equal(code, 1)
  assert.match(stderr, /does not speak the API/)
})

test('a damaged configuration names the file and the way out', async t => {
  const home = await freshHome(t)
  await mkdir(join(home, '.config', 'atelier'), { recursive: true })
  await writeFile(join(home, '.config', 'atelier', 'config.json'), '{')
  await chmod(join(home, '.config', 'atelier', 'config.json'), 0o600)
  const { code, stderr } = await atelier(home, ['whoami'])
  assert.equal(code, 1)
  assert.match(stderr, /config\.json is not valid JSON/)
  assert.match(stderr, /atelier login/)
})

test('a token is printed for other programs: the one in use, or one of another project where a password is at hand', async t => {
  const home = await freshHome(t)
  const { answers, issued } = identity('open sesame')
  const { url, seen } = await playApi(t, answers)
  await writeAdmin(home, url, 'open sesame')
  const own = await atelier(home, ['token'])
  assert.equal(own.stdout, `${issued[0]}\n`, own.stderr)
  assert.equal(JSON.parse((await atelier(home, ['token', '-o', 'json'])).stdout).token, issued[0])
  assert.equal(issued.length, 1)

  const other = await atelier(home, ['token', '--project', 'shop'])
  assert.equal(other.stdout, `${issued[1]}\n`, other.stderr)
  assert.equal(JSON.parse(seen.at(-1)!.body).project, 'shop')

  const env = { ATELIER_URL: url, ATELIER_TOKEN: issued[0]! }
  const refused = await atelier(home, ['token', '--project', 'shop'], { env })
  assert.equal(refused.code, 4)
  assert.match(refused.stderr, /a token of project shop takes a password[^]*atelier login/)
})
