import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ApiFixture, problem } from './fixture.ts'

const fixture = await ApiFixture.open()
after(() => fixture[Symbol.asyncDispose]())

test('a login gives a token that works in both headers, until it is revoked', async () => {
  const body = { user: 'mia', password: 'correct horse battery staple' }
  const answer = await fixture.call('POST', '/v1/tokens', undefined, { body })
  assert.equal(answer.statusCode, 201)
  const { token, ...rest } = answer.json<Record<string, string>>()
  assert.deepEqual(
    { ...rest, expiresAt: undefined },
    { user: 'mia', project: 'default', roles: ['member'], expiresAt: undefined },
  )
  const headers = { 'x-auth-token': token! }
  const who = await fixture.call('GET', '/v1/whoami', undefined, { headers })
  assert.equal(who.json<{ user: string }>().user, 'mia')
  assert.equal((await fixture.call('DELETE', '/v1/tokens/current', undefined, { headers })).statusCode, 204)
  problem(await fixture.call('GET', '/v1/whoami', undefined, { headers }), 401, 'UNAUTHENTICATED')
})

test('a wrong password and an unknown user look the same', async () => {
  const tries = [
    { user: 'mia', password: 'wrong' },
    { user: 'nobody', password: 'wrong' },
  ]
  const details = new Set<string>()
  for (const body of tries)
    details.add(
      problem(await fixture.call('POST', '/v1/tokens', undefined, { body }), 401, 'UNAUTHENTICATED').detail,
    )
  assert.equal(details.size, 1)
})

test('wrong passwords in a row are slowed down with Retry-After', async () => {
  const body = { user: 'rolf', password: 'wrong' }
  let answer = await fixture.call('POST', '/v1/tokens', undefined, { body })
  for (let i = 0; i < 20 && answer.statusCode === 401; i++)
    answer = await fixture.call('POST', '/v1/tokens', undefined, { body })
  problem(answer, 429, 'TOO_MANY_REQUESTS')
  assert.ok(Number(answer.headers['retry-after']) >= 1)
})

test('an operator works in any project by its header, others only in their own', async () => {
  const headers = { 'atelier-project': 'elsewhere' }
  const who = await fixture.call('GET', '/v1/whoami', fixture.admin, { headers })
  assert.equal(who.json<{ project: string }>().project, 'elsewhere')
  problem(await fixture.call('GET', '/v1/whoami', fixture.member, { headers }), 404, 'NOT_FOUND')
  problem(
    await fixture.call('GET', '/v1/whoami', fixture.admin, { headers: { 'atelier-project': 'nowhere' } }),
    404,
    'NOT_FOUND',
  )
})

test('projects are made, changed by revision, and deleted by operators alone', async () => {
  const body = { name: 'research', quota: { functions: 2 } }
  problem(await fixture.call('POST', '/v1/projects', fixture.member, { body }), 403, 'FORBIDDEN')
  const made = await fixture.call('POST', '/v1/projects', fixture.admin, { body })
  assert.equal(made.statusCode, 201)
  assert.equal(made.headers['location'], '/v1/projects/research')
  const etag = String(made.headers['etag'])
  const change = { body: { description: 'for later' }, headers: { 'if-match': etag } }
  const changed = await fixture.call('PATCH', '/v1/projects/research', fixture.admin, change)
  assert.equal(changed.json<{ description: string }>().description, 'for later')
  problem(
    await fixture.call('PATCH', '/v1/projects/research', fixture.admin, change),
    412,
    'PRECONDITION_FAILED',
  )
  problem(await fixture.call('GET', '/v1/projects/research', fixture.stranger), 404, 'NOT_FOUND')
  const names = (await fixture.call('GET', '/v1/projects', fixture.admin)).json<{
    items: { name: string }[]
  }>().items
  assert.ok(names.some(each => each.name === 'research'))
  assert.equal((await fixture.call('DELETE', '/v1/projects/research', fixture.admin)).statusCode, 204)
  problem(await fixture.call('GET', '/v1/projects/research', fixture.admin), 404, 'NOT_FOUND')
})

test('users and grants are managed by operators; everybody may set their own password', async () => {
  const body = { name: 'nina', password: 'a long enough password' }
  problem(await fixture.call('POST', '/v1/users', fixture.member, { body }), 403, 'FORBIDDEN')
  assert.equal((await fixture.call('POST', '/v1/users', fixture.admin, { body })).statusCode, 201)
  problem(await fixture.call('POST', '/v1/users', fixture.admin, { body }), 409, 'CONFLICT')
  const grant = { user: 'nina', role: 'member' }
  const granted = await fixture.call('PUT', '/v1/projects/elsewhere/grants', fixture.admin, { body: grant })
  assert.deepEqual(granted.json(), { ...grant, project: 'elsewhere' })
  const grants = await fixture.call('GET', '/v1/projects/elsewhere/grants', fixture.admin)
  assert.ok(grants.json<{ items: { user: string }[] }>().items.some(each => each.user === 'nina'))
  const login = await fixture.call('POST', '/v1/tokens', undefined, {
    body: { user: 'nina', password: body.password, project: 'elsewhere' },
  })
  const nina = { headers: { authorization: `Bearer ${login.json<{ token: string }>().token}` } } as never
  const password = { body: { password: 'another long password' } }
  problem(await fixture.call('PUT', '/v1/users/mia/password', nina, password), 403, 'FORBIDDEN')
  assert.equal((await fixture.call('PUT', '/v1/users/nina/password', nina, password)).statusCode, 204)
  problem(await fixture.call('GET', '/v1/whoami', nina), 401, 'UNAUTHENTICATED')
  const ungrant = '/v1/projects/elsewhere/grants?user=nina&role=member'
  assert.equal((await fixture.call('DELETE', ungrant, fixture.admin)).statusCode, 204)
  assert.equal((await fixture.call('GET', '/v1/users/nina', fixture.admin)).statusCode, 200)
  assert.equal((await fixture.call('DELETE', '/v1/users/nina', fixture.admin)).statusCode, 204)
  const users = async (query = '') =>
    (await fixture.call('GET', `/v1/users${query}`, fixture.admin)).json<{
      items: { name: string }[]
      next?: string
    }>()
  const all = await users()
  assert.ok(!all.items.some(each => each.name === 'nina'))
  assert.ok(all.items.length > 1, 'enough for two pages')
  const first = await users('?limit=1')
  const rest = await users(`?limit=100&cursor=${first.next}`)
  assert.deepEqual([...first.items, ...rest.items], all.items)
  assert.deepEqual([first.items.length, rest.next], [1, undefined])
})

test('where another service keeps users and logins, the API says so, and tokens work all the same', async () => {
  await using elsewhere = await ApiFixture.open({}, { managed: false })
  const body = { user: 'mia', password: 'correct horse battery staple' }
  problem(await elsewhere.call('POST', '/v1/tokens', undefined, { body }), 501, 'NOT_IMPLEMENTED')
  for (const path of ['/v1/users', '/v1/projects/default/grants']) {
    const { detail } = problem(await elsewhere.call('GET', path, elsewhere.admin), 501, 'NOT_IMPLEMENTED')
    assert.match(detail, /"embedded"/)
  }
  assert.equal((await elsewhere.call('GET', '/v1/whoami', elsewhere.member)).statusCode, 200)
})
