import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '../../../support/server-process.ts'
import type { Step } from '../../step.ts'
import { WAIT_MS_MAX, type Work } from './work.ts'

/** Runtimes, and functions in them. */
export function functionSteps(work: Work): readonly Step[] {
  return [
    {
      command: 'openstack runtime create openstackqinling/python3-runtime --name python3',
      operations: ['POST /v1/runtimes'],
      async run(at) {
        const image = 'openstackqinling/python3-runtime'
        const runtime = await at.show('admin', 'runtime', 'create', image, '--name', 'python3')
        assert.deepEqual([runtime.status, runtime.is_public, runtime.trusted], ['creating', true, true])
        work.made.set('python3', runtime.id)
        const words = /Operation not allowed \(HTTP 403\)/
        await at.refused(words, 'ann', 'runtime', 'create', 'python3')
      },
    },
    {
      command: 'openstack runtime create openstackqinling/nodejs-runtime --private --untrusted',
      operations: ['POST /v1/runtimes'],
      async run(at) {
        const options = ['openstackqinling/nodejs-runtime', '--private', '--untrusted']
        const runtime = await at.show('admin', 'runtime', 'create', ...options)
        assert.deepEqual([runtime.is_public, runtime.trusted], [false, false])
        work.made.set('nodejs', runtime.id)
      },
    },
    {
      command: 'openstack runtime show ID',
      operations: ['GET /v1/runtimes/:id'],
      async run(at) {
        for (const name of ['python3', 'nodejs'])
          await until(
            'the runtime is available',
            async () => (await at.show('admin', 'runtime', 'show', work.idOf(name))).status === 'available',
            WAIT_MS_MAX,
          )
      },
    },
    {
      command: 'openstack runtime list',
      operations: ['GET /v1/runtimes'],
      async run(at) {
        const seen = await at.show('ann', 'runtime', 'list')
        assert.deepEqual(
          seen.map((each: { Name: string }) => each.Name),
          ['python3'],
        )
      },
    },
    {
      command: 'openstack runtime pool show ID',
      operations: ['GET /v1/runtimes/:id/pool'],
      async run(at) {
        const pool = await at.show('admin', 'runtime', 'pool', 'show', work.idOf('python3'))
        assert.equal(pool.name, work.idOf('python3'))
        assert.deepEqual(Object.keys(pool.capacity).sort(), ['available', 'total'])
      },
    },
    {
      command: 'openstack runtime delete ID',
      operations: ['DELETE /v1/runtimes/:id'],
      async run(at) {
        const id = work.idOf('nodejs')
        const said = await at.say('admin', 'runtime', 'delete', id)
        assert.equal(said, `Request to delete runtime ${id} has been accepted.`)
      },
    },
    {
      command: 'openstack function create --runtime python3 --name hello --entry hello.main --file hello.py',
      operations: ['POST /v1/functions'],
      async run(at) {
        const file = await work.source(at, 'old code')
        for (const name of ['hello', 'versioned']) {
          const options = ['--runtime', 'python3', '--name', name, '--entry', 'hello.main', '--file', file]
          const found = await at.show('ann', 'function', 'create', ...options)
          assert.deepEqual(
            [found.name, found.entry, found.runtime_id],
            [name, 'hello.main', work.idOf('python3')],
          )
          work.made.set(name, found.id)
        }
      },
    },
    {
      command: 'openstack function create --image openstackqinling/alpine-test --name image',
      operations: ['POST /v1/functions'],
      async run(at) {
        const options = ['--image', 'openstackqinling/alpine-test', '--name', 'image']
        const found = await at.show('ann', 'function', 'create', ...options)
        assert.equal(found.runtime_id, null)
        work.made.set('image', found.id)
        const run = await work.execute(at, '--function', 'image', '--input', 'Ann')
        assert.equal(run.status, 'success', run.result)
        assert.match(await work.logOf(at, run.id), /Hello, Ann/)
        const words = /not allowed.*\(HTTP 405\)/
        await at.refused(words, 'ann', 'function', 'download', 'image', '-o', join(at.folder, 'none.zip'))
      },
    },
    {
      command: 'openstack function list',
      operations: ['GET /v1/functions'],
      async run(at) {
        const names = (await at.show('ann', 'function', 'list')).map((each: { Name: string }) => each.Name)
        assert.deepEqual(names, ['hello', 'versioned', 'image'])
        assert.deepEqual(await at.show('bob', 'function', 'list'), [])
        const everywhere = ['--filter', 'all_projects=true']
        await at.refused(/Operation not allowed \(HTTP 403\)/, 'ann', 'function', 'list', ...everywhere)
        assert.deepEqual(await at.show('admin', 'function', 'list'), [])
        assert.equal((await at.show('admin', 'function', 'list', ...everywhere)).length, 3)
      },
    },
    {
      command: 'openstack function show hello',
      operations: ['GET /v1/functions/:id'],
      async run(at) {
        const found = await at.show('ann', 'function', 'show', 'hello')
        assert.deepEqual(
          [found.id, found.cpu, found.timeout, found.memory_size],
          [work.idOf('hello'), 100, 5, 33_554_432],
        )
        const words = /No Function matching \{'name': 'none'\}\. \(HTTP 404\)/
        await at.refused(words, 'ann', 'function', 'show', 'none')
        await at.refused(/Function not found .*\(HTTP 404\)/, 'bob', 'function', 'show', work.idOf('hello'))
      },
    },
    {
      command: 'openstack function update hello --description "said anew" --cpu 200 --timeout 60',
      operations: ['PUT /v1/functions/:id'],
      async run(at) {
        const options = ['--description', 'said anew', '--cpu', '200', '--timeout', '60']
        await at.say('ann', 'function', 'update', 'hello', ...options)
        const { description, cpu, timeout } = await at.show('ann', 'function', 'show', 'hello')
        assert.deepEqual([description, cpu, timeout], ['said anew', 200, 60])
        await at.say('ann', 'function', 'update', 'versioned', '--timeout', '60')
      },
    },
    {
      command: 'openstack function download hello',
      operations: ['GET /v1/functions/:id'],
      async run(at) {
        const path = join(at.folder, 'got.zip')
        const said = await at.say('ann', 'function', 'download', 'hello', '-o', path)
        assert.equal(said, `Code package downloaded to ${path}`)
        assert.ok((await readFile(path)).includes('old code'))
      },
    },
  ]
}
