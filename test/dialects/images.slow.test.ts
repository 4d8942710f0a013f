import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Engine, imageWith } from '../support/engine.ts'
import { ENGINES } from '../support/engines.ts'
import { ServerProcess, until } from '../support/server-process.ts'

/** Format `default`: stdin to its end, and what is written until it ends. */
const COLD = 'localhost/atelier-test/cold:1'
const COLD_PROGRAM = 'input=$(cat); echo "cold log of $input" >&2; echo "cold $METHOD $GREETING $input"'
/** Format `http`: one request after the other on stdin, by a process that counts them. */
const HOT = 'localhost/atelier-test/hot:1'
const HOT_PROGRAM = `
count=0
return=$(printf '\\r')
while read -r line; do
  bytes=0
  while read -r field; do
    field=\${field%$return}
    [ -z "$field" ] && break
    case "$field" in "Content-Length: "*) bytes=\${field#*: };; esac
  done
  input=$(dd bs=1 count=$bytes 2>/dev/null)
  count=$((count + 1))
  echo "hot log of $input" >&2
  answer="hot $count $GREETING $input"
  printf 'HTTP/1.1 200 OK\\r\\nContent-Length: %s\\r\\n\\r\\n%s' \${#answer} "$answer"
done
`
const COMMAND = 'CMD ["/bin/sh", "/program"]'
const FORMATS = [
  { format: 'default', image: COLD, answers: ['cold POST hello one', 'cold POST hello two'] },
  { format: 'http', image: HOT, answers: ['hot 1 hello one', 'hot 2 hello two'] },
] as const

const engineHere = ENGINES.find(each => each.skip === false) ?? ENGINES[0]!

describe(`routes of other systems on real images, with ${engineHere.name}`, { skip: engineHere.skip }, () => {
  let engine: Engine
  let server: ServerProcess

  before(async () => {
    engine = await engineHere.start()
    await imageWith(engine, COLD, { program: COLD_PROGRAM }, [COMMAND])
    await imageWith(engine, HOT, { program: HOT_PROGRAM }, [COMMAND])
    const dialects = ['--dialects', 'picasso:0,ironfunctions:0', '--dialect-project', 'default']
    server = await ServerProcess.start({ flags: ['--container-engine', engine.socket, ...dialects] })
  })
  after(async () => {
    await server?.dispose()
    const left = await engine?.containers()
    await engine?.dispose()
    assert.deepEqual(left, [], 'a stopped server leaves no container')
  })

  /** One request to a dialect; it must succeed. */
  const ask = async (
    dialect: string,
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ readonly text: string; readonly id: string | null }> => {
    const answer = await fetch(server.dialect(dialect) + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    const text = await answer.text()
    assert.ok(answer.ok, `${path}: ${answer.status} ${text}`)
    return { text, id: answer.headers.get('atelier-invocation-id') }
  }

  /** Waits until a call has ended well and its function has said this. */
  const hasSaid = async (id: string | null, pattern: RegExp): Promise<void> => {
    const record = await server.record(id)
    assert.equal(record.status, 'ok', JSON.stringify(record))
    const { appName, functionName } = record
    await until(`the log of ${functionName} has ${pattern}`, async () => {
      const { text } = await server.api(
        'GET',
        `/v1/apps/${encodeURIComponent(appName)}/functions/${encodeURIComponent(functionName)}/logs`,
      )
      return pattern.test(text)
    })
  }

  for (const { format, image, answers } of FORMATS) {
    const word = answers[0].split(' ')[0]!

    test(`a route of IronFunctions, format ${format}, runs an image and answers`, async () => {
      const app = `iron-${format}`
      await ask('ironfunctions', '/v1/apps', { app: { name: app, config: { GREETING: 'hello' } } })
      const route = { path: '/run', image, format, memory: 64, timeout: 60 }
      await ask('ironfunctions', `/v1/apps/${app}/routes`, { route })
      const said = []
      for (const input of ['one', 'two'])
        said.push((await ask('ironfunctions', `/r/${app}/run`, input)).text.trim())
      assert.deepEqual(said, answers)
    })

    test(`an asynchronous route of IronFunctions, format ${format}, runs an image later`, async () => {
      const app = `iron-${format}-later`
      const route = { path: '/run', image, format, type: 'async', memory: 64, timeout: 60 }
      await ask('ironfunctions', `/v1/apps/${app}/routes`, { route })
      const { text, id } = await ask('ironfunctions', `/r/${app}/run`, 'later')
      assert.equal((JSON.parse(text) as { call_id: string }).call_id, id)
      await hasSaid(id, new RegExp(`${word} log of later`))
    })

    test(`a route of Picasso, format ${format}, runs an image, for its project and for anybody`, async () => {
      const { token, projectId } = await inProject()
      const app = await picassoApp(`p${format}`, { GREETING: 'hello' })
      const route = { path: '/run', image, format, type: 'sync', memory: 64, timeout: 60, is_public: 'true' }
      await ask('picasso', `/v1/${projectId}/apps/${app}/routes`, { route }, token)
      const own = await ask('picasso', `/v1/r/${projectId}/${app}/run`, { name: 'one' }, token)
      const open = await ask('picasso', `/r/${app}/run`, { name: 'two' })
      const results = [own, open].map(({ text }) => (JSON.parse(text) as { result: string }).result.trim())
      // Picasso hands JSON on as Python writes it.
      assert.deepEqual(
        results,
        answers.map(each => each.replace(/\w+$/, input => `{"name": "${input}"}`)),
      )
    })

    test(`an asynchronous route of Picasso, format ${format}, runs an image later`, async () => {
      const { token, projectId } = await inProject()
      const app = await picassoApp(`l${format}`, {})
      const route = {
        path: '/run',
        image,
        format,
        type: 'async',
        memory: 64,
        timeout: 60,
        is_public: 'false',
      }
      await ask('picasso', `/v1/${projectId}/apps/${app}/routes`, { route }, token)
      const { text, id } = await ask('picasso', `/v1/r/${projectId}/${app}/run`, { name: 'later' }, token)
      assert.deepEqual(JSON.parse(text), {})
      await hasSaid(id, new RegExp(`${word} log of .*later`))
    })
  }

  test('iron/hello runs through both, from no registry', async () => {
    const { token, projectId } = await inProject()
    const app = await picassoApp('hello', {})
    const route = { path: '/hello', image: 'iron/hello', type: 'sync', is_public: 'false' }
    await ask('picasso', `/v1/${projectId}/apps/${app}/routes`, { route }, token)
    const picasso = await ask('picasso', `/v1/r/${projectId}/${app}/hello`, { name: 'Ann' }, token)
    assert.equal((JSON.parse(picasso.text) as { result: string }).result, 'Hello Ann!\n')
    await ask('ironfunctions', '/v1/apps/iron-hello/routes', {
      route: { path: '/hello', image: 'iron/hello' },
    })
    assert.equal((await ask('ironfunctions', '/r/iron-hello/hello', '{"name":"Ann"}')).text, 'Hello Ann!\n')
  })

  async function inProject(): Promise<{ token: Record<string, string>; projectId: string }> {
    const { json } = await server.api<{ projectId: string }>('GET', '/v1/whoami')
    return { token: { 'x-auth-token': await server.token() }, projectId: json.projectId }
  }

  /** Makes an app; its name is Picasso's to say. */
  async function picassoApp(name: string, config: Readonly<Record<string, string>>): Promise<string> {
    const { token, projectId } = await inProject()
    const { text } = await ask('picasso', `/v1/${projectId}/apps`, { app: { name, config } }, token)
    return (JSON.parse(text) as { app: { name: string } }).app.name
  }
})
