import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ApiFixture, problem } from './fixture.ts'

const fixture = await ApiFixture.open()
const { admin, member, reader, stranger } = fixture
after(() => fixture[Symbol.asyncDispose]())

const PATH = '/v1/projects/default/quota'
interface Answer {
  readonly quotas: Readonly<Record<string, { limit?: number; used?: number; isDefault: boolean }>>
  readonly revision: number
}

test('quotas are shown with what is used, to all of the project', async () => {
  await fixture.deploy(member, { name: 'one', code: '12345' })
  const shown = await fixture.call('GET', PATH, reader)
  assert.equal(shown.statusCode, 200)
  const { quotas } = shown.json<Answer>()
  assert.deepEqual(quotas['functions'], { limit: 20_000, used: 1, isDefault: true })
  assert.equal(quotas['storageBytes']?.used, 2 * 5) // the package, and what was built of it
  assert.deepEqual(quotas['concurrency'], { isDefault: true })
})

test('an operator sets the whole of them, on what they were', async () => {
  const { revision } = (await fixture.call('GET', PATH, admin)).json<Answer>()
  const body = { functions: 1, callsPerMinute: 600 }
  const headers = { 'if-match': `"${revision}"` }
  const set = await fixture.call('PUT', PATH, admin, { body, headers })
  assert.equal(set.statusCode, 200)
  assert.deepEqual(set.json<Answer>().quotas['functions'], { limit: 1, used: 1, isDefault: false })
  assert.equal(set.json<Answer>().quotas['callsPerMinute']?.limit, 600)
  problem(await fixture.call('PUT', PATH, admin, { body, headers }), 412, 'PRECONDITION_FAILED')
  const refused = await fixture.deploy(member, { name: 'two' })
  assert.match(problem(refused, 403, 'QUOTA_EXCEEDED').detail, /"default" may have 1 functions; 1 exist/)
  const back = await fixture.call('PUT', PATH, admin, { body: {} })
  assert.deepEqual(back.json<Answer>().quotas['functions'], { limit: 20_000, used: 1, isDefault: true })
})

test('nobody else sets them, and another project shows none', async () => {
  problem(await fixture.call('PUT', PATH, member, { body: { functions: 5 } }), 403, 'FORBIDDEN')
  problem(await fixture.call('GET', PATH, stranger), 404, 'NOT_FOUND')
  problem(await fixture.call('GET', PATH), 401, 'UNAUTHENTICATED')
  for (const body of [{ functions: -1 }, { colour: 1 }, { storageBytes: '5Gi' }])
    problem(await fixture.call('PUT', PATH, admin, { body }), 400, 'INVALID_INPUT')
  problem(await fixture.call('GET', '/v1/projects/none/quota', admin), 404, 'NOT_FOUND')
})
