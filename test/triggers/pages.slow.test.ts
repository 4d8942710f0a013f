/** The examples of the pages about events, typed as they are printed, against a server of their own. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { BIN, bareEnvironment } from '../support/command.ts'
import { ServerProcess } from '../support/server-process.ts'
import { commandBlocks } from '../tour/command-blocks.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const MODULES = join(ROOT, 'node_modules')
const STEP_MS_MAX = 60_000

suite('the pages about events', () => {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-pages-'))
  let server: ServerProcess

  before(async () => {
    server = await ServerProcess.start()
  })

  after(async () => {
    await server?.dispose()
    rmSync(folder, { recursive: true, force: true })
  })

  test("the webhook page's GitHub example", async () => {
    const page = readPage('trigger-webhook')
    const [deployAndCreate, send, requests] = page.commands
    const url = urlIn(await run(deployAndCreate!))
    const { id } = JSON.parse(await run(send!, { URL: url })) as { id: string }
    await logged('pushes', /acme\/shop has 1 new commits on refs\/heads\/main/)
    assert.match(await run(requests!), new RegExp(`accepted.*${id}|${id}.*accepted`))
    const forged = await run(send!.replace("-hmac 'a long random text'", "-hmac 'another'"), { URL: url })
    assert.match(forged, /not genuine/)
  })

  test("the alarm page's examples, of Alertmanager and of Aodh", async () => {
    const page = readPage('trigger-alarm')
    const [deployAndCreate, send, deployAodh] = page.commands
    const url = urlIn(await run(deployAndCreate!))
    const answer = JSON.parse(await run(send!, { URL: url })) as { calls: string[]; filtered: number }
    assert.equal(answer.calls.length, 1)
    assert.equal(answer.filtered, 1)
    await logged('page', /firing: DiskFull on db-1/)
    cpSync(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true })
    assert.match(urlIn(await run(deployAodh!)), /\/-\/hooks\//)
  })

  test('the CloudEvents page: a function reads one in whichever mode it came, in both languages, and with the SDK', async () => {
    const page = readPage('cloudevents')
    const [paid] = page.commands
    const expected = { type: 'order.paid', source: '/shop', total: 12 }
    assert.deepEqual(JSON.parse(lastLine(await run(paid!))), expected)
    const python = paid!.replaceAll('paid.mjs', 'paid.py')
    assert.deepEqual(
      JSON.parse(lastLine(await run(python.replace('--public', '--public --name paid-py')))),
      expected,
    )
    // The SDK as this repository has it, so that the test needs no registry.
    const files: Record<string, string> = { 'index.mjs': readFileSync(join(folder, 'sdk.mjs'), 'utf8') }
    for (const name of packagesOf('cloudevents'))
      for (const file of globSync('**/*.{js,json}', { cwd: join(MODULES, name) }))
        files[`node_modules/${name}/${file}`] = readFileSync(join(MODULES, name, file), 'utf8')
    await server.deploy('with-sdk', files)
    const structured = {
      specversion: '1.0',
      id: '1',
      source: '/shop',
      type: 'order.paid',
      data: { total: 12 },
    }
    for (const name of ['paid', 'paid-py', 'with-sdk']) {
      const answer = await fetch(`${server.routerUrl}/default/default/${name}`, {
        method: 'POST',
        headers: { 'content-type': 'application/cloudevents+json' },
        body: JSON.stringify(structured),
      })
      assert.deepEqual(await answer.json(), expected, name)
    }
  })

  test('the CloudEvents page: an answer that is an event is one for those who read it', async () => {
    readPage('cloudevents')
    await run('atelier deploy answer.mjs --public')
    const answer = await fetch(`${server.routerUrl}/default/default/answer`, {
      method: 'POST',
      body: '{"number":7}',
    })
    assert.equal(answer.headers.get('ce-id'), 'invoice-7')
    assert.equal(answer.headers.get('ce-type'), 'invoice.written')
  })

  test('the page on asynchronous calls: its commands do what it says, and its request is answered as it says', async () => {
    const { commands } = readPage('async')
    cpSync(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true })
    const [call, look, configure, destinations, ...others] = commands
    assert.deepEqual(others, [])
    assert.deepEqual(JSON.parse(lastLine(await run(call!))), { hello: 'Ada', version: 1 })
    const said = await run(`${call}\n${look}`)
    assert.match(said, /succeeded/)
    assert.match(said, /saying hello to Ada/)
    assert.match(said, /held/i)
    assert.match(await run(configure!), /attempts.*5/i)
    const onFailure = async () =>
      (await server.api<{ async?: { onFailure?: object } }>('GET', '/v1/apps/default/functions/hello')).json
        .async?.onFailure
    const [set, unset] = destinations!.split('\n')
    await run(set!)
    assert.deepEqual(await onFailure(), { kind: 'function', app: 'default', function: 'hello' })
    await run(unset!)
    assert.equal(await onFailure(), undefined)
    const text = readFileSync(join(ROOT, 'docs', 'async.md'), 'utf8')
    const [, request, answer] = /```http\n([\s\S]*?)\n\n([\s\S]*?)```/.exec(text)!
    const [line, ...fields] = request!.split('\n')
    const [method, path] = line!.split(' ') as [string, string]
    const response = await fetch(server.routerUrl + path, {
      method,
      headers: fields.map(field => field.split(': ') as [string, string]),
      redirect: 'manual',
    })
    const [status, ...expected] = answer!.trimEnd().split('\n')
    assert.equal(`HTTP/1.1 ${response.status} ${response.statusText}`, status)
    for (const field of expected) assert.ok(response.headers.has(field.split(':')[0]!), field)
    assert.match(response.headers.get('location')!, /\/v1\/async-invocations\/[0-9a-z]{26}$/)
  })

  /** Writes the files of a page, and gives its commands. */
  function readPage(name: string): { readonly commands: readonly string[] } {
    const page = readFileSync(join(ROOT, 'docs', `${name}.md`), 'utf8')
    for (const [, text, file] of page.matchAll(/^```\w+\n((?:\/\/|#) ([\w.-]+)\n[\s\S]*?)^```$/gm))
      writeFileSync(join(folder, file!), text!)
    return { commands: commandBlocks(page) }
  }

  async function run(commands: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
    const script = `set -e\natelier() { "${process.execPath}" "${BIN}" "$@"; }\n${commands}`
    const env = bareEnvironment({
      ATELIER_HOME: server.home,
      XDG_CONFIG_HOME: folder,
      ...more,
    })
    const { stdout } = await promisify(execFile)('bash', ['-c', script], {
      cwd: folder,
      env,
      timeout: STEP_MS_MAX,
    })
    return stdout
  }

  /** Waits until a function has said it. */
  async function logged(name: string, what: RegExp): Promise<void> {
    const until = performance.now() + STEP_MS_MAX
    let said = ''
    while (performance.now() < until) {
      said = await run(`atelier logs ${name}`)
      if (what.test(said)) return
      await sleep(200)
    }
    assert.match(said, what)
  }
})

function urlIn(said: string): string {
  const url = lastLine(said)
  assert.match(url, /^http.*\/-\/hooks\/[\w-]+$/, said)
  return url
}

/** A package and all that it needs, as far as they lie in this repository's own folder. */
function packagesOf(name: string, found = new Set<string>()): Set<string> {
  const manifest = join(MODULES, name, 'package.json')
  if (found.has(name) || !existsSync(manifest)) return found
  found.add(name)
  const { dependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8')) as { dependencies?: object }
  for (const each of Object.keys(dependencies)) packagesOf(each, found)
  return found
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)!
}
