import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type RawEntry, rawZip } from '../builder/archives.ts'
import { faultTest } from '../support/neighbour.ts'
import { makeHome, ServerProcess } from '../support/server-process.ts'

const HANDLER = { name: 'index.mjs', body: 'export default () => "ok"' }

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start()
})
after(() => server.dispose())

const LANGUAGES = [
  {
    language: 'nodejs',
    good: { 'index.mjs': 'export default () => "version one"' },
    broken: { 'index.mjs': 'export default () => {\n  return "version two"' },
    where: /index\.mjs:\d/,
    otherFile: { 'other.txt': 'no code', 'package.json': '{}' },
    loadFails: { 'index.mjs': 'throw new Error("no such luck")\nexport default () => "never"' },
  },
  {
    language: 'python',
    good: { 'main.py': 'def main(request, context): return "version one"' },
    broken: { 'main.py': 'def main(request, context)\n    return "version two"' },
    where: /main\.py[^\n]*1/,
    otherFile: { 'other.txt': 'no code', 'requirements.txt': '' },
    loadFails: { 'main.py': 'raise RuntimeError("no such luck")' },
  },
]

for (const { language, good, broken, where, otherFile, loadFails } of LANGUAGES) {
  const name = `pack-${language}`

  faultTest(
    `a syntax error in ${language} code is told with its line, and the live version stays`,
    () => server,
    async () => {
      await server.deploy(name, good)
      const answer = await server.tryDeploy(name, broken)
      assert.equal(answer.status, 422, answer.text)
      assert.equal(answer.json.code, 'BUILD_FAILED')
      assert.match(answer.json.detail, /syntax/i)
      assert.match(answer.json.detail, where)
      assert.equal((await server.call(name)).text, 'version one')
      const { json } = await server.api<{ items: readonly unknown[] }>(
        'GET',
        `/v1/apps/default/functions/${name}/versions`,
      )
      assert.equal(json.items.length, 1)
    },
  )

  faultTest(
    `a missing entry of a ${language} package is named`,
    () => server,
    async () => {
      const answer = await server.tryDeploy(`${name}-gone`, good, {
        entry: language === 'nodejs' ? 'gone.mjs' : 'gone:main',
      })
      assert.equal(answer.status, 422, answer.text)
      assert.match(answer.json.detail, /gone/)
      const without = await server.tryDeploy(`${name}-gone`, otherFile, { environment: language })
      assert.equal(without.status, 422, without.text)
      assert.match(without.json.detail, /entry|index|main/)
      assert.equal((await server.api('GET', `/v1/apps/default/functions/${name}-gone`)).status, 404)
    },
  )

  faultTest(
    `a missing export of a ${language} package is the function's fault`,
    () => server,
    async () => {
      await server.deploy(`${name}-export`, good, {
        entry: language === 'nodejs' ? 'index.mjs#gone' : 'main:gone',
      })
      const answer = await server.call(`${name}-export`)
      assert.equal(answer.status, 500, answer.text)
      assert.equal(answer.json.code, 'FUNCTION_LOAD_FAILED')
      const record = await server.record(answer.headers.get('atelier-invocation-id'))
      assert.equal(record.fault, 'function')
      const logs = await server.api('GET', `/v1/apps/default/functions/${name}-export/logs`)
      assert.match(logs.text, /gone/)
    },
  )

  faultTest(
    `${language} code that throws while it is loaded is the function's fault`,
    () => server,
    async () => {
      await server.deploy(`${name}-load`, loadFails)
      const answer = await server.call(`${name}-load`)
      assert.equal(answer.status, 500, answer.text)
      assert.equal(answer.json.code, 'FUNCTION_LOAD_FAILED')
      assert.match(
        answer.json.detail,
        new RegExp(`"default/${name}-load" could not be loaded; .* log tells why`),
      )
      const logs = await server.api('GET', `/v1/apps/default/functions/${name}-load/logs`)
      assert.match(logs.text, /no such luck/)
      const record = await server.record(answer.headers.get('atelier-invocation-id'))
      assert.equal(record.fault, 'function')
    },
  )
}

const link = (name: string, target: string): RawEntry => ({ name, body: target, mode: 0o120777, method: 0 })
const HOSTILE: readonly { readonly what: string; readonly zip: () => Buffer; readonly detail: RegExp }[] = [
  {
    what: 'with ../ in a path',
    zip: () => rawZip([HANDLER, { name: '../../escaped', body: 'x' }]),
    detail: /\.\.\/\.\.\/escaped/,
  },
  {
    what: 'with an absolute path',
    zip: () => rawZip([HANDLER, { name: '/etc/escaped', body: 'x' }]),
    detail: /\/etc\/escaped/,
  },
  {
    what: 'with a symbolic link to the outside',
    zip: () => rawZip([HANDLER, link('escaped', '/etc/passwd')]),
    detail: /escaped/,
  },
  {
    what: 'that writes through a symbolic link',
    zip: () => rawZip([HANDLER, link('escaped', '..'), { name: 'escaped/file', body: 'x' }]),
    detail: /escaped/,
  },
  {
    what: 'of very many files',
    zip: () =>
      rawZip([
        HANDLER,
        ...Array.from({ length: 60_000 }, (_, n) => ({ name: `f${n}`, body: '', method: 0 })),
      ]),
    detail: /50,?000/,
  },
  {
    what: 'that is a bomb',
    zip: () => rawZip([HANDLER, { name: 'zeros', body: Buffer.alloc(256 * 1024 * 1024) }]),
    detail: /zeros|unpack/,
  },
  {
    what: 'that lies about its sizes',
    zip: () => rawZip([HANDLER, { name: 'liar', body: 'x'.repeat(5000), claimedSize: 3 }]),
    detail: /liar/,
  },
  { what: 'that is cut off', zip: () => rawZip([HANDLER]).subarray(0, -30), detail: /zip|archive/i },
]

for (const { what, zip, detail } of HOSTILE)
  faultTest(
    `a zip ${what} is refused`,
    () => server,
    async () => {
      const answer = await server.upload('hostile', new Uint8Array(zip()))
      assert.equal(answer.status, 422, answer.text)
      assert.equal(answer.json.code, 'PACKAGE_INVALID')
      assert.match(answer.json.detail, detail)
      assert.equal((await server.api('GET', '/v1/apps/default/functions/hostile')).status, 404)
      assert.deepEqual(
        await readdir(join(server.home, 'packages', 'tmp')),
        [],
        'nothing half unpacked is left',
      )
    },
  )

const MANIFESTS: readonly {
  readonly what: string
  readonly file: string
  readonly text: string
  readonly said: RegExp
}[] = [
  { what: 'that is not JSON', file: 'atelier.json', text: '{"name": "x",,}', said: /atelier\.json/ },
  { what: 'that is not YAML', file: 'atelier.yaml', text: 'name: [x', said: /atelier\.yaml/ },
  { what: 'that is a list', file: 'atelier.json', text: '["x"]', said: /atelier\.json/ },
  { what: 'with an unknown field', file: 'atelier.json', text: '{"naem": "x"}', said: /naem[\s\S]*name/ },
  {
    what: 'with a limit of the wrong type',
    file: 'atelier.json',
    text: '{"limits": {"memoryMiB": "much"}}',
    said: /memoryMiB/,
  },
  {
    what: 'with a limit out of bounds',
    file: 'atelier.json',
    text: '{"limits": {"memoryMiB": 99999999}}',
    said: /memoryMiB/,
  },
]

for (const { what, file, text, said } of MANIFESTS)
  faultTest(
    `a manifest ${what} is explained by the command`,
    () => server,
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'atelier-manifest-'))
      try {
        await writeFile(join(folder, file), text)
        await writeFile(join(folder, HANDLER.name), HANDLER.body)
        const { code, stderr } = await server.cli('deploy', folder)
        assert.notEqual(code, 0)
        assert.match(stderr, said)
        assert.doesNotMatch(stderr, /\n\s+at /, 'no stack')
      } finally {
        await rm(folder, { recursive: true })
      }
    },
  )

test('a build that cannot reach its registry fails with the way out, and the live version stays', async () => {
  // Inside a build's sandbox nothing listens on its own loopback.
  const nowhere = 'http://127.0.0.1:1'
  const home = await makeHome()
  await writeFile(join(home, '.npmrc'), `registry=${nowhere}\nfetch-retries=0\n`)
  const env = { PIP_INDEX_URL: `${nowhere}/simple`, PIP_RETRIES: '1' }
  const offline = await ServerProcess.start({ home, env })
  try {
    for (const { language, good } of LANGUAGES) {
      await offline.deploy(language, good)
      const manifest =
        language === 'nodejs'
          ? {
              'package.json': JSON.stringify({
                name: 'needy',
                version: '1.0.0',
                dependencies: { 'is-number': '7.0.0' },
              }),
            }
          : { 'requirements.txt': 'colorama==0.4.6\n' }
      const answer = await offline.tryDeploy(language, { ...good, ...manifest })
      assert.equal(answer.status, 422, answer.text)
      assert.equal(answer.json.code, 'BUILD_FAILED')
      assert.match(answer.json.detail, /cannot reach the package registry/)
      assert.equal((await offline.call(language)).text, 'version one')
    }
  } finally {
    await offline.dispose()
  }
})
