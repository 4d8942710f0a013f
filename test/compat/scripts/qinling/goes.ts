import assert from 'node:assert/strict'
import type { Step } from '../../step.ts'
import type { Work } from './work.ts'

/** What is left is deleted. */
export function goingSteps(work: Work): readonly Step[] {
  return [
    {
      command: 'openstack webhook delete ID',
      operations: ['DELETE /v1/webhooks/:id'],
      async run(at) {
        await at.say('ann', 'webhook', 'delete', work.idOf('webhook'))
        assert.deepEqual(await at.show('ann', 'webhook', 'list'), [])
      },
    },
    {
      command: 'openstack function version delete ID 2',
      operations: ['DELETE /v1/functions/:id/versions/:number'],
      async run(at) {
        const id = work.idOf('versioned')
        await at.say('ann', 'function', 'version', 'delete', id, '2')
        assert.equal((await at.show('ann', 'function', 'version', 'list', id)).length, 1)
      },
    },
    {
      command: 'openstack function execution delete --function ID',
      operations: ['DELETE /v1/executions/:id'],
      async run(at) {
        const id = work.idOf('versioned')
        await at.say('ann', 'function', 'execution', 'delete', '--function', id)
        const filter = ['--filter', `function_id=${id}`]
        assert.deepEqual(await at.show('ann', 'function', 'execution', 'list', ...filter), [])
      },
    },
    {
      command: 'openstack function delete versioned',
      operations: ['DELETE /v1/functions/:id'],
      async run(at) {
        const id = work.idOf('versioned')
        const said = await at.say('ann', 'function', 'delete', 'versioned')
        assert.equal(said, `Request to delete function ${id} has been accepted.`)
        await at.refused(/No Function matching/, 'ann', 'function', 'show', 'versioned')
      },
    },
  ]
}
