import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type KeystoneClient,
  keys,
  names,
  passwordLogin,
  refused,
  tokenLogin,
} from '../../support/keystone-client.ts'

/** Users, projects, roles, and what there is besides. */
export function accountTests(keystone: KeystoneClient): void {
  test('users are made, found, changed and deleted by an administrator', async () => {
    const name = keystone.fresh('user')
    const project = await keystone.project()
    const made = await keystone.manage('POST', '/users', {
      user: { name, password: 'a good password', email: 'a@example.org', default_project_id: project.id },
    })
    assert.equal(made.status, 201)
    const { user } = made.json
    const expected = 'default_project_id domain_id email enabled id links name options password_expires_at'
    assert.deepEqual(keys(user), expected.split(' '))
    assert.deepEqual(
      [user.name, user.domain_id, user.enabled, user.email, user.links.self],
      [name, 'default', true, 'a@example.org', `${keystone.url}/users/${user.id}`],
    )
    assert.deepEqual((await keystone.manage('GET', `/users/${user.id}`)).json.user, user)
    const found = (await keystone.manage('GET', `/users?name=${name}`)).json
    assert.deepEqual(found.users, [user])
    assert.deepEqual(found.links, { next: null, self: `${keystone.url}/users?name=${name}`, previous: null })
    assert.deepEqual((await keystone.manage('GET', `/users?name=${name}x`)).json.users, [])
    assert.ok((await keystone.manage('GET', '/users')).json.users.length > 1)
    assert.deepEqual((await keystone.manage('GET', `/users?enabled=false&name=${name}`)).json.users, [])
    const change = { user: { email: 'b@example.org', description: 'second', name: `${name}.new` } }
    const changed = (await keystone.manage('PATCH', `/users/${user.id}`, change)).json.user
    assert.deepEqual(
      [changed.name, changed.email, changed.description, changed.id],
      [`${name}.new`, 'b@example.org', 'second', user.id],
    )
    const gone = await keystone.manage('DELETE', `/users/${user.id}`)
    assert.deepEqual([gone.status, gone.text], [204, ''])
    for (const method of ['GET', 'DELETE'])
      refused(await keystone.call(method, `/users/${user.id}`, { token: keystone.admin }), 404)
    refused(
      await keystone.call('PATCH', `/users/${user.id}`, { token: keystone.admin, body: { user: {} } }),
      404,
    )
  })

  test('a user that cannot be made is refused with a reason', async () => {
    const { user } = await keystone.member()
    const make = (body: unknown) => keystone.call('POST', '/users', { token: keystone.admin, body })
    refused(await make({ user: { name: user.name, password: 'a good password' } }), 409)
    refused(await make({ user: {} }), 400)
    refused(await make({ user: { name: 7 } }), 400)
    refused(await make({ user: { name: '' } }), 400)
    refused(await make({ user: { name: keystone.fresh('user'), enabled: 'yes' } }), 400)
    refused(await keystone.call('POST', '/users', { token: keystone.admin, raw: '{"user":' }), 400)
  })

  test('projects are made, found, changed and deleted by an administrator', async () => {
    const name = keystone.fresh('project')
    const made = await keystone.manage('POST', '/projects', { project: { name, description: 'first' } })
    assert.equal(made.status, 201)
    const { project } = made.json
    const expected = 'description domain_id enabled id is_domain links name options parent_id tags'
    assert.deepEqual(keys(project), expected.split(' '))
    assert.deepEqual(
      [project.description, project.domain_id, project.enabled, project.is_domain, project.parent_id],
      ['first', 'default', true, false, 'default'],
    )
    assert.deepEqual((await keystone.manage('GET', `/projects/${project.id}`)).json.project, project)
    assert.deepEqual((await keystone.manage('GET', `/projects?name=${name}`)).json.projects, [project])
    assert.ok(names((await keystone.manage('GET', '/projects')).json.projects).includes(name))
    const change = { project: { description: 'second', enabled: false } }
    const changed = (await keystone.manage('PATCH', `/projects/${project.id}`, change)).json.project
    assert.deepEqual([changed.description, changed.enabled], ['second', false])
    refused(
      await keystone.call('POST', '/projects', { token: keystone.admin, body: { project: { name } } }),
      409,
    )
    refused(await keystone.call('POST', '/projects', { token: keystone.admin, body: { project: {} } }), 400)
    const half = { project: { name: keystone.fresh('project'), enabled: 'yes' } }
    refused(await keystone.call('POST', '/projects', { token: keystone.admin, body: half }), 400)
    assert.deepEqual((await keystone.manage('GET', `/projects?name=${half.project.name}`)).json.projects, [])
    const asleep = await keystone.manage('POST', '/projects', {
      project: { name: keystone.fresh('project'), enabled: false },
    })
    assert.deepEqual([asleep.status, asleep.json.project.enabled], [201, false])
    assert.equal((await keystone.manage('DELETE', `/projects/${asleep.json.project.id}`)).status, 204)
    assert.equal((await keystone.manage('DELETE', `/projects/${project.id}`)).status, 204)
    refused(await keystone.call('GET', `/projects/${project.id}`, { token: keystone.admin }), 404)
  })

  test('roles are granted, looked at and taken away', async () => {
    const project = await keystone.project()
    const user = await keystone.user()
    const path = keystone.grantPath(user, project, 'member')
    refused(await keystone.call('GET', path, { token: keystone.admin }), 404)
    for (let twice = 0; twice < 2; twice++) {
      const granted = await keystone.manage('PUT', path)
      assert.deepEqual([granted.status, granted.text], [204, ''])
    }
    for (const method of ['GET', 'HEAD']) assert.equal((await keystone.manage(method, path)).status, 204)
    const { roles } = (await keystone.manage('GET', `/projects/${project.id}/users/${user.id}/roles`)).json
    assert.deepEqual(names(roles), ['member'])
    assert.deepEqual(keys(roles[0]), ['description', 'domain_id', 'id', 'links', 'name', 'options'])
    const query = `user.id=${user.id}&scope.project.id=${project.id}`
    const { role_assignments } = (await keystone.manage('GET', `/role_assignments?${query}`)).json
    assert.deepEqual(role_assignments, [
      {
        links: { assignment: `${keystone.url}${path}` },
        scope: { project: { id: project.id } },
        user: { id: user.id },
        role: { id: keystone.role('member') },
      },
    ])
    const named = (await keystone.manage('GET', `/role_assignments?${query}&include_names&effective`)).json
    const domain = { id: 'default', name: 'Default' }
    assert.deepEqual(names(named.role_assignments.map(each => each.role)), ['member', 'reader'])
    assert.deepEqual(named.role_assignments[0].user, { id: user.id, name: user.name, domain })
    assert.deepEqual(named.role_assignments[0].scope.project, { id: project.id, name: project.name, domain })
    const own = await keystone.manage('GET', `/users/${user.id}/projects`)
    assert.deepEqual(names(own.json.projects), [project.name])
    assert.equal((await keystone.manage('DELETE', path)).status, 204)
    refused(await keystone.call('DELETE', path, { token: keystone.admin }), 404)
    for (const [u, p, r] of [
      ['nobody', project.id, keystone.role('member')],
      [user.id, 'nowhere', keystone.role('member')],
      [user.id, project.id, 'nothing'],
    ])
      refused(
        await keystone.call('PUT', `/projects/${p}/users/${u}/roles/${r}`, { token: keystone.admin }),
        404,
      )
  })

  test('roles, domains and regions are there to be looked at', async () => {
    const { roles } = (await keystone.manage('GET', '/roles')).json
    for (const name of ['admin', 'member', 'reader', 'service']) assert.ok(names(roles).includes(name), name)
    const [member] = (await keystone.manage('GET', '/roles?name=member')).json.roles
    assert.deepEqual((await keystone.manage('GET', `/roles/${member.id}`)).json.role, member)
    refused(await keystone.call('GET', '/roles/nothing', { token: keystone.admin }), 404)
    const [domain] = (await keystone.manage('GET', '/domains?name=Default')).json.domains
    assert.deepEqual(keys(domain), ['description', 'enabled', 'id', 'links', 'name', 'options', 'tags'])
    assert.deepEqual((await keystone.manage('GET', '/domains/default')).json.domain, domain)
    refused(await keystone.call('GET', '/domains/elsewhere', { token: keystone.admin }), 404)
    const [region] = (await keystone.manage('GET', '/regions')).json.regions
    assert.deepEqual(keys(region), ['description', 'id', 'links', 'parent_region_id'])
    assert.deepEqual((await keystone.manage('GET', `/regions/${region.id}`)).json.region, region)
  })

  test('services and endpoints are those of the catalogue', async () => {
    const [service] = (await keystone.manage('GET', '/services?type=identity')).json.services
    assert.deepEqual(keys(service), ['enabled', 'id', 'links', 'name', 'type'])
    assert.deepEqual((await keystone.manage('GET', `/services/${service.id}`)).json.service, service)
    const list = `/endpoints?service_id=${service.id}&interface=public`
    const [endpoint, ...more] = (await keystone.manage('GET', list)).json.endpoints
    assert.equal(more.length, 0)
    assert.deepEqual(keys(endpoint), 'enabled id interface links region region_id service_id url'.split(' '))
    assert.deepEqual((await keystone.manage('GET', `/endpoints/${endpoint.id}`)).json.endpoint, endpoint)
    for (const path of ['/services/nothing', '/endpoints/nothing', '/regions/nothing'])
      refused(await keystone.call('GET', path, { token: keystone.admin }), 404)
  })

  test('who is no administrator sees oneself and the own project, and manages nothing', async () => {
    const { user, project, token } = await keystone.member()
    const other = await keystone.member()
    const unscoped = await keystone.token({ ...passwordLogin(user), scope: 'unscoped' })
    const service = await keystone.service()
    const allowed = [`/users/${user.id}`, `/users/${user.id}/projects`, `/projects/${project.id}`, '/regions']
    for (const path of [...allowed, '/domains/default'])
      assert.equal((await keystone.call('GET', path, { token })).status, 200, path)
    assert.equal((await keystone.call('GET', `/users/${user.id}`, { token: unscoped })).status, 200)
    const member = keystone.role('member')
    const grant = `/projects/${project.id}/users/${user.id}/roles/${keystone.role('admin')}`
    const forbidden: readonly (readonly [string, string, object?])[] = [
      ['GET', '/users'],
      ['GET', `/users/${other.user.id}`],
      ['GET', '/users/nobody'],
      ['GET', `/users/${other.user.id}/projects`],
      ['POST', '/users', { user: { name: keystone.fresh('user') } }],
      ['PATCH', `/users/${user.id}`, { user: { password: 'without the old one' } }],
      ['DELETE', `/users/${other.user.id}`],
      ['GET', '/projects'],
      ['GET', `/projects/${other.project.id}`],
      ['GET', '/projects/nowhere'],
      ['POST', '/projects', { project: { name: keystone.fresh('project') } }],
      ['PATCH', `/projects/${project.id}`, { project: { description: 'mine' } }],
      ['DELETE', `/projects/${project.id}`],
      ['GET', '/roles'],
      ['GET', `/roles/${member}`],
      ['GET', '/role_assignments'],
      ['GET', `/role_assignments?user.id=${user.id}`],
      ['GET', `/projects/${project.id}/users/${user.id}/roles`],
      ['GET', grant],
      ['PUT', grant],
      ['DELETE', keystone.grantPath(other.user, other.project, 'member')],
      ['GET', '/domains'],
      ['GET', '/services'],
      ['GET', '/endpoints'],
    ]
    for (const [method, path, body] of forbidden)
      for (const by of [token, unscoped, service])
        refused(await keystone.call(method, path, { token: by, ...(body && { body }) }), 403)
    for (const [method, path, body] of forbidden) {
      refused(await keystone.call(method, path, { ...(body && { body }) }), 401)
      refused(await keystone.call(method, path, { token: 'nonsense', ...(body && { body }) }), 401)
    }
  })

  test('an unscoped token of an administrator administers nothing', async () => {
    const unscoped = await keystone.token(tokenLogin(keystone.admin, 'unscoped'))
    refused(await keystone.call('GET', '/users', { token: unscoped }), 403)
  })
}
