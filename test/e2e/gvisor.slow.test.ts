import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { ServerProcess } from '../support/server-process.ts'

const skip =
  (!existsSync('/usr/bin/runsc') && 'runsc is not installed') ||
  (!existsSync('/usr/bin/bwrap') && 'bubblewrap is not installed')

/** Functions that answer with the kernel that they see, by language. */
const KERNEL: Readonly<Record<string, { readonly program: string; readonly files: Record<string, string> }>> =
  {
    nodejs: {
      program: process.execPath,
      files: {
        'index.mjs': `import { readFileSync } from 'node:fs'\nexport default () => readFileSync('/proc/version', 'utf8')\n`,
      },
    },
    python: {
      program: '/usr/bin/python3',
      files: { 'main.py': `def main(request):\n    return open("/proc/version").read()\n` },
    },
    ruby: {
      program: '/usr/bin/ruby',
      files: { 'main.rb': `def main(request)\n  File.read("/proc/version")\nend\n` },
    },
  }

let server: ServerProcess
before(async () => {
  if (skip === false) server = await ServerProcess.start()
})
after(() => server?.dispose())

for (const [language, { program, files }] of Object.entries(KERNEL))
  test(`a function of ${language} runs in gVisor, from nothing and from the warm pool`, {
    skip: skip || (!existsSync(program) && `${language} is not installed`),
  }, async () => {
    for (const name of [`${language}-cold`, `${language}-warm`]) {
      await server.deploy(name, files, { isolation: 'gvisor' })
      const { status, text } = await server.call(name)
      assert.equal(status, 200, text)
      assert.match(text, /^Linux version 4\.4\.0/)
    }
    await server.deploy(`${language}-process`, files)
    assert.doesNotMatch((await server.call(`${language}-process`)).text, /^Linux version 4\.4\.0/)
  })

test('a function that does not end in time is killed in gVisor too, and the next call is served', {
  skip,
}, async () => {
  const files = {
    'index.mjs': `export default request => { if (request.url.endsWith('?hang')) for (;;); return 'well' }\n`,
  }
  await server.deploy('hangs', files, { isolation: 'gvisor', limits: { timeoutMs: 3_000 } })
  assert.equal((await server.call('hangs?hang')).status, 504)
  assert.equal((await server.call('hangs')).text, 'well')
})
