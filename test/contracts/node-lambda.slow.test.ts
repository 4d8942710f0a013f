/** AWS's own client for Node: its native part is compiled at the deploy, which takes a minute; hence a file of its own. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { folderOf } from '../builder/folder-of.ts'
import { unreachable } from '../support/registries.ts'
import { ServerProcess, until } from '../support/server-process.ts'

const noNpm = unreachable('npm', 'aws-lambda-ric@4.0.2')

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start()
})
after(() => server?.dispose())

test("AWS's own client for Node runs handlers unmodified, compiled at the deploy with the headers of the server's Node", {
  skip: noNpm || noCompiler(),
}, async t => {
  const files = {
    'package.json': JSON.stringify({ dependencies: { 'aws-lambda-ric': '4.0.2' } }),
    'app.mjs': `
export const handler = async (event, context) => {
  if (event.rawPath === '/fail') throw new TypeError('no such luck')
  console.log('greeting', event.queryStringParameters?.name)
  return {
    statusCode: 201,
    headers: { 'x-request': context.awsRequestId, 'content-type': 'application/json' },
    body: JSON.stringify({
      path: event.rawPath,
      body: event.body,
      name: context.functionName,
      arn: context.invokedFunctionArn,
      client: context.clientContext?.custom,
      remaining: context.getRemainingTimeInMillis(),
    }),
  }
}
export const streams = awslambda.streamifyResponse(async (event, stream) => {
  const out = awslambda.HttpResponseStream.from(stream, { statusCode: 203, headers: { 'x-streamed': 'yes' } })
  for (const word of ['one', 'two']) out.write(word)
  out.end()
})
`,
  }
  const settings = { environment: 'nodejs', contract: 'lambda', limits: { timeoutMs: 20_000 } }
  // By the command, which waits as long as the compiler takes.
  const options = ['--contract', 'lambda', '--entry', 'app.mjs#handler', '--timeout', '20s', '--public']
  const deployed = await server.cli('deploy', folderOf(t, files), '--name', 'ric-node', ...options)
  assert.equal(deployed.code, 0, deployed.stderr)
  const answer = await server.call('ric-node/some/where?name=Ada', {
    method: 'PUT',
    headers: {
      'content-type': 'text/plain',
      'x-amz-client-context': Buffer.from('{"custom":{"ä":1}}').toString('base64'),
    },
    body: 'what was said',
  })
  assert.equal(answer.status, 201, answer.text)
  assert.equal(answer.headers.get('x-request'), answer.headers.get('atelier-invocation-id'))
  const { remaining, ...seen } = answer.json as unknown as { remaining: number }
  assert.ok(remaining > 0 && remaining <= 20_000, String(remaining))
  assert.deepEqual(seen, {
    path: '/some/where',
    body: 'what was said',
    name: 'ric-node',
    arn: 'arn:atelier:lambda:local:default:function:default.ric-node:1',
    client: { ä: 1 },
  })
  assert.match(await logOf(answer), /greeting Ada/)
  const failed = await server.call('ric-node/fail')
  assert.equal(failed.status, 500, failed.text)
  assert.match(await logOf(failed), /TypeError.*no such luck/)
  assert.equal((await server.call('ric-node')).status, 201, 'the runtime goes on after an error')
  assert.equal((await server.instances('ric-node')).length, 1)

  await server.deploy('ric-streams', files, { ...settings, entry: 'app.mjs#streams' })
  const streamed = await server.call('ric-streams')
  assert.deepEqual([streamed.status, streamed.text], [203, 'onetwo'])
  assert.equal(streamed.headers.get('x-streamed'), 'yes')
})

test('a handler whose package lacks the client is told what to add', async () => {
  const files = { 'index.mjs': 'export const handler = async () => ({ statusCode: 200 })\n' }
  await server.deploy('no-client', files, {
    environment: 'nodejs',
    contract: 'lambda',
    entry: 'index.handler',
  })
  const answer = await server.call('no-client')
  assert.equal(answer.json.code, 'FUNCTION_LOAD_FAILED', answer.text)
  let said = ''
  await until('its log says why', async () => {
    said = (await server.cli('logs', 'no-client')).stdout
    return said !== ''
  })
  assert.match(said, /no aws-lambda-ric: add it to the dependencies of package\.json/)
})

/** What the call's log says, once it is written. */
async function logOf(answer: { readonly headers: Headers }): Promise<string> {
  const { id } = await server.record(answer.headers.get('atelier-invocation-id'))
  return (await server.api('GET', `/v1/invocations/${id}/logs`)).text
}

/** What the client needs to be compiled, and this machine lacks. */
function noCompiler(): string | false {
  const missing = ['cmake', 'make', 'g++', 'xz'].find(name => !existsSync(`/usr/bin/${name}`))
  return missing !== undefined && `${missing} is not installed`
}
