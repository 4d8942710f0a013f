import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, afterEach, test } from 'node:test'
import { ApiFixture, problem } from './fixture.ts'

const fixture = await ApiFixture.open({ packageBytesMax: 1024 ** 2, heartbeatMs: 20 })
const { member, reader } = fixture
const url = await fixture.listen()
after(() => fixture[Symbol.asyncDispose]())
afterEach(() => {
  fixture.control.builder.hold = async () => {}
})

const PATH = '/v1/apps/shop/functions/cart/deploy'
const LINES = { accept: 'application/x-ndjson' }

test('a deploy publishes a version, and the same again publishes nothing', async () => {
  const settings = { config: { A: '1' }, limits: { memoryMiB: 256 }, access: 'public' }
  const first = await fixture.deploy(member, { settings })
  assert.equal(first.statusCode, 201)
  const result = first.json<{
    created: boolean
    url: string
    version: { number: number; spec: { limits: object } }
  }>()
  assert.equal(result.created, true)
  assert.equal(result.version.number, 1)
  assert.equal((result.version.spec.limits as { memoryMiB: number }).memoryMiB, 256)
  const second = await fixture.deploy(member, { settings })
  assert.equal(second.statusCode, 200)
  assert.equal(second.json<{ created: boolean }>().created, false)
  const third = await fixture.deploy(member, { code: null, settings: { ...settings, config: { A: '2' } } })
  assert.equal(third.statusCode, 201)
})

test('progress comes as lines while the build runs, with blank lines in between, and the result last', async () => {
  const gate = Promise.withResolvers<void>()
  fixture.control.builder.hold = () => gate.promise
  const form = new FormData()
  form.append('package', new Blob(['new code']), 'main.js')
  const answer = await fetch(`${url}${PATH}`, {
    method: 'POST',
    headers: { ...member.headers, ...LINES },
    body: form,
  })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-type'), 'application/x-ndjson')
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const readUntil = async (wanted: RegExp) => {
    while (!wanted.test(text)) {
      const { value, done } = await reader.read()
      if (done) break
      text += value
    }
  }
  await readUntil(/"unpack"/)
  const soFar = text.length
  await readUntil(new RegExp(`^[^]{${soFar}}\\n\\n`)) // two heartbeats while the build is held
  assert.doesNotMatch(text, /"result"/)
  gate.resolve()
  await readUntil(/a line that never comes/)
  const lines = text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as { kind: string; text?: string })
  assert.equal(lines.at(-1)?.kind, 'result')
  assert.ok(lines.some(line => line.kind === 'log' && line.text?.includes('checking main.js')))
})

test('a build that fails is a problem, or the last line, and what was live stays', async () => {
  const live = (await fixture.call('GET', '/v1/apps/shop/functions/cart/aliases/live', reader)).json()
  problem(await fixture.deploy(member, { code: 'syntax error' }), 422, 'BUILD_FAILED')
  const streamed = await fixture.deploy(member, { code: 'syntax error', headers: LINES })
  assert.equal(streamed.statusCode, 200)
  const last = JSON.parse(streamed.body.trim().split('\n').at(-1)!) as {
    kind: string
    problem: { status: number; code: string }
  }
  assert.equal(last.kind, 'error')
  assert.equal(last.problem.status, 422)
  assert.equal(last.problem.code, 'BUILD_FAILED')
  assert.deepEqual(
    (await fixture.call('GET', '/v1/apps/shop/functions/cart/aliases/live', reader)).json(),
    live,
  )
})

test('settings that are wrong are named by field, before anything is built', async () => {
  const wrong = { limits: { memoryMiB: '128', speed: 1 }, network: 'everything' }
  const { errors } = problem(await fixture.deploy(member, { settings: wrong }), 400, 'INVALID_INPUT')
  assert.deepEqual(errors?.map(each => each.pointer).sort(), [
    '/limits/memoryMiB',
    '/limits/speed',
    '/network',
  ])
  problem(await fixture.deploy(member, { settings: 'no json' }), 400, 'INVALID_INPUT')
})

test('a body of another shape is refused with what is expected', async () => {
  problem(await fixture.call('POST', PATH, member, { body: { a: 1 } }), 415, 'UNSUPPORTED_MEDIA_TYPE')
  const send = (form: FormData) =>
    fetch(`${url}${PATH}`, { method: 'POST', headers: member.headers, body: form })
  const strange = new FormData()
  strange.append('code', 'x')
  assert.equal((await send(strange)).status, 400)
  const empty = new FormData()
  empty.append('other', new Blob(['x']), 'x.js')
  const answer = (await (await send(empty)).json()) as { errors: unknown }
  assert.deepEqual(answer.errors, [
    {
      pointer: '/other',
      detail: 'is not known here; there are "settings" and, after it, the file "package"',
    },
  ])
})

test('settings behind the package are refused, not passed over', async () => {
  const form = new FormData()
  form.append('package', new Blob(['export default () => 1']), 'main.js')
  form.append('settings', JSON.stringify({ access: 'public' }))
  const answer = await fetch(`${url}${PATH}`, { method: 'POST', headers: member.headers, body: form })
  assert.equal(answer.status, 400)
  const { errors } = (await answer.json()) as { errors: unknown }
  assert.deepEqual(errors, [{ pointer: '/settings', detail: 'comes after the package: send it before' }])
})

test("a JSON part that is no JSON, whatever its type says, is the caller's mistake", async () => {
  const boundary = 'xx'
  const payload = `--xx\r\ncontent-disposition: form-data; name="settings"\r\ncontent-type: application/json\r\n\r\n{"a\r\n--xx--\r\n`
  const headers = { ...member.headers, 'content-type': `multipart/form-data; boundary=${boundary}` }
  problem(await fixture.api.inject({ method: 'POST', url: PATH, headers, payload }), 400, 'INVALID_INPUT')
})

test('a package that is too large is refused, also to a caller that goes on sending', async () => {
  problem(await fixture.deploy(member, { code: 'x'.repeat(1024 ** 2 + 1) }), 413, 'BODY_TOO_LARGE')
  const form = new FormData()
  form.append('package', new Blob([Buffer.alloc(8 * 1024 ** 2)]), 'main.js')
  const answer = await fetch(`${url}${PATH}`, { method: 'POST', headers: member.headers, body: form })
  assert.equal(answer.status, 413)
})

test("a body that ends in the middle is the caller's mistake, not ours", async () => {
  const payload =
    '--xx\r\ncontent-disposition: form-data; name="package"; filename="main.js"\r\n\r\nhalf of the co'
  const headers = { ...member.headers, 'content-type': 'multipart/form-data; boundary=xx' }
  problem(await fixture.api.inject({ method: 'POST', url: PATH, headers, payload }), 400, 'INVALID_INPUT')
})

test('readers may not deploy', async () => {
  problem(await fixture.deploy(reader), 403, 'FORBIDDEN')
})

test('a caller who leaves cancels the build', async () => {
  const building = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  fixture.control.builder.hold = () => {
    building.resolve()
    return gate.promise
  }
  const { control } = fixture.control
  const original = control.deploy
  const aborted = Promise.withResolvers<void>()
  const rejected = Promise.withResolvers<unknown>()
  control.deploy = (by, wanted, progress, signal) => {
    signal.addEventListener('abort', () => aborted.resolve())
    const deploying = original(by, wanted, progress, signal)
    deploying.catch(rejected.resolve)
    return deploying
  }
  const body =
    '--xx\r\ncontent-disposition: form-data; name="package"; filename="main.js"\r\n\r\ncode of one who leaves\r\n--xx--\r\n'
  const headers = { ...member.headers, 'content-type': 'multipart/form-data; boundary=xx' }
  const call = request(`${url}/v1/apps/shop/functions/left/deploy`, { method: 'POST', headers })
  call.on('error', () => {})
  call.end(body)
  await building.promise
  call.destroy()
  await aborted.promise
  gate.resolve()
  assert.equal(((await rejected.promise) as { code: string }).code, 'CANCELLED')
  control.deploy = original
  const found = await fixture.call('GET', '/v1/apps/shop/functions/left', member)
  problem(found, 404, 'NOT_FOUND')
})

test('a package streams through: the deploy begins before the upload has ended', async () => {
  const begun = Promise.withResolvers<void>()
  const { builder } = fixture.control
  const original = builder.receive.bind(builder)
  builder.receive = (source, fileName, signal) => {
    source.once('readable', () => begun.resolve())
    return original(source, fileName, signal)
  }
  const headers = { ...member.headers, 'content-type': 'multipart/form-data; boundary=xx' }
  const call = request(`${url}/v1/apps/shop/functions/slow/deploy`, { method: 'POST', headers })
  const answered = new Promise<number | undefined>((resolve, reject) => {
    call.once('response', response => resolve(response.resume().statusCode))
    call.once('error', reject)
  })
  call.write('--xx\r\ncontent-disposition: form-data; name="package"; filename="main.js"\r\n\r\n')
  call.write(Buffer.alloc(200_000, 'a'))
  await begun.promise
  call.end('the end\r\n--xx--\r\n')
  assert.equal(await answered, 201)
  builder.receive = original
})
