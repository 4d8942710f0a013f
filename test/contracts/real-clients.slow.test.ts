import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { unreachable } from '../support/registries.ts'
import { ServerProcess } from '../support/server-process.ts'

const noNpm = unreachable('npm', '@fnproject/fdk@0.0.76')
const noPip = unreachable('pip', 'fdk==0.1.128')

const FRAMEWORK = { environment: 'nodejs', contract: 'functions-framework' }
const FRAMEWORK_FILES = {
  'package.json': JSON.stringify({ dependencies: { '@google-cloud/functions-framework': '5.0.5' } }),
  'index.js': `
const functions = require('@google-cloud/functions-framework')
functions.http('hello', (req, res) => res.status(201).set('x-path', req.path).send({ hello: req.body?.name ?? req.query.name }))
functions.cloudEvent('heard', event => {
  console.log('heard', event.id, event.type, event.data.colour)
})
exports.plain = (req, res) => res.send('plain ' + req.method)
`,
}

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start()
})
after(() => server?.dispose())

test("AWS's own client for Python runs handlers unmodified: HTTP events, errors, contexts", {
  skip: noPip,
}, async () => {
  await server.deploy(
    'ric',
    {
      'requirements.txt': 'awslambdaric==4.2.2\n',
      'app.py': `
import base64, json, os
def handler(event, context):
    if event["rawPath"].endswith("/fail"):
        raise ValueError("no such luck")
    return {
        "statusCode": 201,
        "headers": {"x-request": context.aws_request_id, "content-type": "application/json"},
        "cookies": ["a=1", "b=2"],
        "body": json.dumps({
            "method": event["requestContext"]["http"]["method"],
            "path": event["rawPath"],
            "query": event.get("queryStringParameters"),
            "header": event["headers"].get("x-custom"),
            "agent": event["headers"].get("user-agent"),
            "body": base64.b64decode(event["body"]).decode() if event["isBase64Encoded"] else event.get("body"),
            "remaining": context.get_remaining_time_in_millis(),
            "name": context.function_name,
            "memory": context.memory_limit_in_mb,
            "arn": context.invoked_function_arn,
            "client": context.client_context.custom if context.client_context else None,
            "root": os.environ["LAMBDA_TASK_ROOT"],
        }),
    }
`,
    },
    { environment: 'python', contract: 'lambda', entry: 'app:handler', limits: { timeoutMs: 20_000 } },
  )
  const answer = await server.call('ric/some/where?a=1&a=2', {
    method: 'PUT',
    headers: {
      'x-custom': 'yes',
      'content-type': 'text/plain',
      'user-agent': 'tester',
      'x-amz-client-context': Buffer.from('{"custom":{"ä":1}}').toString('base64'),
    },
    body: 'what was said',
  })
  assert.equal(answer.status, 201, answer.text)
  assert.equal(answer.headers.get('x-request'), answer.headers.get('atelier-invocation-id'))
  assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2'])
  const { remaining, ...seen } = answer.json as unknown as { remaining: number }
  assert.ok(remaining > 0 && remaining <= 20_000, String(remaining))
  assert.deepEqual(seen, {
    method: 'PUT',
    path: '/some/where',
    query: { a: '1,2' },
    header: 'yes',
    agent: 'tester',
    body: 'what was said',
    name: 'ric',
    memory: '128',
    arn: 'arn:atelier:lambda:local:default:function:default.ric:1',
    client: { ä: 1 },
    root: '/function',
  })
  const failed = await server.call('ric/fail')
  assert.equal(failed.status, 500, failed.text)
  assert.match(await logOf(failed), /ValueError: no such luck/)
  assert.equal((await server.call('ric/well')).status, 201, 'the runtime goes on after an error')
  assert.equal((await server.instances('ric')).length, 1)
})

test('the example of a Lambda handler deploys as it is and does what its page says', {
  skip: noPip,
}, async () => {
  const deployed = await server.cli('deploy', join(import.meta.dirname, '../../examples/loan-plan'))
  assert.equal(deployed.code, 0, deployed.stderr)
  const { json } = await server.call('loan-plan?amount=1000&percent=6&months=3')
  const { payments, total, interest } = json as unknown as Record<string, unknown>
  assert.deepEqual(payments, [
    { month: 1, payment: '336.67', interest: '5.00', left: '668.33' },
    { month: 2, payment: '336.67', interest: '3.34', left: '335.00' },
    { month: 3, payment: '336.68', interest: '1.68', left: '0.00' },
  ])
  assert.deepEqual([total, interest], ['1010.02', '10.02'])
  assert.equal((await server.call('loan-plan?amount=much')).status, 400)
})

test("Fn's kit for Node runs functions unmodified, with the gateway's headers both ways", {
  skip: noNpm,
}, async () => {
  await server.deploy(
    'fdk-node',
    {
      'package.json': JSON.stringify({ dependencies: { '@fnproject/fdk': '0.0.76' } }),
      'func.js': `
const fdk = require('@fnproject/fdk')
fdk.handle((input, context) => {
  const gateway = context.httpGateway
  if (gateway.requestURL.includes('/fail')) throw new Error('no such luck')
  gateway.statusCode = 201
  gateway.setResponseHeader('X-Answer', 'from the kit')
  context.responseContentType = 'application/json; charset=utf-8'
  return { input, method: gateway.method, url: gateway.requestURL, custom: gateway.getHeader('X-Custom'), call: context.callID,
    type: context.contentType, deadline: context.deadline, fn: context.fnName, app: context.appName, memory: context.memory, mine: context.config.MINE }
})
`,
    },
    { environment: 'nodejs', contract: 'fn', entry: 'func.js', config: { MINE: 'set' } },
  )
  await checkFn('fdk-node')
})

test("Fn's kit for Python runs functions unmodified, with the gateway's headers both ways", {
  skip: noPip,
}, async () => {
  await server.deploy(
    'fdk-python',
    {
      'requirements.txt': 'fdk==0.1.128\n',
      'func.py': `
import json
from fdk import response
async def handler(ctx, data=None):
    if "/fail" in ctx.RequestURL():
        raise RuntimeError("no such luck")
    return response.Response(ctx, status_code=201, headers={"X-Answer": "from the kit", "Content-Type": "application/json; charset=utf-8"},
        response_data=json.dumps({"input": json.loads(data.getvalue() or b"null"), "method": ctx.Method(), "url": ctx.RequestURL(),
            "custom": ctx.HTTPHeaders().get("x-custom"), "call": ctx.CallID(), "type": ctx.Headers().get("content-type"),
            "deadline": ctx.Deadline(), "fn": ctx.FnName(), "app": ctx.AppName(), "memory": 128, "mine": ctx.Config()["MINE"]}))
`,
    },
    { environment: 'python', contract: 'fn', entry: 'func:handler', config: { MINE: 'set' } },
  )
  await checkFn('fdk-python')
})

test('functions written for functions-framework run unmodified on its own server for Node: HTTP and CloudEvents', {
  skip: noNpm,
}, async () => {
  await server.deploy('ff-hello', FRAMEWORK_FILES, { ...FRAMEWORK, entry: 'index.js#hello' })
  await checkHello('ff-hello')
  await server.deploy('ff-plain', FRAMEWORK_FILES, {
    ...FRAMEWORK,
    entry: 'index.js',
    config: { FUNCTION_TARGET: 'plain', FUNCTION_SIGNATURE_TYPE: 'http' },
  })
  assert.equal((await server.call('ff-plain', { method: 'PUT' })).text, 'plain PUT')
  await server.deploy('ff-heard', FRAMEWORK_FILES, { ...FRAMEWORK, entry: 'index.js#heard' })
  await checkCloudEvent('ff-heard')
})

test('functions written for functions-framework run unmodified on its own server for Python', {
  skip: noPip,
}, async () => {
  const files = {
    'requirements.txt': 'functions-framework==3.10.2\n',
    'main.py': `
import functions_framework
@functions_framework.http
def hello(request):
    return {"hello": request.args.get("name")}, 201, {"x-path": request.path}
@functions_framework.cloud_event
def heard(event):
    print("heard", event["id"], event["type"], event.data["colour"], flush=True)
`,
  }
  const settings = { environment: 'python', contract: 'functions-framework', limits: { memoryMiB: 256 } }
  await server.deploy('ff-py-hello', files, { ...settings, entry: 'main:hello' })
  const hello = await server.call('ff-py-hello/there?name=you')
  assert.deepEqual(JSON.parse(hello.text), { hello: 'you' }, hello.text)
  assert.deepEqual([hello.status, hello.headers.get('x-path')], [201, '/there'])
  await server.deploy('ff-py-heard', files, { ...settings, entry: 'main:heard' })
  await checkCloudEvent('ff-py-heard')
})

test('a function for functions-framework runs in gVisor', {
  skip: noNpm || (!existsSync('/usr/bin/runsc') && 'runsc is not installed'),
}, async () => {
  const settings = { ...FRAMEWORK, entry: 'index.js#hello', isolation: 'gvisor' }
  await server.deploy('ff-gvisor', FRAMEWORK_FILES, settings)
  await checkHello('ff-gvisor')
})

test('what was deployed in one sandbox runs in the other: a server without bubblewrap comes up on the same data', {
  skip: noNpm || (!existsSync('/usr/bin/setpriv') && 'setpriv (util-linux) is not installed'),
}, async () => {
  await server.stop()
  server = await ServerProcess.start({ home: server.home, flags: ['--isolation', 'unshare'] })
  await checkHello('ff-hello')
})

async function checkHello(name: string): Promise<void> {
  const hello = await server.call(`${name}/there?name=you`)
  assert.equal(hello.text, '{"hello":"you"}')
  assert.deepEqual([hello.status, hello.headers.get('x-path')], [201, '/there'])
}

async function checkFn(name: string): Promise<void> {
  const answer = await server.call(`${name}/some/where?a=1`, {
    method: 'PUT',
    headers: { 'x-custom': 'yes', 'content-type': 'application/json' },
    body: '{"said":"ä"}',
  })
  assert.equal(answer.status, 201, answer.text)
  assert.equal(answer.headers.get('x-answer'), 'from the kit')
  assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
  assert.equal(answer.headers.get('fn-fdk-version'), null, 'what is between kit and platform stays there')
  const { deadline, url, ...seen } = answer.json as unknown as Record<string, unknown>
  assert.ok(new Date(String(deadline)).getTime() > Date.now(), String(deadline))
  assert.match(String(url), /^http:\/\/127\.0\.0\.1:\d+\/some\/where\?a=1$/)
  assert.deepEqual(seen, {
    input: { said: 'ä' },
    method: 'PUT',
    custom: 'yes',
    call: answer.headers.get('atelier-invocation-id'),
    type: 'application/json',
    fn: name,
    app: 'default',
    memory: seen['memory'],
    mine: 'set',
  })
  const failed = await server.call(`${name}/fail`, { method: 'POST', body: '{}' })
  assert.equal(failed.status, 500, failed.text)
  assert.match(await logOf(failed), /no such luck/)
  for (const method of ['GET', 'HEAD', 'POST', 'DELETE'])
    assert.equal(
      (await server.call(name, { method, ...(method === 'POST' && { body: '{}' }) })).status,
      201,
      `${method} after an error`,
    )
  assert.equal((await server.instances(name)).length, 1)
}

async function checkCloudEvent(name: string): Promise<void> {
  const answer = await server.call(name, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': 'e-1',
      'ce-source': '/test',
      'ce-type': 'org.example.painted',
    },
    body: '{"colour":"red"}',
  })
  assert.ok(answer.status === 200 || answer.status === 204, `${answer.status} ${answer.text}`)
  assert.match(await logOf(answer), /heard e-1 org\.example\.painted red/)
}

/** What the call's log says, once it is written. */
async function logOf(answer: { readonly headers: Headers }): Promise<string> {
  const { id } = await server.record(answer.headers.get('atelier-invocation-id'))
  return (await server.api('GET', `/v1/invocations/${id}/logs`)).text
}
