import assert from 'node:assert/strict'
import { until } from '../../../support/server-process.ts'
import type { Step } from '../../step.ts'
import { WAIT_MS_MAX, type Work } from './work.ts'

/** What runs functions, as their operator sees it. */
export function workerSteps(work: Work): readonly Step[] {
  return [
    {
      command: 'openstack function version detach ID 1',
      operations: ['POST /v1/functions/:id/versions/:number/detach'],
      async run(at) {
        const id = work.idOf('versioned')
        const said = await at.say('admin', 'function', 'version', 'detach', id, '1')
        assert.equal(said, `Request to detach function ${id}(version 1) has been accepted.`)
      },
    },
    {
      command: 'openstack function scaleup ID --count 2',
      operations: ['POST /v1/functions/:id/scale_up'],
      async run(at) {
        const id = work.idOf('hello')
        const said = await at.say('admin', 'function', 'scaleup', id, '--count', '2')
        assert.equal(said, `Request to scale up function ${id} has been accepted.`)
      },
    },
    {
      command: 'openstack function worker list ID',
      operations: ['GET /v1/functions/:id/workers'],
      run: at =>
        until('there are two workers or more', async () => (await work.workers(at)) >= 2, WAIT_MS_MAX),
    },
    {
      command: 'openstack function scaledown ID --count 100',
      operations: ['POST /v1/functions/:id/scale_down'],
      async run(at) {
        await at.say('admin', 'function', 'scaledown', work.idOf('hello'), '--count', '100')
        await until('there is one worker', async () => (await work.workers(at)) === 1, WAIT_MS_MAX)
      },
    },
    {
      command: 'openstack function detach ID',
      operations: ['POST /v1/functions/:id/detach'],
      async run(at) {
        const id = work.idOf('hello')
        const said = await at.say('admin', 'function', 'detach', id)
        assert.equal(said, `Request to detach function ${id} has been accepted.`)
        await until('there is none', async () => (await work.workers(at)) === 0, WAIT_MS_MAX)
        await at.refused(/Unable to detach the specified function/, 'ann', 'function', 'detach', id)
      },
    },
  ]
}
