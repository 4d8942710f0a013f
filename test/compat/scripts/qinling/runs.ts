import assert from 'node:assert/strict'
import type { Step } from '../../step.ts'
import type { Work } from './work.ts'

/** Functions run, their versions and what names them. */
export function runSteps(work: Work): readonly Step[] {
  return [
    {
      command: `openstack function execution create --function hello --input '{"name": "Ann"}'`,
      operations: ['POST /v1/executions'],
      async run(at) {
        const run = await work.execute(at, '--function', 'hello', '--input', '{"name": "Ann"}')
        assert.deepEqual([run.status, run.input, run.function_version], ['success', '{"name": "Ann"}', 0])
        assert.match(run.result, /^\{"output": "Hello, Ann!", "duration": [\d.]+\}$/)
        work.made.set('execution', run.id)
        const positional = await work.execute(at, '--function', 'hello', '--input', 'Bob')
        assert.match(positional.result, /"Hello, Bob!"/)
      },
    },
    {
      command: 'openstack function execution create --function hello --async',
      operations: ['POST /v1/executions'],
      async run(at) {
        const run = await work.execute(at, '--function', 'hello', '--async')
        assert.deepEqual([run.status, run.result], ['running', null])
        await work.ended(at, run.id)
        const shown = await at.show('ann', 'function', 'execution', 'show', run.id)
        assert.equal(shown.status, 'success')
      },
    },
    {
      command: 'openstack function execution show ID',
      operations: ['GET /v1/executions/:id'],
      async run(at) {
        const shown = await at.show('ann', 'function', 'execution', 'show', work.idOf('execution'))
        assert.equal(shown.status, 'success')
        const words = /Execution not found .*\(HTTP 404\)/
        await at.refused(words, 'bob', 'function', 'execution', 'show', work.idOf('execution'))
      },
    },
    {
      command: 'openstack function execution log show ID',
      operations: ['GET /v1/executions/:id/log'],
      async run(at) {
        const id = work.idOf('execution')
        assert.equal(await work.logOf(at, id), `Start execution: ${id}\nold code\nFinished execution: ${id}`)
      },
    },
    {
      command: 'openstack function execution list --filter function_id=ID --filter status=success',
      operations: ['GET /v1/executions'],
      async run(at) {
        const filter = ['--filter', `function_id=${work.idOf('hello')}`, '--filter', 'status=success']
        assert.equal((await at.show('ann', 'function', 'execution', 'list', ...filter)).length, 3)
      },
    },
    {
      command: 'openstack function execution delete --execution ID',
      operations: ['DELETE /v1/executions/:id'],
      async run(at) {
        const id = work.idOf('execution')
        await at.say('ann', 'function', 'execution', 'delete', '--execution', id)
        await at.refused(/Execution not found .*\(HTTP 404\)/, 'ann', 'function', 'execution', 'show', id)
      },
    },
    {
      command: 'openstack function version create versioned',
      operations: ['POST /v1/functions/:id/versions'],
      async run(at) {
        const create = ['function', 'version', 'create'] as const
        assert.equal((await at.show('ann', ...create, 'versioned')).version_number, 1)
        const words = /Function package not changed since the latest version 1\. \(HTTP 403\)/
        await at.refused(words, 'ann', ...create, work.idOf('versioned'))
      },
    },
    {
      command: 'openstack function update versioned --file hello.py',
      operations: ['PUT /v1/functions/:id'],
      async run(at) {
        const file = await work.source(at, 'new code')
        await at.say('ann', 'function', 'update', 'versioned', '--file', file)
        const options = [work.idOf('versioned'), '--description', 'second']
        assert.equal((await at.show('ann', 'function', 'version', 'create', ...options)).version_number, 2)
      },
    },
    {
      command: 'openstack function version list ID',
      operations: ['GET /v1/functions/:id/versions'],
      async run(at) {
        assert.equal((await at.show('ann', 'function', 'version', 'list', work.idOf('versioned'))).length, 2)
      },
    },
    {
      command: 'openstack function version show ID 2',
      operations: ['GET /v1/functions/:id/versions/:number'],
      async run(at) {
        const shown = await at.show('ann', 'function', 'version', 'show', work.idOf('versioned'), '2')
        assert.equal(shown.description, 'second')
      },
    },
    {
      command: 'openstack function alias create prod --function ID --function-version 1',
      operations: ['POST /v1/aliases'],
      async run(at) {
        const options = ['--function', work.idOf('versioned'), '--function-version', '1']
        await at.say('ann', 'function', 'alias', 'create', 'prod', ...options)
      },
    },
    {
      command: 'openstack function alias show prod',
      operations: ['GET /v1/aliases/:name'],
      async run(at) {
        assert.equal((await at.show('ann', 'function', 'alias', 'show', 'prod')).function_version, 1)
      },
    },
    {
      command: 'openstack function execution create --function-alias prod',
      operations: ['POST /v1/executions'],
      async run(at) {
        const run = await work.execute(at, '--function-alias', 'prod')
        assert.deepEqual([run.function_alias, run.function_version], ['prod', 1])
        assert.match(await work.logOf(at, run.id), /old code/)
      },
    },
    {
      command: 'openstack function alias update prod --function ID --function-version 2',
      operations: ['PUT /v1/aliases/:name'],
      async run(at) {
        const options = ['--function', work.idOf('versioned'), '--function-version', '2']
        await at.say('ann', 'function', 'alias', 'update', 'prod', ...options)
        assert.match(
          await work.logOf(at, (await work.execute(at, '--function-alias', 'prod')).id),
          /new code/,
        )
        const words = /still associated with alias\. \(HTTP 403\)/
        await at.refused(words, 'ann', 'function', 'version', 'delete', work.idOf('versioned'), '2')
      },
    },
    {
      command: 'openstack function execution create --function ID --function-version 1',
      operations: ['POST /v1/executions'],
      async run(at) {
        const run = await work.execute(at, '--function', work.idOf('versioned'), '--function-version', '1')
        assert.match(await work.logOf(at, run.id), /old code/)
      },
    },
    {
      command: 'openstack function alias list',
      operations: ['GET /v1/aliases'],
      async run(at) {
        assert.equal((await at.show('ann', 'function', 'alias', 'list')).length, 1)
        assert.deepEqual(await at.show('bob', 'function', 'alias', 'list'), [])
      },
    },
    {
      command: 'openstack function alias delete prod',
      operations: ['DELETE /v1/aliases/:name'],
      async run(at) {
        await at.say('ann', 'function', 'alias', 'delete', 'prod')
        assert.deepEqual(await at.show('ann', 'function', 'alias', 'list'), [])
      },
    },
  ]
}
