import assert from 'node:assert/strict'
import { until } from '../../../support/server-process.ts'
import type { Step } from '../../step.ts'
import { WAIT_MS_MAX, type Work } from './work.ts'

/** What calls functions: clocks and webhooks. */
export function callSteps(work: Work): readonly Step[] {
  return [
    {
      command: 'openstack job create --function ID --name nightly --pattern "0 2 * * *"',
      operations: ['POST /v1/jobs'],
      async run(at) {
        const options = ['--function', work.idOf('hello'), '--name', 'nightly', '--pattern', '0 2 * * *']
        const job = await at.show('ann', 'job', 'create', ...options)
        assert.deepEqual([job.status, job.count, job.function_version], ['running', null, 0])
        assert.match(job.next_execution_time, /T02:00:00Z$/)
        work.made.set('job', job.id)
      },
    },
    {
      command: 'openstack job update ID --status paused --name night',
      operations: ['PUT /v1/jobs/:id'],
      async run(at) {
        await at.say('ann', 'job', 'update', work.idOf('job'), '--status', 'paused', '--name', 'night')
        const words = /Invalid status\. \(HTTP 400\)/
        await at.refused(words, 'ann', 'job', 'update', work.idOf('job'), '--status', 'done')
      },
    },
    {
      command: 'openstack job show ID',
      operations: ['GET /v1/jobs/:id'],
      async run(at) {
        const { name, status } = await at.show('ann', 'job', 'show', work.idOf('job'))
        assert.deepEqual([name, status], ['night', 'paused'])
      },
    },
    {
      command: 'openstack job list',
      operations: ['GET /v1/jobs'],
      async run(at) {
        assert.equal((await at.show('ann', 'job', 'list')).length, 1)
        assert.deepEqual(await at.show('bob', 'job', 'list'), [])
      },
    },
    {
      command: 'openstack job delete ID',
      operations: ['DELETE /v1/jobs/:id'],
      async run(at) {
        const id = work.idOf('job')
        const said = await at.say('ann', 'job', 'delete', id)
        assert.equal(said, `Request to delete job ${id} has been accepted.`)
      },
    },
    {
      command: 'openstack job create --function ID --pattern "* * * * * *" --count 2, which runs twice',
      operations: ['POST /v1/jobs'],
      async run(at) {
        const options = ['--function', work.idOf('hello'), '--pattern', '* * * * * *', '--count', '2']
        const job = await at.show('ann', 'job', 'create', ...options, '--function-input', '{"name": "job"}')
        const isDone = async () => (await at.show('ann', 'job', 'show', job.id)).status === 'done'
        await until('the job is done', isDone, WAIT_MS_MAX)
        const list = () =>
          at.show('ann', 'function', 'execution', 'list', '--filter', `description=has:${job.id}`)
        let runs: readonly { readonly Status: string; readonly Result: string }[] = []
        const haveEnded = async () => {
          runs = await list()
          return runs.every(each => each.Status === 'success')
        }
        await until('both runs have ended', haveEnded, WAIT_MS_MAX)
        assert.equal(runs.length, 2)
        for (const each of runs) assert.match(each.Result, /Hello, job!/)
      },
    },
    {
      command: 'openstack webhook create --function ID --description first',
      operations: ['POST /v1/webhooks'],
      async run(at) {
        const options = ['--function', work.idOf('hello'), '--description', 'first']
        const webhook = await at.show('ann', 'webhook', 'create', ...options)
        const url = `${at.server.dialect('qinling')}/v1/webhooks/${webhook.id}/invoke`
        assert.equal(webhook.webhook_url, url)
        work.made.set('webhook', webhook.id).set('webhook url', url)
      },
    },
    {
      command: 'openstack webhook update ID --description second',
      operations: ['PUT /v1/webhooks/:id'],
      async run(at) {
        await at.say('ann', 'webhook', 'update', work.idOf('webhook'), '--description', 'second')
      },
    },
    {
      command: 'openstack webhook show ID',
      operations: ['GET /v1/webhooks/:id'],
      async run(at) {
        assert.equal((await at.show('ann', 'webhook', 'show', work.idOf('webhook'))).description, 'second')
      },
    },
    {
      command: 'openstack webhook list',
      operations: ['GET /v1/webhooks'],
      async run(at) {
        assert.equal((await at.show('ann', 'webhook', 'list')).length, 1)
        assert.deepEqual(await at.show('bob', 'webhook', 'list'), [])
      },
    },
    {
      command: 'curl -d name=hook WEBHOOK_URL',
      operations: ['POST /v1/webhooks/:id/invoke'],
      async run(at) {
        const body = new URLSearchParams({ name: 'hook' })
        const called = await fetch(work.idOf('webhook url'), { method: 'POST', body })
        assert.equal(called.status, 202)
        const { execution_id: execution } = (await called.json()) as { execution_id: string }
        await work.ended(at, execution)
        const shown = await at.show('ann', 'function', 'execution', 'show', execution)
        assert.equal(shown.description, `Created by Webhook ${work.idOf('webhook')}`)
        assert.match(shown.result, /Hello, hook!/)
      },
    },
  ]
}
