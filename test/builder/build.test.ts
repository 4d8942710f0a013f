import assert from 'node:assert/strict'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { RunSpec } from '../../src/backends/index.ts'
import type { BuildEvent } from '../../src/builder/index.ts'
import { type RawEntry, rawTar } from './archives.ts'
import {
  build,
  DEPS,
  MAIN,
  makeBuilder,
  never,
  only,
  send,
  shell,
  shellBackend,
  textEnvironment,
} from './helpers.ts'

const INSTALL = shell('install', 'mkdir libs && cp deps.txt libs/installed && echo installing && ls')

test('a bundle holds the sources and the installed dependencies, and nothing in it can be written to', async t => {
  const builder = await makeBuilder(t, { environments: only({ dependencySteps: [INSTALL] }) })
  const { folder, entry } = await build(builder, [
    MAIN,
    DEPS,
    { name: 'bin/run', body: '#!/bin/sh', mode: 0o4755 },
  ])
  assert.equal(entry, 'main.txt')
  assert.deepEqual(readdirSync(folder).sort(), ['bin', 'deps.txt', 'libs', 'main.txt'])
  assert.equal(readFileSync(join(folder, 'libs/installed'), 'utf8'), 'left==1.0')
  assert.equal(statSync(join(folder, 'main.txt')).mode & 0o7777, 0o444)
  assert.equal(statSync(join(folder, 'bin/run')).mode & 0o7777, 0o555)
  assert.equal(statSync(join(folder, 'bin')).mode & 0o7777, 0o755)
  assert.equal(statSync(join(folder, '..')).mode & 0o7777, 0o711)
  assert.deepEqual(readdirSync(join(builder.path, 'tmp')), [])
})

test('installing sees the lock files and nothing else, in a home of its own', async t => {
  const seen: RunSpec[] = []
  const builder = await makeBuilder(t, {
    backend: shellBackend(seen),
    environments: only({ dependencySteps: [INSTALL], checkSteps: [shell('check', 'ls')] }),
  })
  const { log } = await build(builder, [MAIN, DEPS])
  assert.match(log, /== install\ninstalling\ndeps\.txt\nlibs\n/)
  const install = seen.find(spec => spec.network === 'outbound')
  assert.match(install?.env['HOME'] ?? '', /^\/work\/\.home-/)
  const check = seen.find(spec => spec.network === 'none')
  assert.deepEqual(check?.env, {})
})

test('the same package is built once, and again when the environment or the scope is another', async t => {
  const seen: RunSpec[] = []
  const environment = textEnvironment({ dependencySteps: [INSTALL] })
  const environments = new Map([['text', environment]])
  const builder = await makeBuilder(t, { backend: shellBackend(seen), environments })
  const first = await build(builder, [MAIN, DEPS], { scope: 'p1' })
  const second = await build(builder, [MAIN, DEPS], { scope: 'p1' })
  assert.equal(first.cached, false)
  assert.equal(second.cached, true)
  assert.equal(second.bundleDigest, first.bundleDigest)
  assert.equal(second.log, first.log)
  assert.equal(seen.length, 1)
  const other = await build(builder, [MAIN, DEPS], { scope: 'p2' })
  assert.equal(other.cached, false)
  assert.equal(seen.length, 2)
  const status = await environment.probe()
  assert.ok(status.ready)
  environments.set('text', { ...environment, probe: async () => ({ ...status, revision: 'r2' }) })
  assert.equal((await build(builder, [MAIN, DEPS], { scope: 'p1' })).cached, false)
  assert.equal(seen.length, 3)
})

test('dependencies are installed once for the same lock files within one scope, and for nobody else', async t => {
  const seen: RunSpec[] = []
  const builder = await makeBuilder(t, {
    backend: shellBackend(seen),
    environments: only({ dependencySteps: [INSTALL] }),
  })
  await build(builder, [MAIN, DEPS], { scope: 'p1' })
  const changed = await build(builder, [{ ...MAIN, body: 'changed' }, DEPS], { scope: 'p1' })
  assert.equal(seen.length, 1)
  assert.equal(readFileSync(join(changed.folder, 'libs/installed'), 'utf8'), 'left==1.0')
  await build(builder, [{ ...MAIN, body: 'changed' }, DEPS], { scope: 'p2' })
  assert.equal(seen.length, 2)
  await build(builder, [MAIN, { ...DEPS, body: 'left==2.0' }], { scope: 'p1' })
  assert.equal(seen.length, 3)
  // Without a scope a package shares with itself alone.
  await build(builder, [{ ...MAIN, body: 'a' }, DEPS])
  await build(builder, [{ ...MAIN, body: 'b' }, DEPS])
  assert.equal(seen.length, 5)
})

test('dependencies that need the sources are installed with them, and shared with no other package', async t => {
  const seen: RunSpec[] = []
  const step = shell('install', 'mkdir libs && cat main.txt > libs/copy && echo made > built')
  const builder = await makeBuilder(t, {
    backend: shellBackend(seen),
    environments: only({ dependencySteps: [step] }),
  })
  const local: RawEntry = { name: 'deps.txt', body: '-e ./here' }
  const first = await build(builder, [MAIN, local], { scope: 'p1' })
  assert.equal(readFileSync(join(first.folder, 'libs/copy'), 'utf8'), 'hello')
  assert.equal(readFileSync(join(first.folder, 'built'), 'utf8'), 'made\n')
  const second = await build(builder, [{ ...MAIN, body: 'other' }, local], { scope: 'p1' })
  assert.equal(readFileSync(join(second.folder, 'libs/copy'), 'utf8'), 'other')
  assert.equal(seen.length, 2)
})

test('a package that brings its dependencies along is built without the network', async t => {
  const seen: RunSpec[] = []
  const builder = await makeBuilder(t, {
    backend: shellBackend(seen),
    environments: only({ dependencySteps: [INSTALL] }),
  })
  const { folder } = await build(builder, [MAIN, DEPS, { name: 'libs/mine', body: 'x' }])
  assert.deepEqual(seen, [])
  assert.equal(readFileSync(join(folder, 'libs/mine'), 'utf8'), 'x')
})

test('lock files that ask for nothing install nothing', async t => {
  const seen: RunSpec[] = []
  const builder = await makeBuilder(t, {
    backend: shellBackend(seen),
    environments: only({ lockFiles: ['package.json'], dependencySteps: [INSTALL], dependencyFolder: 'libs' }),
  })
  await build(builder, [MAIN, { name: 'package.json', body: '{"type":"module","dependencies":{}}' }])
  assert.deepEqual(seen, [])
  await build(builder, [MAIN, { name: 'package.json', body: '{"dependencies":{"a":"1"}}' }]).catch(() => {})
  assert.equal(seen.length, 1)
})

test('events tell the stages and what was printed, as it comes', async t => {
  const builder = await makeBuilder(t, {
    environments: only({ dependencySteps: [INSTALL], checkSteps: [shell('look at it', 'echo fine >&2')] }),
  })
  const events: BuildEvent[] = []
  await build(builder, [MAIN, DEPS], { events })
  assert.deepEqual(
    events.filter(event => event.kind === 'stage').map(event => [event.stage, event.detail]),
    [
      ['unpack', 'unpacking 2 files, 14 bytes'],
      ['check', 'look at it'],
      ['dependencies', 'install'],
    ],
  )
  const printed = events.filter(event => event.kind === 'log')
  assert.equal(
    printed
      .filter(event => event.stream === 'stderr')
      .map(event => event.text)
      .join(''),
    'fine\n',
  )
  assert.match(
    printed
      .filter(event => event.stream === 'stdout')
      .map(event => event.text)
      .join(''),
    /installing/,
  )
})

test('a step that fails says what failed, its last lines and the way out', async t => {
  const cases: [string, RegExp][] = [
    [
      'echo one; echo "getaddrinfo ENOTFOUND somewhere"; exit 3',
      /"install" ended with exit code 3:\none\n.*ENOTFOUND.*\nThe build cannot reach the package registry/s,
    ],
    ['echo "npm error code E404"; exit 1', /not in the registry/],
    ['echo "ERROR: ResolutionImpossible" >&2; exit 1', /do not go together/],
    ['exit 127', /"install" ended with exit code 127/],
    ['kill -9 $$', /"install" was ended by SIGKILL/],
    ['seq 1 100; exit 1', /\n89\n.*\n100$/s],
  ]
  for (const [line, message] of cases) {
    const builder = await makeBuilder(t, {
      environments: only({ dependencySteps: [shell('install', line)] }),
    })
    const { digest } = await send(builder, rawTar([MAIN, DEPS]), 'a.tar')
    const request = { packageDigest: digest, environment: 'text', entry: undefined, onEvent: () => {} }
    await assert.rejects(builder.build(request, never), { code: 'BUILD_FAILED', message })
    assert.deepEqual(readdirSync(join(builder.path, 'tmp')), [])
    assert.deepEqual(readdirSync(join(builder.path, 'bundles')), [])
  }
})

test('a step that was stopped for time, memory or disk says which limit', async t => {
  const says = {
    timeout: /longer than 300 s/,
    memory: /1024 MiB of memory/,
    disk: /wrote more than 2048 MiB/,
  }
  for (const [reason, message] of Object.entries(says)) {
    const backend = shellBackend()
    backend.knobs.onRun = () => ({
      code: undefined,
      signal: 'SIGKILL',
      reason: reason as 'timeout' | 'memory' | 'disk',
    })
    const builder = await makeBuilder(t, { backend, environments: only({ dependencySteps: [INSTALL] }) })
    await assert.rejects(build(builder, [MAIN, DEPS]), { code: 'BUILD_FAILED', message })
  }
})

test('a missing npm is told with what to install', async t => {
  const step = { title: 'npm ci', command: ['/bin/sh', '-c', 'exec npm-that-is-not-there; npm'], env: {} }
  const builder = await makeBuilder(t, { environments: only({ dependencySteps: [step] }) })
  await assert.rejects(build(builder, [MAIN, DEPS]), { code: 'BUILD_FAILED', message: /apt install npm/ })
})

test('what cannot be built at all says why', async t => {
  const environment = textEnvironment()
  const environments = new Map([
    ['text', environment],
    [
      'sick',
      {
        ...environment,
        name: 'sick',
        probe: async () => ({ ready: false as const, reason: 'python3 is missing' }),
      },
    ],
  ])
  const builder = await makeBuilder(t, { environments })
  const { digest } = await send(builder, 'x', 'other.txt')
  const request = { packageDigest: digest, environment: 'text', entry: undefined, onEvent: () => {} }
  await assert.rejects(builder.build(request, never), {
    code: 'BUILD_FAILED',
    message: /no entry is given.*a file/,
  })
  await assert.rejects(builder.build({ ...request, environment: 'cobol' }, never), {
    code: 'INVALID_INPUT',
    message: /"cobol".*text, sick/,
  })
  await assert.rejects(builder.build({ ...request, environment: 'sick', entry: 'x' }, never), {
    code: 'UNAVAILABLE',
    message: /python3 is missing/,
  })
  const unknown = `sha256:${'0'.repeat(64)}`
  await assert.rejects(builder.build({ ...request, packageDigest: unknown }, never), { code: 'GONE' })
  await assert.rejects(builder.locate(unknown), { code: 'GONE' })
  await assert.rejects(builder.locate('sha256:../../etc'), { code: 'INVALID_INPUT' })
  await assert.rejects(builder.openPackage(unknown), { code: 'GONE' })
})

test('links, pipes and modes that installing leaves do no harm', async t => {
  const hostile = (line: string) => only({ dependencySteps: [shell('install', `mkdir -p libs; ${line}`)] })
  const out = { code: 'BUILD_FAILED', message: /leads out of the package/ }
  for (const line of [
    'ln -s /etc/passwd libs/x',
    'ln -s ../../../etc libs/x',
    'ln -s . libs/a; ln -s a/../.. libs/b',
  ])
    await assert.rejects(
      build(await makeBuilder(t, { environments: hostile(line) }), [MAIN, DEPS]),
      out,
      line,
    )
  const whole = await makeBuilder(t, { environments: hostile('rm -r libs; ln -s /etc libs') })
  await assert.rejects(build(whole, [MAIN, DEPS]), { code: 'BUILD_FAILED', message: /not a folder/ })
  const bytes = await makeBuilder(t, { environments: hostile(`touch "libs/$(printf '\\377')"`) })
  await assert.rejects(build(bytes, [MAIN, DEPS]), { code: 'BUILD_FAILED', message: /not UTF-8/ })
  assert.deepEqual(readdirSync(join(bytes.path, 'tmp')), [])
  const odd = await makeBuilder(t, {
    environments: hostile(
      'mkfifo libs/pipe; echo x > libs/secret; chmod 4000 libs/secret; mkdir libs/shut; touch libs/shut/f; chmod 0 libs/shut; ln -s secret libs/fine',
    ),
  })
  const { folder } = await build(odd, [MAIN, DEPS])
  assert.equal(existsSync(join(folder, 'libs/pipe')), false)
  assert.equal(lstatSync(join(folder, 'libs/secret')).mode & 0o7777, 0o444)
  assert.equal(readFileSync(join(folder, 'libs/fine'), 'utf8'), 'x\n')
  assert.ok(existsSync(join(folder, 'libs/shut/f')))
})

test('what the steps of one build change does not reach the cache of another', async t => {
  const builder = await makeBuilder(t, {
    environments: only({
      dependencySteps: [INSTALL],
      checkSteps: [shell('check', 'mkdir -p libs && echo poison > libs/installed')],
    }),
  })
  const first = await build(builder, [MAIN, DEPS], { scope: 'p' })
  const second = await build(builder, [{ ...MAIN, body: 'b' }, DEPS], { scope: 'p' })
  for (const { folder } of [first, second])
    assert.equal(readFileSync(join(folder, 'libs/installed'), 'utf8'), 'left==1.0')
})

test('identical builds share one run, and each hears all of it', async t => {
  const seen: RunSpec[] = []
  const step = shell('install', 'mkdir libs; echo started; sleep 0.3; echo done')
  const builder = await makeBuilder(t, {
    backend: shellBackend(seen),
    environments: only({ dependencySteps: [step] }),
  })
  const events: BuildEvent[][] = [[], [], []]
  const results = await Promise.all(events.map(each => build(builder, [MAIN, DEPS], { events: each })))
  assert.equal(seen.length, 1)
  assert.equal(new Set(results.map(result => result.bundleDigest)).size, 1)
  for (const each of events) {
    const printed = each.flatMap(event => (event.kind === 'log' ? [event.text] : [])).join('')
    assert.equal(printed, 'started\ndone\n')
  }
})

test('so many builds run at once, so many wait, and the next is refused', async t => {
  let running = 0
  let most = 0
  const backend = shellBackend()
  const gate = Promise.withResolvers<void>()
  const full = Promise.withResolvers<void>()
  backend.knobs.onRun = async () => {
    most = Math.max(most, ++running)
    if (running === 2) full.resolve()
    await gate.promise
    running--
    return { code: 0, signal: undefined, reason: 'exit' }
  }
  const builder = await makeBuilder(t, {
    backend,
    environments: only({ checkSteps: [shell('check', 'true')] }),
    buildLimits: { buildsMax: 2, waitingMax: 2 },
  })
  const digests = []
  for (const body of ['1', '2', '3', '4', '5'])
    digests.push((await send(builder, rawTar([{ ...MAIN, body }]), 'a.tar')).digest)
  const started = digests.map(packageDigest =>
    builder.build({ packageDigest, environment: 'text', entry: undefined, onEvent: () => {} }, never),
  )
  const refused = await Promise.race(started.map(each => each.catch((thrown: unknown) => thrown)))
  assert.equal((refused as { code?: string }).code, 'UNAVAILABLE')
  await full.promise
  gate.resolve()
  const settled = await Promise.allSettled(started)
  assert.equal(settled.filter(each => each.status === 'fulfilled').length, 4)
  assert.equal(most, 2)
})

test('files that are all hole are not read: a build may leave only so many bytes, whatever they take on the disk', async t => {
  const builder = await makeBuilder(t, {
    environments: only({ dependencySteps: [shell('install', 'mkdir libs; truncate -s 900G libs/hole')] }),
  })
  await assert.rejects(build(builder, [MAIN, DEPS]), { code: 'BUILD_FAILED', message: /more than 2048 MiB/ })
})

test('builds of one project that never end leave a place for another, and part of the line', async t => {
  const backend = shellBackend()
  const gate = Promise.withResolvers<void>()
  const order: string[] = []
  backend.knobs.onRun = async () => {
    await gate.promise
    return { code: 0, signal: undefined, reason: 'exit' }
  }
  const builder = await makeBuilder(t, {
    backend,
    environments: only({ checkSteps: [shell('check', 'true')] }),
    buildLimits: { buildsMax: 3, waitingMax: 8 },
  })
  const start = async (cacheScope: string, body: string) => {
    const { digest: packageDigest } = await send(builder, rawTar([{ ...MAIN, body }]), 'a.tar')
    const onEvent = (event: BuildEvent) =>
      event.kind === 'stage' && event.stage === 'unpack' ? order.push(cacheScope) : 0
    return {
      done: builder.build(
        { packageDigest, environment: 'text', entry: undefined, cacheScope, onEvent },
        never,
      ),
    }
  }
  const greedy = []
  for (const body of ['1', '2', '3', '4']) greedy.push((await start('greedy', body)).done)
  await assert.rejects((await start('greedy', '5')).done, { code: 'UNAVAILABLE' })
  const modest = [(await start('modest', '6')).done, (await start('modest', '7')).done]
  gate.resolve()
  await Promise.all([...greedy, ...modest])
  assert.equal(order.slice(0, 3).sort().join(), 'greedy,greedy,modest')
})

test('a build that is given up ends its step and leaves nothing behind', async t => {
  const controller = new AbortController()
  const seen: RunSpec[] = []
  const step = shell('install', 'echo started; exec sleep 60')
  const builder = await makeBuilder(t, {
    backend: shellBackend(seen, () => controller.signal),
    environments: only({ dependencySteps: [step] }),
  })
  const building = build(builder, [MAIN, DEPS], {
    signal: controller.signal,
    events: Object.assign([], {
      push: (event: BuildEvent) => (event.kind === 'log' ? controller.abort() : 0),
    }) as BuildEvent[],
  })
  await assert.rejects(building, { code: 'CANCELLED' })
  assert.equal(seen.length, 1)
  assert.deepEqual(readdirSync(join(builder.path, 'tmp')), [])
  assert.deepEqual(readdirSync(join(builder.path, 'bundles')), [])
  assert.deepEqual(readdirSync(join(builder.path, 'dependencies')), [])
})

test('a log longer than is kept keeps its beginning and its end', async t => {
  const step = shell('check', 'echo first; head -c 3000000 /dev/zero | tr "\\0" x; echo; echo last')
  const builder = await makeBuilder(t, {
    environments: only({ checkSteps: [step] }),
    buildLimits: { logBytesMax: 100_000 },
  })
  const events: BuildEvent[] = []
  const { log } = await build(builder, [MAIN], { events })
  assert.ok(log.length < 101_000, `${log.length} characters`)
  assert.match(log, /^== unpacking.*\n== check\nfirst\nx+\n\[… the log is cut here.*\]\nx+\nlast\n$/)
  const streamed = events.reduce((sum, event) => sum + (event.kind === 'log' ? event.text.length : 0), 0)
  assert.ok(streamed < 300_000, `${streamed} characters were streamed`)
})

test('leftovers of a process that was killed are removed at the next start, and what was stored is still there', async t => {
  const environments = only({ dependencySteps: [INSTALL] })
  const first = await makeBuilder(t, { environments })
  const { packageDigest, bundleDigest } = await build(first, [MAIN, DEPS])
  const leftover = join(first.path, 'tmp', 'build-leftover')
  mkdirSync(leftover)
  writeFileSync(join(leftover, 'x'), 'x')
  symlinkSync('/etc', join(leftover, 'etc'))
  const second = await makeBuilder(t, { environments, path: first.path })
  await second.close()
  assert.deepEqual(readdirSync(join(first.path, 'tmp')), [])
  assert.ok(existsSync('/etc/passwd'))
  const again = await second.build(
    { packageDigest, environment: 'text', entry: undefined, onEvent: () => {} },
    never,
  )
  assert.equal(again.cached, true)
  assert.equal(again.bundleDigest, bundleDigest)
})

test('a stored package that rots on the disk is noticed, not run', async t => {
  const builder = await makeBuilder(t, { environments: only({}) })
  const { digest } = await send(builder, rawTar([MAIN]), 'a.tar')
  const path = join(builder.path, 'packages', digest.slice(7), 'content.tar')
  const bytes = readFileSync(path)
  bytes[512]! ^= 1
  writeFileSync(path, bytes)
  const request = { packageDigest: digest, environment: 'text', entry: undefined, onEvent: () => {} }
  await assert.rejects(builder.build(request, never), { code: 'INTERNAL' })
})
