import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createZstdCompress } from 'node:zlib'
import { packFolder, unpackFolder } from '../../src/builder/parcel.ts'

test('a folder that was packed comes out as it went in', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-parcel-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const [from, to] = [join(folder, 'from'), join(folder, 'to')]
  const long = 'deep/'.repeat(60)
  mkdirSync(join(from, long), { recursive: true })
  mkdirSync(join(from, 'empty'))
  mkdirSync(to)
  writeFileSync(join(from, long, 'ünïcode \n name'), 'x')
  writeFileSync(join(from, 'nothing'), '')
  writeFileSync(join(from, 'large'), Buffer.alloc(3_000_000, 'large'))
  writeFileSync(join(from, 'run.sh'), '#!/bin/sh\n')
  chmodSync(join(from, 'run.sh'), 0o755)
  symlinkSync('run.sh', join(from, 'link'))
  symlinkSync('empty', join(from, 'link to a folder'))
  await unpackFolder(packFolder(from), to)
  execFileSync('/usr/bin/diff', ['-r', '--no-dereference', from, to])
  assert.equal(readFileSync(join(to, 'link'), 'utf8'), '#!/bin/sh\n')
  const modes = (root: string) =>
    execFileSync('stat', ['-c', '%a', join(root, 'run.sh'), join(root, 'large')]).toString()
  assert.equal(modes(to), modes(from))
})

test('what is cut off, or leads out of the folder, is refused', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-parcel-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const packed = (head: object, content = ''): AsyncIterable<Uint8Array> => {
    const text = Buffer.from(JSON.stringify(head))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(text.length)
    const stream = createZstdCompress()
    stream.end(Buffer.concat([length, text, Buffer.from(content)]))
    return stream
  }
  for (const path of ['../out', '/etc/x', 'a/../../x', '', '.', 'a//b'])
    await assert.rejects(unpackFolder(packed({ path, kind: 'file', size: 1 }, 'x'), folder), /leads out/)
  await assert.rejects(unpackFolder(packed({ path: 'short', kind: 'file', size: 5 }, 'x'), folder), /cut off/)
  symlinkSync('/tmp', join(folder, 'trap'))
  await assert.rejects(unpackFolder(packed({ path: 'trap', kind: 'file', size: 1 }, 'x'), folder), {
    code: 'EEXIST',
  })
})
