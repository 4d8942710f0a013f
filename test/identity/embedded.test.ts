import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { newId, type Principal, type Role } from '../../src/core/index.ts'
import { createEmbeddedIdentity, type EmbeddedIdentity, type FirstLogin } from '../../src/identity/index.ts'
import { openStore, type Store } from '../../src/store/index.ts'
import { FakeClock } from '../support/clock.ts'
import { PASSWORD_COST_LOW } from '../support/passwords.ts'

const root = await mkdtemp(join(tmpdir(), 'atelier-identity-'))
const stores: Store[] = []
after(async () => {
  for (const store of stores) await store.close()
  await rm(root, { recursive: true, force: true })
})

interface Fixture {
  readonly store: Store
  readonly path: string
  readonly clock: FakeClock
  readonly identity: EmbeddedIdentity
  readonly first: FirstLogin
  readonly admin: Principal
  readonly project: (name: string) => Promise<void>
  readonly user: (name: string, grants: readonly (readonly [string, Role])[]) => Promise<void>
}

async function fixture(): Promise<Fixture> {
  const path = join(root, `${stores.length}.db`)
  const store = await openStore({ url: path })
  stores.push(store)
  const clock = new FakeClock()
  const identity = await createEmbeddedIdentity({ store, clock, passwordCost: PASSWORD_COST_LOW })
  let first: FirstLogin | undefined
  assert.equal(await identity.bootstrap(async login => void (first = login)), true)
  assert.ok(first)
  const admin = (await identity.login(first)).principal
  return {
    store,
    path,
    clock,
    identity,
    first,
    admin,
    async project(name) {
      const rest = {
        description: '',
        enabled: 1,
        quota_json: '{}',
        revision: 1,
        created_at: 0,
        updated_at: 0,
      }
      await store.db
        .insertInto('projects')
        .values({ id: newId(clock.now()), name, ...rest })
        .execute()
    },
    async user(name, grants) {
      await identity.createUser(admin, { name, password: `${name}-password` })
      for (const [project, role] of grants) await identity.grant(admin, { user: name, project, role })
    },
  }
}

const loginOf = (name: string, project?: string): { user: string; password: string; project?: string } => ({
  user: name,
  password: `${name}-password`,
  ...(project === undefined ? {} : { project }),
})

test('the first start makes an operator once, and the login works', async () => {
  const { identity, first, admin } = await fixture()
  assert.deepEqual(
    [first.user, first.project, admin.roles, admin.projectName],
    ['admin', 'default', ['admin'], 'default'],
  )
  assert.equal(await identity.bootstrap(async () => assert.fail()), false)
})

test('a first start whose login could not be saved can be repeated', async () => {
  const store = await openStore({ url: join(root, 'unsaved.db') })
  stores.push(store)
  const identity = await createEmbeddedIdentity({ store, clock: new FakeClock() })
  await assert.rejects(
    identity.bootstrap(async () => {
      throw new Error('disk full')
    }),
    /disk full/,
  )
  assert.equal(await identity.bootstrap(async () => {}), true)
})

test('a token authenticates until it expires, in the cache and in the store', async () => {
  const { identity, clock, first } = await fixture()
  const { token, principal } = await identity.login({ ...first, ttlMs: 120_000 })
  assert.match(token, /^atl_/)
  assert.equal(identity.cached(token), undefined)
  assert.deepEqual(await identity.authenticate(token), principal)
  assert.deepEqual(identity.cached(token), principal)
  clock.advance(119_999)
  assert.deepEqual(await identity.authenticate(token), principal)
  assert.deepEqual(identity.cached(token), principal)
  clock.advance(1)
  assert.equal(identity.cached(token), undefined)
  await assert.rejects(identity.authenticate(token), { code: 'UNAUTHENTICATED' })
})

test('a login lasts 24 hours unless told otherwise, and neither a second nor ten years', async () => {
  const { identity, clock, first } = await fixture()
  assert.equal((await identity.login(first)).principal.expiresAt, clock.now() + 24 * 3_600_000)
  for (const ttlMs of [0, -1, 1_000, 1.5e5 + 0.5, 3.2e11, Number.NaN])
    await assert.rejects(identity.login({ ...first, ttlMs }), { code: 'INVALID_INPUT', message: /ttlMs/ })
})

test('neither tokens nor passwords are in the file', async () => {
  const { identity, store, path, first } = await fixture()
  const { token } = await identity.login(first)
  const copy = `${path}.copy`
  await store.backup(copy)
  const bytes = await readFile(copy)
  assert.ok(bytes.includes('scrypt$'))
  assert.ok(!bytes.includes(token.slice(4)))
  assert.ok(!bytes.includes(first.password))
})

test('a hash costs 32 MiB and a tenth of a second to try, and is tried at the cost that it was made with', async () => {
  const { identity, store, clock, first } = await fixture()
  const unchanged = await createEmbeddedIdentity({ store, clock })
  const admin = (await unchanged.login(first)).principal
  await unchanged.createUser(admin, { name: 'ivy', password: 'ivy-password' })
  await identity.grant(admin, { user: 'ivy', project: 'default', role: 'member' })
  const hashes = await store.db.selectFrom('users').select('password_hash').orderBy('name').execute()
  assert.deepEqual(
    hashes.map(row => row.password_hash.split('$').slice(0, 4).join(' ')),
    [`scrypt ${PASSWORD_COST_LOW} 8 1`, 'scrypt 32768 8 1'],
  )
  assert.equal((await identity.login(loginOf('ivy'))).principal.userName, 'ivy')
})

test('what is wrong with a login is not told', async () => {
  const { identity, first, project, user } = await fixture()
  await project('other')
  await user('eve', [['default', 'member']])
  const wrong = [
    { ...first, password: 'wrong' },
    { ...first, user: 'nobody' },
    { ...first, project: 'nowhere' },
    { ...loginOf('eve'), project: 'other' },
    { ...first, password: '' },
    { ...first, password: 'x'.repeat(100_000) },
    { ...first, user: "' or 1=1 --" },
  ]
  for (const input of wrong)
    await assert.rejects(identity.login(input), {
      code: 'UNAUTHENTICATED',
      message: 'User, password or project is wrong.',
    })
})

test('anything but a token that was issued is UNAUTHENTICATED', async () => {
  const { identity } = await fixture()
  for (const token of ['', 'atl_', `atl_${'A'.repeat(43)}`, 'x'.repeat(1e6), '__proto__', 'atl_\0'])
    await assert.rejects(identity.authenticate(token), { code: 'UNAUTHENTICATED' })
})

test('failures in a row make the caller wait, elsewhere and others can still log in', async () => {
  const { identity, clock, first, user } = await fixture()
  await user('ann', [['default', 'member']])
  const guess = { ...first, password: 'guess', client: '10.0.0.1' }
  for (let i = 0; i < 5; i++) await assert.rejects(identity.login(guess), { code: 'UNAUTHENTICATED' })
  await assert.rejects(identity.login(guess), { code: 'TOO_MANY_REQUESTS', retryAfterS: 1 })
  await assert.rejects(identity.login({ ...first, client: '10.0.0.1' }), { code: 'TOO_MANY_REQUESTS' })
  await identity.login({ ...first, client: '10.0.0.2' })
  await identity.login({ ...loginOf('ann'), client: '10.0.0.1' })
  clock.advance(1_000)
  await identity.login({ ...first, client: '10.0.0.1' })
})

test('guesses at once do not all count as the first', async () => {
  const { identity, first } = await fixture()
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, () => identity.login({ ...first, password: 'guess' })),
  )
  const codes = results.map(result => result.status === 'rejected' && result.reason.code)
  assert.equal(codes.filter(code => code === 'UNAUTHENTICATED').length, 5)
  assert.equal(codes.filter(code => code === 'TOO_MANY_REQUESTS').length, 15)
})

test('a revoked token is worth nothing at once', async () => {
  const { identity, first } = await fixture()
  const { token } = await identity.login(first)
  await identity.authenticate(token)
  await identity.revoke(token)
  assert.equal(identity.cached(token), undefined)
  await assert.rejects(identity.authenticate(token), { code: 'UNAUTHENTICATED' })
})

test('a token revoked while it is being looked up does not come back from the cache', async () => {
  const { identity, first } = await fixture()
  const { token } = await identity.login(first)
  const looking = identity.authenticate(token).catch(() => undefined)
  await Promise.all([looking, identity.revoke(token)])
  assert.equal(identity.cached(token), undefined)
})

test('a change of role counts from the next call', async () => {
  const { identity, admin, user } = await fixture()
  await user('bob', [['default', 'member']])
  const { token } = await identity.login(loginOf('bob'))
  assert.deepEqual((await identity.authenticate(token)).roles, ['member'])
  await identity.grant(admin, { user: 'bob', project: 'default', role: 'reader' })
  await identity.ungrant(admin, { user: 'bob', project: 'default', role: 'member' })
  assert.equal(identity.cached(token), undefined)
  assert.deepEqual((await identity.authenticate(token)).roles, ['reader'])
  await identity.ungrant(admin, { user: 'bob', project: 'default', role: 'reader' })
  await assert.rejects(identity.authenticate(token), { code: 'UNAUTHENTICATED' })
})

test('a new password ends every session, and everybody may set their own alone', async () => {
  const { identity, user } = await fixture()
  await user('cat', [['default', 'member']])
  await user('dan', [['default', 'member']])
  const { token, principal } = await identity.login(loginOf('cat'))
  await identity.authenticate(token)
  await assert.rejects(identity.setPassword(principal, 'dan', 'hijacked-1'), { code: 'FORBIDDEN' })
  await assert.rejects(identity.setPassword(principal, 'cat', 'short'), { code: 'INVALID_INPUT' })
  await identity.setPassword(principal, 'cat', 'another-one')
  await assert.rejects(identity.authenticate(token), { code: 'UNAUTHENTICATED' })
  await assert.rejects(identity.login(loginOf('cat')), { code: 'UNAUTHENTICATED' })
  await identity.login({ user: 'cat', password: 'another-one' })
})

test('a deleted user is gone with all its sessions', async () => {
  const { identity, admin, user } = await fixture()
  await user('fay', [['default', 'member']])
  const { token } = await identity.login(loginOf('fay'))
  await identity.authenticate(token)
  await identity.deleteUser(admin, 'fay')
  await assert.rejects(identity.authenticate(token), { code: 'UNAUTHENTICATED' })
  await assert.rejects(identity.getUser(admin, 'fay'), { code: 'NOT_FOUND' })
  await assert.rejects(identity.deleteUser(admin, 'fay'), { code: 'NOT_FOUND' })
  assert.deepEqual(await identity.listGrants(admin, 'default'), [
    { user: 'admin', project: 'default', role: 'admin' },
  ])
})

test('the last operator stays', async () => {
  const { identity, admin, user } = await fixture()
  await assert.rejects(identity.deleteUser(admin, 'admin'), { code: 'CONFLICT' })
  await assert.rejects(identity.ungrant(admin, { user: 'admin', project: 'default', role: 'admin' }), {
    code: 'CONFLICT',
  })
  await user('second', [['default', 'admin']])
  await identity.deleteUser(admin, 'admin')
})

test('who is no operator manages nobody', async () => {
  const { identity, user } = await fixture()
  await user('gus', [['default', 'member']])
  const { principal } = await identity.login(loginOf('gus'))
  const grant = { user: 'gus', project: 'default', role: 'admin' as const }
  const refused = [
    identity.createUser(principal, { name: 'x', password: 'x-password' }),
    identity.listUsers(principal),
    identity.getUser(principal, 'admin'),
    identity.deleteUser(principal, 'admin'),
    identity.setPassword(principal, 'admin', 'my-password'),
    identity.grant(principal, grant),
    identity.ungrant(principal, grant),
    identity.listGrants(principal, 'default'),
  ]
  for (const attempt of refused) await assert.rejects(attempt, { code: 'FORBIDDEN' })
  assert.equal((await identity.getUser(principal, 'gus')).name, 'gus')
})

test('an operator may act in any project, others only where they have a role', async () => {
  const { identity, admin, project, user } = await fixture()
  for (const name of ['one', 'two', 'three']) await project(name)
  await user('hal', [
    ['two', 'member'],
    ['one', 'reader'],
  ])
  const there = await identity.principalFor(admin, { name: 'three' }, '')
  assert.deepEqual([there.projectName, there.roles], ['three', ['admin']])
  assert.equal((await identity.login(loginOf('hal'))).principal.projectName, 'one')
  const { principal, token } = await identity.login(loginOf('hal', 'two'))
  assert.equal(principal.projectName, 'two')
  assert.deepEqual((await identity.principalFor(principal, { name: 'one' }, token)).roles, ['reader'])
  await assert.rejects(identity.principalFor(principal, { name: 'three' }, token), { code: 'NOT_FOUND' })
  await assert.rejects(identity.principalFor(admin, { name: 'four' }, token), { code: 'NOT_FOUND' })
})

test('trusts that are over do not count as those that one may have', async () => {
  const { store, clock, identity, first } = await fixture()
  const { token, principal } = await identity.login(first)
  const by = (await identity.directory.inspect(token))!
  const trust = {
    trustorId: principal.userId,
    trusteeId: principal.userId,
    projectId: principal.projectId,
    impersonation: false,
    roles: ['member'],
    expiresAt: clock.now() + 60_000,
    remainingUses: undefined,
  }
  const made = await identity.directory.createTrust(by, trust)
  const row = await store.db.selectFrom('trusts').selectAll().executeTakeFirstOrThrow()
  for (let i = 1; i < 1_000; i += 100)
    await store.db
      .insertInto('trusts')
      .values(Array.from({ length: Math.min(100, 1_000 - i) }, () => ({ ...row, id: newId(clock.now()) })))
      .execute()
  await assert.rejects(identity.directory.createTrust(by, trust), { code: 'QUOTA_EXCEEDED' })
  clock.advance(60_000)
  await assert.rejects(identity.directory.deleteTrust(by, made.id), { code: 'NOT_FOUND' })
  await identity.directory.createTrust(by, { ...trust, expiresAt: undefined })
})

test('names and roles that cannot be are refused by field', async () => {
  const { identity, admin } = await fixture()
  const password = 'long enough'
  for (const name of ['', '../x', 'a b', 'x'.repeat(64), 'ü'])
    await assert.rejects(identity.createUser(admin, { name, password }), {
      code: 'INVALID_INPUT',
      message: /name/,
    })
  await assert.rejects(identity.createUser(admin, { name: 'admin', password }), { code: 'CONFLICT' })
  await assert.rejects(identity.grant(admin, { user: 'admin', project: 'default', role: 'root' as Role }), {
    code: 'INVALID_INPUT',
    message: /role/,
  })
})
