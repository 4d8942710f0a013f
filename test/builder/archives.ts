import { crc32, deflateRawSync } from 'node:zlib'

/** One entry for the archive makers below, which write whatever they are told, true or not. */
export interface RawEntry {
  readonly name: string | Uint8Array
  readonly body?: string | Uint8Array
  /** Tar type flag. @default '0' */
  readonly type?: string
  readonly link?: string
  /** Permission bits; for a zip with the file type above them. @default 0o644 */
  readonly mode?: number
  /** Tar: the size that the header claims. Zip: the unpacked size that the directory claims. */
  readonly claimedSize?: number
  readonly claimedCrc?: number
  /** Zip: compression method. @default 8 (deflate) */
  readonly method?: number
  readonly flags?: number
  /** Zip: use the local header of the entry with this index instead of one of its own. */
  readonly sharesWith?: number
}

/** A tar archive, byte by byte. */
export function rawTar(entries: readonly RawEntry[], options: { readonly end?: boolean } = {}): Buffer {
  const parts: Buffer[] = []
  for (const entry of entries) {
    const body = Buffer.from(entry.body ?? '')
    const header = Buffer.alloc(512)
    Buffer.from(entry.name).copy(header, 0, 0, 100)
    header.write(octal(entry.mode ?? 0o644, 7), 100)
    header.write(octal(0, 7), 108)
    header.write(octal(0, 7), 116)
    header.write(octal(entry.claimedSize ?? body.length, 11), 124)
    header.write(octal(1_700_000_000, 11), 136)
    header.write('        ', 148)
    header.write(entry.type ?? '0', 156)
    header.write(entry.link ?? '', 157)
    header.write('ustar', 257)
    header.write('00', 263)
    let sum = 0
    for (const byte of header) sum += byte
    header.write(`${octal(sum, 6)}\0 `, 148)
    parts.push(header, body, Buffer.alloc((512 - (body.length % 512)) % 512))
  }
  if (options.end !== false) parts.push(Buffer.alloc(1024))
  return Buffer.concat(parts)
}

/** A pax extended header for the entry after it. */
export function paxEntry(records: Readonly<Record<string, string>>): RawEntry {
  const body = Object.entries(records)
    .map(([key, value]) => {
      const rest = Buffer.byteLength(` ${key}=${value}\n`)
      let length = rest
      while (length !== rest + String(length).length) length = rest + String(length).length
      return `${length} ${key}=${value}\n`
    })
    .join('')
  return { name: 'PaxHeader', type: 'x', body }
}

/** A zip archive, byte by byte, as if made on Unix. */
export function rawZip(
  entries: readonly RawEntry[],
  options: { readonly claimedCount?: number } = {},
): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  const offsets: number[] = []
  let at = 0
  for (const entry of entries) {
    const name = Buffer.from(entry.name)
    const body = Buffer.from(entry.body ?? '')
    const method = entry.method ?? 8
    const packed = method === 8 ? deflateRawSync(body, { level: 9 }) : body
    const crc = entry.claimedCrc ?? crc32(body)
    const size = entry.claimedSize ?? body.length
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(entry.flags ?? 0x800, 2)
    common.writeUInt16LE(method, 4)
    common.writeUInt32LE(crc, 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(size, 18)
    common.writeUInt16LE(name.length, 22)
    const offset = entry.sharesWith === undefined ? at : offsets[entry.sharesWith]!
    offsets.push(offset)
    if (entry.sharesWith === undefined) {
      const local = Buffer.concat([Buffer.from('PK\u0003\u0004', 'latin1'), common, name, packed])
      parts.push(local)
      at += local.length
    }
    const tail = Buffer.alloc(14)
    const mode = entry.mode ?? 0o644
    tail.writeUInt32LE((((mode & 0o170000) === 0 ? mode | 0o100000 : mode) << 16) >>> 0, 6)
    tail.writeUInt32LE(offset, 10)
    directory.push(Buffer.from('PK\u0001\u0002', 'latin1'), Buffer.from([20, 3]), common, tail, name)
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\u0005\u0006', 0, 'latin1')
  const count = options.claimedCount ?? entries.length
  end.writeUInt16LE(count, 8)
  end.writeUInt16LE(count, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, central, end])
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}
