import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { paxEntry, type RawEntry, rawTar, rawZip } from './archives.ts'
import { makeBuilder, send } from './helpers.ts'

const FILES: readonly RawEntry[] = [
  { name: 'package.json', body: '{"type":"module"}' },
  { name: 'index.js', body: 'export default () => new Response("hi")' },
  { name: 'lib/tool', body: '#!/bin/sh\n', mode: 0o755 },
  { name: 'lib/größe.txt', body: 'ümlaut' },
]

test('zip, tar and tar.gz of the same files are the same package, in any order', async t => {
  const builder = await makeBuilder(t)
  const zip = await send(builder, rawZip(FILES), 'a.zip')
  const tar = await send(builder, rawTar(FILES.toReversed()), 'a.tar')
  const gz = await send(builder, gzipSync(rawTar(FILES)), 'a.tar.gz')
  assert.match(zip.digest, /^sha256:[0-9a-f]{64}$/)
  assert.equal(tar.digest, zip.digest)
  assert.equal(gz.digest, zip.digest)
  assert.deepEqual(zip.files, ['index.js', 'lib/größe.txt', 'lib/tool', 'package.json'])
  assert.equal(zip.sizeBytes, 17 + 39 + 10 + 7)
})

test('contents, names and the executable bit each make another package', async t => {
  const builder = await makeBuilder(t)
  const variants: RawEntry[][] = [
    [{ name: 'a', body: 'x' }],
    [{ name: 'a', body: 'y' }],
    [{ name: 'b', body: 'x' }],
    [{ name: 'a', body: 'x', mode: 0o755 }],
    [{ name: 'a', type: '2', link: 'x' }],
  ]
  const digests = new Set<string>()
  for (const entries of variants) digests.add((await send(builder, rawTar(entries), 'a.tar')).digest)
  assert.equal(digests.size, variants.length)
})

test('a package is given back as an archive that is the same package again', async t => {
  const builder = await makeBuilder(t)
  const long = `${'deep/'.repeat(30)}${'n'.repeat(90)}ü.js`
  const entries: RawEntry[] = [
    ...FILES,
    paxEntry({ path: long }),
    { name: 'cut', body: 'long' },
    { name: 'link', type: '2', link: 'lib/tool' },
    { name: 'empty', body: '' },
  ]
  const first = await send(builder, rawTar(entries), 'a.tar')
  assert.ok(first.files.includes(long))
  const again = await send(builder, await buffer(await builder.openPackage(first.digest)), 'b.tar')
  assert.equal(again.digest, first.digest)
})

test('archives of the programs tar and zip are understood', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-archives-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const source = join(folder, 'source')
  mkdirSync(join(source, 'lib'), { recursive: true })
  writeFileSync(join(source, 'index.js'), 'export default 1')
  writeFileSync(join(source, 'lib', 'run.sh'), '#!/bin/sh\n', { mode: 0o755 })
  writeFileSync(join(source, `${'x'.repeat(180)}.txt`), 'long name')
  symlinkSync('lib/run.sh', join(source, 'run'))
  const builder = await makeBuilder(t)
  const digests = new Set<string>()
  for (const format of ['gnu', 'pax']) {
    const file = join(folder, `${format}.tar.gz`)
    execFileSync('tar', ['-C', source, `--format=${format}`, '-czf', file, '.'])
    digests.add((await send(builder, readFileSync(file), `${format}.tar.gz`)).digest)
  }
  if (spawnSync('zip', ['-v']).status === 0) {
    execFileSync('zip', ['-qry', join(folder, 'a.zip'), '.'], { cwd: source })
    digests.add((await send(builder, readFileSync(join(folder, 'a.zip')), 'a.zip')).digest)
  } else t.diagnostic('zip is not installed: only tar was compared')
  assert.equal(digests.size, 1)
})

test('one source file is a package of that file', async t => {
  const builder = await makeBuilder(t)
  const received = await send(builder, 'def main(request): return "hi"', 'C:\\code\\hello.py')
  assert.deepEqual(received.files, ['hello.py'])
  const asTar = await send(
    builder,
    rawTar([{ name: './hello.py', body: 'def main(request): return "hi"' }]),
    'a.tar',
  )
  assert.equal(asTar.digest, received.digest)
})

test('one folder around a package is taken away, and a folder that belongs to it stays', async t => {
  const builder = await makeBuilder(t)
  const wrapped = FILES.map(entry => ({ ...entry, name: `demo-main/${String(entry.name)}` }))
  const plain = await send(builder, rawZip(FILES), 'a.zip')
  assert.equal((await send(builder, rawZip(wrapped), 'b.zip')).digest, plain.digest)
  const source = await send(builder, rawZip([{ name: 'src/index.js', body: '1' }]), 'c.zip')
  assert.deepEqual(source.files, ['src/index.js'])
})

test('what macOS leaves in archives is ignored', async t => {
  const builder = await makeBuilder(t)
  const junk = [
    { name: '__MACOSX/._index.js', body: 'x' },
    { name: '.DS_Store', body: 'x' },
    { name: 'lib/._tool', body: 'x' },
  ]
  const clean = await send(builder, rawZip(FILES), 'a.zip')
  assert.equal((await send(builder, rawZip([...FILES, ...junk]), 'b.zip')).digest, clean.digest)
})

const HOSTILE_NAMES: readonly { readonly name: string | Uint8Array; readonly says: RegExp }[] = [
  { name: '../evil', says: /"\.\.\/evil".*leads out/ },
  { name: 'a/../../evil', says: /leads out/ },
  { name: 'a/..', says: /leads out/ },
  { name: '/etc/passwd', says: /absolute/ },
  { name: '\\evil', says: /backslash/ },
  { name: 'a\\..\\evil', says: /backslash/ },
  { name: 'C:evil', says: /drive/ },
  { name: 'c:/evil', says: /drive/ },
  { name: 'a\nb', says: /control/ },
  { name: 'a\u007fb', says: /control/ },
  { name: Buffer.from([0x61, 0xff, 0xfe]), says: /UTF-8/ },
]

test('names that lead elsewhere or mean two things are refused, in zip and tar', async t => {
  const builder = await makeBuilder(t)
  for (const { name, says } of HOSTILE_NAMES) {
    const entries = [...FILES, { name, body: 'x' }]
    for (const [archive, as] of [
      [rawZip(entries), 'a.zip'],
      [rawTar(entries), 'a.tar'],
    ] as const) {
      await assert.rejects(
        send(builder, archive, as),
        { code: 'PACKAGE_INVALID', message: says },
        `${as} ${String(name)}`,
      )
    }
  }
  await assert.rejects(send(builder, rawZip([{ name: 'a\0.js', body: 'x' }]), 'a.zip'), { message: /NUL/ })
  await assert.rejects(send(builder, rawTar([paxEntry({ path: '../evil' }), { name: 'ok' }]), 'a.tar'), {
    message: /leads out/,
  })
})

test('paths beyond the limits are refused', async t => {
  const builder = await makeBuilder(t)
  const says: [string, RegExp][] = [
    ['n'.repeat(256), /name of more than 255 bytes/],
    [`${'d/'.repeat(65)}f`, /deeper than 64 folders/],
    [`${'ddddddddddddddddddddddddddd/'.repeat(40)}f`, /path of more than 1024 bytes/],
  ]
  for (const [name, message] of says)
    await assert.rejects(send(builder, rawZip([{ name, body: 'x' }]), 'a.zip'), {
      code: 'PACKAGE_INVALID',
      message,
    })
})

const LINKS: readonly { readonly entries: readonly RawEntry[]; readonly says: RegExp | undefined }[] = [
  { entries: [{ name: 'a/b/l', type: '2', link: '../../c' }], says: undefined },
  { entries: [{ name: 'l', type: '2', link: 'missing/../c' }], says: undefined },
  { entries: [{ name: 'l', type: '2', link: '../c' }], says: /leads out/ },
  { entries: [{ name: 'a/l', type: '2', link: '../../c' }], says: /leads out/ },
  { entries: [{ name: 'l', type: '2', link: '/etc/passwd' }], says: /absolute/ },
  // Each harmless by itself: `here/..` is the folder above the root.
  {
    entries: [
      { name: 'a/here', type: '2', link: '..' },
      { name: 'l', type: '2', link: 'a/here/..' },
    ],
    says: /leads out/,
  },
  {
    entries: [
      { name: 'l', type: '2', link: 'm' },
      { name: 'm', type: '2', link: 'l' },
    ],
    says: /circle/,
  },
  {
    entries: [
      { name: 'l', type: '2', link: 'lib' },
      { name: 'l/f', body: 'x' },
    ],
    says: /beneath the link "l"/,
  },
]

test('links stay inside the package or are refused', async t => {
  const builder = await makeBuilder(t)
  for (const { entries, says } of LINKS) {
    const all = [{ name: 'c', body: 'c' }, ...entries]
    const asZip = all.map(each =>
      'link' in each && each.link !== undefined ? { name: each.name, body: each.link, mode: 0o120777 } : each,
    )
    for (const [archive, as] of [
      [rawTar(all), 'a.tar'],
      [rawZip(asZip), 'a.zip'],
    ] as const) {
      if (says)
        await assert.rejects(
          send(builder, archive, as),
          { code: 'PACKAGE_INVALID', message: says },
          JSON.stringify(entries),
        )
      else await send(builder, archive, as)
    }
  }
})

test('hard links, devices, pipes, sparse files and odd kinds are refused; set-user-id bits are dropped', async t => {
  const builder = await makeBuilder(t)
  const says: [string, RegExp][] = [
    ['1', /hard link/],
    ['3', /device/],
    ['4', /device/],
    ['6', /pipe/],
    ['S', /kind "S"/],
  ]
  for (const [type, message] of says)
    await assert.rejects(send(builder, rawTar([{ name: 'x', type, link: 'c' }]), 'a.tar'), {
      code: 'PACKAGE_INVALID',
      message,
    })
  const sparse = rawTar([paxEntry({ 'GNU.sparse.major': '1' }), { name: 'x', body: 'x' }])
  await assert.rejects(send(builder, sparse, 'a.tar'), { message: /sparse/ })
  for (const type of [0o020000, 0o060000, 0o010000, 0o140000])
    await assert.rejects(send(builder, rawZip([{ name: 'x', mode: type | 0o644 }]), 'a.zip'), {
      message: /device/,
    })
  const plain = await send(builder, rawTar([{ name: 'x', body: 'x', mode: 0o755 }]), 'a.tar')
  const setuid = await send(builder, rawTar([{ name: 'x', body: 'x', mode: 0o6755 }]), 'a.tar')
  assert.equal(setuid.digest, plain.digest)
})

test('the same name twice, and a file where a folder is, are refused; names that differ in case are two files', async t => {
  const builder = await makeBuilder(t)
  await assert.rejects(
    send(
      builder,
      rawZip([
        { name: 'a', body: '1' },
        { name: './a', body: '2' },
      ]),
      'a.zip',
    ),
    { message: /"a".*twice/ },
  )
  await assert.rejects(
    send(
      builder,
      rawTar([
        { name: 'a', body: '1' },
        { name: 'a/b', body: '2' },
      ]),
      'a.tar',
    ),
    { message: /which is a file/ },
  )
  assert.equal(
    (
      await send(
        builder,
        rawZip([
          { name: 'A', body: '1' },
          { name: 'a', body: '2' },
        ]),
        'a.zip',
      )
    ).files.length,
    2,
  )
})

test('bombs are refused while they unpack', async t => {
  const small = {
    contentBytesMax: 1024 * 1024,
    ratioFreeBytes: 64 * 1024,
    ratioMax: 100,
    filesMax: 100,
    entriesMax: 200,
  }
  const builder = await makeBuilder(t, { packageLimits: small })
  const zeros = Buffer.alloc(512 * 1024)
  const bomb = { code: 'PACKAGE_INVALID', message: /"zeros".*bomb/ }
  await assert.rejects(send(builder, rawZip([{ name: 'zeros', body: zeros }]), 'a.zip'), bomb)
  await assert.rejects(send(builder, gzipSync(rawTar([{ name: 'zeros', body: zeros }])), 'a.tgz'), bomb)
  const large = Buffer.alloc(2 * 1024 * 1024)
  await assert.rejects(send(builder, rawTar([{ name: 'large', body: large }]), 'a.tar'), {
    message: /"large".*1 MiB/,
  })
  await assert.rejects(send(builder, rawZip([{ name: 'large', body: large }]), 'a.zip'), {
    message: /larger than 1 MiB/,
  })
  // It says that it is small.
  const liar = rawZip([{ name: 'large', body: large, claimedSize: 10 }])
  await assert.rejects(send(builder, liar, 'a.zip'), { code: 'PACKAGE_INVALID', message: /"large".*damaged/ })
  const many = Array.from({ length: 101 }, (_, i) => ({ name: `f${i}`, body: '' }))
  await assert.rejects(send(builder, rawZip(many), 'a.zip'), { message: /more than 100 files/ })
  await assert.rejects(send(builder, rawTar(many), 'a.tar'), { message: /more than 100 files/ })
  const folders = Array.from({ length: 201 }, (_, i) => ({ name: `f${i}/`, type: '5' }))
  await assert.rejects(send(builder, rawTar(folders), 'a.tar'), { message: /more than 200 entries/ })
  await assert.rejects(
    send(builder, gzipSync(rawTar([{ name: 'x', body: 'x' }], { end: true }), {}), 'a.tgz').then(() =>
      send(
        builder,
        gzipSync(Buffer.concat([rawTar([{ name: 'x', body: 'x' }]), Buffer.alloc(4 * 1024 * 1024)])),
        'b.tgz',
      ),
    ),
    { message: /unpacks to more than/ },
  )
})

test('entries that share the same packed bytes are refused', async t => {
  const builder = await makeBuilder(t)
  const body = Buffer.alloc(1000, 'x')
  const archive = rawZip([
    { name: 'a', body },
    { name: 'b', body, sharesWith: 0 },
  ])
  await assert.rejects(send(builder, archive, 'a.zip'), { code: 'PACKAGE_INVALID', message: /overlaps/ })
})

test('what is damaged, cut off, encrypted or no archive says so', async t => {
  const builder = await makeBuilder(t)
  const tar = rawTar(FILES)
  const gz = gzipSync(tar)
  const flipped = Buffer.from(gz)
  flipped[flipped.length - 6]! ^= 0xff
  const header = Buffer.from(tar)
  header[0]! ^= 0xff
  const cases: [Uint8Array | string, string, RegExp][] = [
    [rawZip(FILES).subarray(0, -30), 'a.zip', /no zip archive, or its end is missing/],
    [rawZip([{ name: 'a', body: 'x', claimedCrc: 1 }]), 'a.zip', /"a".*damaged/],
    [rawZip([{ name: 'a', body: 'x', flags: 1 }]), 'a.zip', /encrypted/],
    [rawZip([{ name: 'a', body: 'x', method: 12 }]), 'a.zip', /method 12/],
    [rawZip(FILES, { claimedCount: 9 }), 'a.zip', /damaged/],
    [tar.subarray(0, 700), 'a.tar', /cut off/],
    [rawTar(FILES, { end: false }), 'a.tar', /cut off/],
    [Buffer.concat([rawTar([{ name: 'a', body: 'x' }], { end: false }), header]), 'a.tar', /checksum/],
    [gz.subarray(0, 60), 'a.tar.gz', /gzip/],
    [flipped, 'a.tar.gz', /gzip/],
    [gzipSync('just text'), 'a.gz', /cut off|checksum/],
    ['text', 'a.zip', /no such archive/],
    ['BZh9', 'a.tar.bz2', /bzip2/],
    ['', 'a.js', /empty/],
    [rawZip([]), 'a.zip', /empty/],
    [rawTar([{ name: 'only/', type: '5' }]), 'a.tar', /empty/],
    ['text', '', /without a name/],
  ]
  for (const [bytes, name, message] of cases)
    await assert.rejects(
      send(builder, bytes, name),
      { code: 'PACKAGE_INVALID', message },
      `${name} ${message}`,
    )
})

test('no message shows a path of the server or the words of a library', async t => {
  const builder = await makeBuilder(t)
  for (const bytes of [
    rawZip(FILES).subarray(0, -30),
    rawZip([{ name: 'a', body: 'x', claimedSize: 900 }]),
  ]) {
    const error = await send(builder, bytes, 'a.zip').catch((thrown: Error) => thrown)
    assert.ok(error instanceof Error)
    assert.doesNotMatch(error.message, /tmp|central directory|stream|ENO|\bat /)
  }
})

test('an upload beyond the limit is refused as it comes, and leaves nothing behind', async t => {
  const builder = await makeBuilder(t, { packageLimits: { archiveBytesMax: 100_000 } })
  let sent = 0
  const endless = new Readable({
    read() {
      sent += 10_000
      this.push(Buffer.alloc(10_000))
    },
  })
  const controller = new AbortController()
  await assert.rejects(builder.receive(endless, 'a.zip', controller.signal), {
    code: 'BODY_TOO_LARGE',
    message: /98 KiB/,
  })
  assert.ok(sent < 1_000_000, `${sent} bytes were read`)
  assert.deepEqual(readdirSync(join(builder.path, 'tmp')), [])
})

test('an upload that is given up or breaks off leaves nothing behind', async t => {
  const builder = await makeBuilder(t)
  const controller = new AbortController()
  const waiting = new Readable({ read() {} })
  waiting.push('PK\u0003\u0004')
  const received = builder.receive(waiting, 'a.zip', controller.signal)
  setImmediate(() => controller.abort())
  await assert.rejects(received, { code: 'CANCELLED' })
  const broken = new Readable({ read() {} })
  setImmediate(() => broken.destroy(new Error('the connection broke')))
  await assert.rejects(builder.receive(broken, 'a.zip', new AbortController().signal), {
    code: 'CANCELLED',
    message: /broke off/,
  })
  assert.deepEqual(readdirSync(join(builder.path, 'tmp')), [])
  assert.deepEqual(readdirSync(join(builder.path, 'packages')), [])
})
