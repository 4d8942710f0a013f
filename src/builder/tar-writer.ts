import type { PackageEntry } from './manifest.ts'

const BLOCK_BYTES = 512

/** Two empty blocks: the end of a tar archive. */
export const TAR_END = Buffer.alloc(2 * BLOCK_BYTES)

/**
 * The header blocks of one entry in canonical form: no owner, no time, two modes. A name that does not fit stands in a
 * pax header before it.
 */
export function tarHeader(entry: PackageEntry): Buffer {
  const records: string[] = []
  if (Buffer.byteLength(entry.path) > 100) records.push(paxRecord('path', entry.path))
  if (Buffer.byteLength(entry.target ?? '') > 100) records.push(paxRecord('linkpath', entry.target!))
  const mode = entry.executable || entry.kind === 'link' ? 0o755 : 0o644
  const plain = block(entry.path, mode, entry.size, entry.kind === 'link' ? '2' : '0', entry.target ?? '')
  if (records.length === 0) return plain
  const body = Buffer.from(records.join(''))
  return Buffer.concat([
    block('PaxHeader', 0o644, body.length, 'x', ''),
    body,
    tarPadding(body.length),
    plain,
  ])
}

/** The zeros that fill the last block of `size` bytes. */
export function tarPadding(size: number): Buffer {
  return TAR_END.subarray(0, (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES)
}

function block(name: string, mode: number, size: number, type: string, target: string): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES)
  Buffer.from(name).copy(header, 0, 0, 100)
  header.write(
    `${octal(mode, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0${octal(size, 11)}\0${octal(0, 11)}\0`,
    100,
    'latin1',
  )
  header.write('        ', 148, 'latin1')
  header.write(type, 156, 'latin1')
  Buffer.from(target).copy(header, 157, 0, 100)
  header.write('ustar\u000000', 257, 'latin1')
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${octal(sum, 6)}\0 `, 148, 'latin1')
  return header
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest + 1
  while (rest + String(length).length !== length) length = rest + String(length).length
  return `${length} ${key}=${value}\n`
}
