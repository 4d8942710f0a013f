/** Every language in gVisor, and by `unshare`, where bubblewrap is not to be had: what one server built, the next one runs. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { environments } from '../../src/environments/index.ts'
import { rawTar } from '../builder/archives.ts'
import { makeHome, removeHome, ServerProcess } from '../support/server-process.ts'

const states = new Map(
  await Promise.all(environments.map(async each => [each.name, await each.probe()] as const)),
)
const noBubblewrap = !existsSync('/usr/bin/bwrap') && 'bubblewrap is not installed'
const noGvisor = noBubblewrap || (!existsSync('/usr/bin/runsc') && 'runsc is not installed')
const noUnshare = ['unshare', 'setpriv'].every(name => existsSync(`/usr/bin/${name}`))
  ? false
  : 'unshare and setpriv (util-linux) are not installed'

/** Functions that answer with the file that the path names: what the kernel says of itself, and of the process. */
const READERS: Readonly<Record<string, readonly [file: string, source: string]>> = {
  nodejs: [
    'index.mjs',
    `import { readFileSync } from 'node:fs'\nexport default request => readFileSync(new URL(request.url).pathname, 'utf8')\n`,
  ],
  python: ['main.py', 'def main(request):\n    return open(request.path).read()\n'],
  go: [
    'handler.go',
    `package reader

import (
	"net/http"
	"os"
)

func Handler(w http.ResponseWriter, r *http.Request) error {
	said, err := os.ReadFile(r.URL.Path)
	w.Write(said)
	return err
}
`,
  ],
  php: ['index.php', '<?php\nfunction handler($request) { return file_get_contents($request->path); }\n'],
  ruby: ['handler.rb', 'def handler(request) = File.read(request.path)\n'],
  java: [
    'Main.java',
    `import java.nio.file.*;

public class Main {
  public String handle(atelier.Request request) throws Exception {
    return Files.readString(Path.of(request.path()));
  }
}
`,
  ],
  dotnet: [
    'Function.cs',
    `public class Function
{
    public string Handle(Atelier.Request request) { return System.IO.File.ReadAllText(request.Path); }
}
`,
  ],
  binary: ['run.sh', '#!/bin/sh\nexec cat "$PATH_INFO"\n'],
}

let home: string
let server: ServerProcess
before(async () => {
  home = await makeHome()
})
after(() => removeHome(home))

const start = (...flags: string[]) =>
  ServerProcess.start({ home, flags: ['--warm-instances', '1', ...flags] })

/** `mark` makes another package of it. */
async function deploy(language: string, name: string, settings: object, mark = ''): Promise<void> {
  const [file, source] = READERS[language]!
  const files = [
    { name: file, body: source, mode: 0o755 },
    ...(mark === '' ? [] : [{ name: 'mark.txt', body: mark }]),
  ]
  const { status, text } = await server.upload(name, new Uint8Array(rawTar(files)), settings)
  assert.equal(status, 201, text)
}

function fromZygote(language: string): boolean {
  const state = states.get(language)!
  return state.ready && state.launch.zygote !== undefined
}

function missing(language: string): string | false {
  const state = states.get(language)!
  return !state.ready && state.reason
}

test('every language that the platform has is tried here', () => {
  const languages = environments.filter(({ isImage }) => isImage !== true).map(({ name }) => name)
  assert.deepEqual(new Set(Object.keys(READERS)), new Set(languages))
})

describe('in gVisor', { skip: noGvisor }, () => {
  before(async () => {
    server = await start()
  })
  after(() => server?.stop())

  for (const language of Object.keys(READERS))
    test(`a function of ${language} runs in gVisor, from nothing and from the warm pool`, {
      skip: missing(language),
    }, async () => {
      for (const name of [`${language}-cold`, `${language}-warm`]) {
        await deploy(language, name, { isolation: 'gvisor' })
        const { status, text } = await server.call(`${name}/proc/version`)
        assert.equal(status, 200, text)
        assert.match(text, /^Linux version 4\.4\.0/)
      }
    })

  test('a function that does not end in time is killed in gVisor too, and the next call is served', async () => {
    const files = {
      'index.mjs': `export default request => { if (request.url.endsWith('?hang')) for (;;); return 'well' }\n`,
    }
    await server.deploy('hangs', files, { isolation: 'gvisor', limits: { timeoutMs: 3_000 } })
    assert.equal((await server.call('hangs?hang')).status, 504)
    assert.equal((await server.call('hangs')).text, 'well')
  })
})

describe('where bubblewrap is not used', { skip: noUnshare }, () => {
  before(async () => {
    server = await start('--isolation', 'unshare')
  })
  after(() => server?.stop())

  test('the server says in which sandbox functions run, and what that lacks', async () => {
    const { text } = await server.api('GET', '/v1/status')
    assert.match(text, /a sandbox by unshare/)
    assert.match(text, /No system call filter/)
  })

  for (const language of Object.keys(READERS))
    test(`a function of ${language} is built and runs by unshare`, { skip: missing(language) }, async () => {
      await deploy(language, `${language}-second`, {}, 'built by unshare')
      const { status, text } = await server.call(`${language}-second/proc/self/status`)
      assert.equal(status, 200, text)
      assert.match(text, /^CapEff:\t0+$/m)
      // The zygote's children put a filter on themselves, whatever is around them.
      assert.match(text, fromZygote(language) ? /^Seccomp:\t2$/m : /^Seccomp:\t0$/m)
      assert.doesNotMatch(
        (await server.call(`${language}-second/proc/version`)).text,
        /^Linux version 4\.4\.0/,
      )
    })

  test('what was built in the other sandbox runs on in gVisor', { skip: noGvisor }, async () => {
    assert.match((await server.call('nodejs-cold/proc/version')).text, /^Linux version 4\.4\.0/)
  })
})
