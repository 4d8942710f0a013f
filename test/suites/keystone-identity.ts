import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { AtelierError, type Clock, type Principal, systemClock } from '../../src/core/index.ts'
import {
  type KeystoneIdentity,
  type KeystoneSettings,
  openKeystoneIdentity,
  SERVICES,
} from '../../src/identity/index.ts'
import { ControlFixture } from '../support/control.ts'
import {
  credentialLogin,
  KeystoneClient,
  type KeystonePlace,
  type Known,
  type KnownUser,
  passwordLogin,
  trustLogin,
} from '../support/keystone-client.ts'
import { KeystoneProxy } from '../support/keystone-proxy.ts'

const CACHE_MS = 60_000

/** Time that goes on by itself, and further when it is told to. */
class LaterClock implements Clock {
  readonly #base: Clock
  #laterMs = 0

  constructor(base: Clock) {
    this.#base = base
  }

  now = (): number => this.#base.now() + this.#laterMs
  monotonic = (): number => this.#base.monotonic() + this.#laterMs
  after = (delayMs: number, callback: () => void): (() => void) => this.#base.after(delayMs, callback)

  advance(ms: number): void {
    this.#laterMs += ms
  }
}

/** What a server is told by a Keystone that others run: over the real one and over ours, which must not differ. */
export function keystoneIdentitySuite(
  name: string,
  open: () => Promise<KeystonePlace>,
  options: { readonly skip?: string | false } = {},
): void {
  describe(`users of ${name}`, { skip: options.skip ?? false }, () => {
    let place: KeystonePlace
    const keystone = new KeystoneClient(async () => (place = await open()))
    let held: ControlFixture
    let service: KnownUser
    let home: Known
    let proxy: KeystoneProxy
    let clock: LaterClock
    const opened: KeystoneIdentity[] = []
    const secrets = new Set<string>()

    before(async () => {
      held = await ControlFixture.open()
      proxy = await KeystoneProxy.open(place.url)
      clock = new LaterClock(place.clock ?? systemClock)
      home = await keystone.project()
      service = await keystone.user([home, 'service'])
      secrets.add(service.password)
    })
    after(async () => {
      for (const each of opened) each.close()
      await proxy?.close()
      await held?.dispose()
    })

    async function identityOf(over: Partial<KeystoneSettings> = {}): Promise<KeystoneIdentity> {
      const identity = await openKeystoneIdentity({
        settings: {
          url: proxy.url,
          service: { user: service.name, password: service.password, project: home.name, domain: 'default' },
          roles: { admin: ['admin'], member: ['member'], reader: ['reader'] },
          adminProjects: [],
          domains: [],
          cacheMs: CACHE_MS,
          ...over,
        },
        clock,
        projects: {
          find: reference => held.control.findProject(reference),
          adopt: project => held.control.adoptProject(project),
        },
      })
      opened.push(identity)
      return identity
    }

    /** Rejects so, and says nothing that is secret. */
    async function refuses(asked: Promise<Principal>, code: string, message?: RegExp): Promise<void> {
      await assert.rejects(asked, (error: unknown) => {
        assert.ok(error instanceof AtelierError, String(error))
        assert.equal(error.code, code, error.message)
        if (message) assert.match(error.message, message)
        const said = `${error.message} ${String(error.cause)} ${JSON.stringify(error)}`
        for (const secret of secrets) assert.ok(!said.includes(secret), 'a secret is in an error')
        return true
      })
    }

    async function member() {
      const one = await keystone.member()
      secrets.add(one.token)
      return one
    }
    async function tokenOf(auth: object): Promise<string> {
      const token = await keystone.token(auth)
      secrets.add(token)
      return token
    }
    const rolesOf = (principal: Principal): string[] => [...principal.roles].sort()

    test('a token is its user in its project, which appears here as it is first seen', async () => {
      const identity = await identityOf()
      const { user, project, token } = await member()
      assert.equal(identity.cached(token), undefined)
      const principal = await identity.authenticate(token)
      assert.deepEqual(
        [principal.userId, principal.userName, principal.projectId, principal.projectName],
        [user.id, user.name, project.id, project.name],
      )
      assert.deepEqual(rolesOf(principal), ['member', 'reader'])
      assert.equal(principal.delegation, undefined)
      assert.deepEqual(held.control.findProject({ id: project.id }), held.table.projects.get(project.id))
      assert.equal(held.table.projects.get(project.id)?.name, project.name)
      const asked = proxy.validations
      assert.deepEqual(identity.cached(token), principal)
      assert.deepEqual(await identity.authenticate(token), principal)
      assert.equal(proxy.validations, asked)
    })

    test('callers who come together with one token are one question', async () => {
      const identity = await identityOf()
      await identity.check()
      const { token } = await member()
      const asked = proxy.validations
      const all = await Promise.all(Array.from({ length: 20 }, () => identity.authenticate(token)))
      assert.equal(new Set(all.map(each => each.userId)).size, 1)
      assert.equal(proxy.validations, asked + 1)
    })

    test('a token that is none is refused, and asked about once for a while', async () => {
      const identity = await identityOf()
      await identity.check()
      for (const token of ['gAAAAABnothing', `atl_${'x'.repeat(43)}`]) {
        secrets.add(token)
        const asked = proxy.validations
        await refuses(identity.authenticate(token), 'UNAUTHENTICATED')
        await refuses(identity.authenticate(token), 'UNAUTHENTICATED')
        assert.equal(proxy.validations, asked + 1)
      }
    })

    test('what cannot be a token is not even sent', async () => {
      const identity = await identityOf()
      const asked = proxy.asked.length
      for (const token of ['', 'two words', 'a\r\nX-Auth-Token: b', 'ü', 'x'.repeat(10_000)])
        await refuses(identity.authenticate(token), 'UNAUTHENTICATED')
      assert.equal(proxy.asked.length, asked)
    })

    test('a token that is revoked is refused when it was believed for its while', async () => {
      const identity = await identityOf()
      const { token } = await member()
      await identity.authenticate(token)
      await keystone.call('DELETE', '/auth/tokens', { token, subject: token })
      clock.advance(CACHE_MS)
      assert.equal(identity.cached(token), undefined)
      await refuses(identity.authenticate(token), 'UNAUTHENTICATED')
    })

    test('with nothing believed, a token that is revoked is refused at once', async () => {
      const identity = await identityOf({ cacheMs: 0 })
      const { token } = await member()
      await identity.authenticate(token)
      assert.equal(identity.cached(token), undefined)
      await keystone.call('DELETE', '/auth/tokens', { token, subject: token })
      await refuses(identity.authenticate(token), 'UNAUTHENTICATED')
    })

    test('a token without a project is refused', async () => {
      const identity = await identityOf()
      const { user } = await member()
      const token = await tokenOf({ ...passwordLogin(user), scope: 'unscoped' })
      await refuses(identity.authenticate(token), 'UNAUTHENTICATED', /no project/)
    })

    test('who has no role that means something here may nothing, and leaves no project', async () => {
      const identity = await identityOf({ roles: { admin: [], member: ['gold'], reader: [] } })
      const { project, token } = await member()
      assert.deepEqual((await identity.authenticate(token)).roles, [])
      assert.equal(held.table.projects.get(project.id), undefined)
    })

    test("roles mean what the settings say, and an operator's may be bound to projects", async () => {
      const { project, token } = await member()
      const boss = await tokenOf(passwordLogin(await keystone.user([project, 'admin']), project))
      const mapped = await identityOf({ roles: { admin: ['MEMBER'], member: [], reader: [] } })
      assert.deepEqual((await mapped.authenticate(token)).roles, ['admin'])
      const bound = await identityOf({ adminProjects: [home.name] })
      assert.deepEqual(rolesOf(await bound.authenticate(boss)), ['member', 'reader'])
      const here = await identityOf({ adminProjects: [project.id] })
      assert.deepEqual(rolesOf(await here.authenticate(boss)), ['admin', 'member', 'reader'])
    })

    test('projects of domains that are not let in stay outside', async () => {
      const { token } = await member()
      const elsewhere = await identityOf({ domains: ['another'] })
      await refuses(elsewhere.authenticate(token), 'UNAUTHENTICATED', /domain/)
      for (const domain of ['default', 'Default'])
        await (await identityOf({ domains: [domain] })).authenticate(token)
    })

    test("the server's own token is renewed when it is refused", async () => {
      const user = await keystone.user([home, 'service'])
      const identity = await identityOf({
        service: { user: user.name, password: user.password, project: home.name, domain: 'default' },
      })
      await identity.authenticate((await member()).token)
      // The same password again: it ends the tokens that were made with it.
      await keystone.manage('PATCH', `/users/${user.id}`, { user: { password: user.password } })
      const logins = proxy.logins
      const { user: other, token } = await member()
      assert.equal((await identity.authenticate(token)).userId, other.id)
      // Keystone ends tokens by the second: one that is made within the same is refused too, and another is fetched after it.
      assert.ok([1, 2].includes(proxy.logins - logins), `${proxy.logins - logins} logins`)
    })

    test("a wrong password of the server's own user is nobody else's fault", async () => {
      const { token } = await member()
      const identity = await identityOf({
        service: { user: service.name, password: 'not-the-password', project: home.name, domain: 'default' },
      })
      await refuses(identity.authenticate(token), 'UNAVAILABLE', /refuses the user/)
      await assert.rejects(identity.check(), { code: 'UNAVAILABLE' })
    })

    test("a user of the server's own that may not check tokens is told what it needs", async () => {
      const user = await keystone.user([home, 'reader'])
      const { token } = await member()
      const identity = await identityOf({
        service: { user: user.name, password: user.password, project: home.name, domain: 'default' },
      })
      await refuses(identity.authenticate(token), 'UNAVAILABLE', /grant it the role service/)
    })

    test('while Keystone is out, who was let in goes on, and nobody new comes in', async () => {
      const identity = await identityOf()
      const known = await member()
      const fresh = await member()
      await identity.authenticate(known.token)
      try {
        for (const trouble of [500, 503, 403, 'cut'] as const) {
          proxy.trouble = trouble
          clock.advance(CACHE_MS)
          assert.equal(identity.cached(known.token), undefined)
          const principal = await identity.authenticate(known.token)
          assert.equal(principal.userId, known.user.id)
          // And is not asked about for each of its calls.
          assert.deepEqual(identity.cached(known.token), principal)
          await refuses(identity.authenticate(fresh.token), 'UNAVAILABLE', /^Keystone at http/)
        }
        clock.advance(11 * 60_000)
        await refuses(identity.authenticate(known.token), 'UNAVAILABLE')
      } finally {
        proxy.trouble = undefined
      }
    })

    test('a token is never believed past its end, nor while Keystone is out', async () => {
      const identity = await identityOf({ cacheMs: 300_000 })
      const { token } = await member()
      const { expiresAt } = await identity.authenticate(token)
      const before = clock.now()
      clock.advance(expiresAt - before - 1)
      proxy.trouble = 500
      try {
        await identity.authenticate(token).catch(() => {})
        clock.advance(1)
        assert.equal(identity.cached(token), undefined)
        await refuses(identity.authenticate(token), 'UNAVAILABLE')
      } finally {
        proxy.trouble = undefined
        clock.advance(before - clock.now())
      }
    })

    test('a token of a trust is as good as any, and never goes elsewhere', async () => {
      const identity = await identityOf()
      const { user, project, token } = await member()
      const other = await keystone.project()
      await keystone.grant(user, other, 'member')
      const trustee = await keystone.user()
      const { json } = await keystone.call('POST', '/OS-TRUST/trusts', {
        token,
        body: {
          trust: {
            trustor_user_id: user.id,
            trustee_user_id: trustee.id,
            project_id: project.id,
            impersonation: true,
            roles: [{ name: 'member' }],
          },
        },
      })
      const trusted = await tokenOf(trustLogin(trustee, json.trust))
      const principal = await identity.authenticate(trusted)
      assert.deepEqual([principal.userId, principal.projectId], [user.id, project.id])
      assert.deepEqual(principal.delegation, { kind: 'trust', id: json.trust.id })
      assert.deepEqual(identity.cached(trusted), principal)
      const logins = proxy.logins
      await refuses(identity.principalFor(principal, { id: other.id }, trusted), 'NOT_FOUND')
      assert.equal(proxy.logins, logins)
    })

    async function credential(input: object) {
      const one = await member()
      const { json, status, text } = await keystone.call(
        'POST',
        `/users/${one.user.id}/application_credentials`,
        { token: one.token, body: { application_credential: { name: keystone.fresh('robot'), ...input } } },
      )
      assert.equal(status, 201, text)
      const { id, secret } = json.application_credential
      secrets.add(secret)
      return { ...one, id, robot: await tokenOf(credentialLogin({ id, secret })) }
    }

    test('a token of an application credential is as good as any, and never goes elsewhere', async () => {
      const identity = await identityOf()
      const { user, project, id, robot } = await credential({})
      const other = await keystone.project()
      await keystone.grant(user, other, 'member')
      const principal = await identity.authenticate(robot)
      assert.deepEqual([principal.userId, principal.projectId], [user.id, project.id])
      assert.deepEqual(principal.delegation, { kind: 'application-credential', id })
      assert.deepEqual(identity.cached(robot), principal)
      await refuses(identity.principalFor(principal, { id: other.id }, robot), 'NOT_FOUND')
    })

    test('a token with access rules is good for what they name, and for nothing else', async () => {
      const identity = await identityOf()
      const { user, robot } = await credential({
        access_rules: [{ service: 'faas', method: 'GET', path: '/v1/functions/*' }],
      })
      const request = { service: SERVICES.api, method: 'GET', path: '/v1/functions/hello' }
      assert.equal((await identity.authenticate(robot, request)).userId, user.id)
      for (const other of [
        { ...request, method: 'DELETE' },
        { ...request, path: '/v1/functions/hello/versions' },
        { ...request, path: '/v1/functions' },
        { ...request, service: SERVICES.picasso },
        { ...request, service: SERVICES.router },
        undefined,
      ])
        await refuses(identity.authenticate(robot, other), 'UNAUTHENTICATED')
      assert.equal(identity.cached(robot), undefined)
    })

    test('another service may pass on what its caller asked, and answers for it', async () => {
      const identity = await identityOf()
      const { user, robot } = await credential({
        access_rules: [{ service: 'compute', method: 'POST', path: '/v2.1/servers' }],
      })
      const passed = { service: SERVICES.api, method: 'GET', path: '/v1/functions' }
      const serviceToken = await tokenOf(passwordLogin(await keystone.user([home, 'service']), home))
      assert.equal((await identity.authenticate(robot, { ...passed, serviceToken })).userId, user.id)
      const stranger = (await member()).token
      for (const wrong of [stranger, robot, 'gAAAAABnothing', 'two words'])
        await refuses(identity.authenticate(robot, { ...passed, serviceToken: wrong }), 'UNAUTHENTICATED')
      await refuses(identity.authenticate('gAAAAABnothing', { ...passed, serviceToken }), 'UNAUTHENTICATED')
    })

    test('a plain token goes to another project of its user, and to no other', async () => {
      const identity = await identityOf()
      const { user, token } = await member()
      const other = await keystone.project()
      const foreign = await keystone.project()
      await keystone.grant(user, other, 'reader')
      const principal = await identity.authenticate(token)
      assert.equal(await identity.principalFor(principal, { id: principal.projectId }, token), principal)
      const there = await identity.principalFor(principal, { id: other.id }, token)
      assert.deepEqual([there.userId, there.projectId, there.roles], [user.id, other.id, ['reader']])
      const logins = proxy.logins
      assert.deepEqual(await identity.principalFor(principal, { name: other.name }, token), there)
      assert.equal(proxy.logins, logins)
      for (const id of [foreign.id, 'nothing', '../x'])
        await refuses(identity.principalFor(principal, { id }, token), 'NOT_FOUND')
      await refuses(identity.principalFor(principal, { name: 'nothing' }, token), 'NOT_FOUND')
    })

    test('an operator works in every project that there is', async () => {
      const identity = await identityOf()
      const { project, token } = await member()
      await identity.authenticate(token)
      const principal = await identity.authenticate(keystone.admin)
      assert.ok(principal.roles.includes('admin'))
      const there = await identity.principalFor(principal, { name: project.name }, keystone.admin)
      assert.deepEqual([there.projectId, there.roles], [project.id, principal.roles])
    })

    test('a project that is switched off here is closed to all but operators', async () => {
      const identity = await identityOf()
      const { project, token } = await member()
      await identity.authenticate(token)
      await held.control.updateProject(held.admin, project.name, { enabled: false })
      identity.forgetProject(project.id)
      assert.equal(identity.cached(token), undefined)
      await refuses(identity.authenticate(token), 'UNAUTHENTICATED', /switched off/)
    })

    test('without a user of its own, the server asks each token about itself', async () => {
      const all = await identityOf()
      const { service: _, ...rest } = {
        url: `${proxy.url.replace(/\/v3$/, '')}/`,
        service: undefined,
        roles: { admin: ['admin'], member: ['member'], reader: ['reader'] },
        adminProjects: [],
        domains: [],
        cacheMs: CACHE_MS,
      }
      const identity = await openKeystoneIdentity({
        settings: rest,
        clock,
        projects: {
          find: reference => held.control.findProject(reference),
          adopt: project => held.control.adoptProject(project),
        },
      })
      opened.push(identity)
      const { token } = await member()
      const logins = proxy.logins
      assert.deepEqual(await identity.authenticate(token), await all.authenticate(token))
      await refuses(identity.authenticate('gAAAAABnothing'), 'UNAUTHENTICATED')
      await identity.check()
      assert.ok(proxy.logins <= logins + 1)
    })
  })
}
