import assert from 'node:assert/strict'
import { test } from 'node:test'
import { targetOf } from '../../../src/dialects/qinling/deploy.ts'
import { Cloud, codeOf, form, zip } from './cloud.ts'

test('who makes a function lends it the role of a member, and neither scaling nor an operator changes that', async t => {
  const cloud = await Cloud.open(t)
  const { projectId, userId } = cloud.bluePrincipal
  const tokenOf = (id: string, number = 0) => {
    const versions = [...targetOf(cloud.at.fixture, projectId, id, number)!.versions.values()]
    return versions.at(-1)!.token
  }
  const id = await cloud.made()
  const lent = tokenOf(id)
  assert.deepEqual([lent?.roles, lent?.userId], [['member'], userId])

  await cloud.must(201, 'POST', `/v1/functions/${id}/versions`, { body: {} })
  assert.deepEqual(tokenOf(id, 1)?.roles, ['member'])

  const scaled = { token: cloud.admin, body: { count: 2 } }
  await cloud.must(202, 'POST', `/v1/functions/${id}/scale_up`, scaled)
  assert.deepEqual(tokenOf(id), lent)

  // Code that somebody else brings gets nothing of the first one's, and an operator's rights are not lent to another project.
  const other = zip('def main(**_): return 2')
  const changed = { token: cloud.admin, form: form({ code: codeOf(other) }, other) }
  await cloud.must(200, 'PUT', `/v1/functions/${id}`, changed)
  assert.equal(tokenOf(id), undefined)
})

test('who can lend nothing makes functions all the same', async t => {
  const cloud = await Cloud.open(t, { openProject: 'blue' })
  const archive = zip('def main(**_): return 1')
  const runtime = await cloud.runtime()
  const made = await cloud.must(201, 'POST', '/v1/functions', {
    token: '',
    form: form({ runtime_id: runtime, code: codeOf(archive), entry: 'main.main' }, archive),
  })
  const { projectId } = cloud.bluePrincipal
  const [version] = targetOf(cloud.at.fixture, projectId, made.json.id, 0)!.versions.values()
  assert.equal(version!.token, undefined)
})
