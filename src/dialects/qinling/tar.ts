/** A package of ours around the archive that a client sent, which must come back to it byte by byte. Pure. */

/** The archive's name in it; builds look for it. */
export const ARCHIVE_NAME = 'package.zip'

const BLOCK = 512

export function wrapped(archive: Buffer): Buffer {
  const header = Buffer.alloc(BLOCK)
  header.write(ARCHIVE_NAME, 0)
  header.write('0000644\u00000000000\u00000000000\u0000', 100, 'latin1')
  header.write(`${archive.length.toString(8).padStart(11, '0')}\u000000000000000\u0000`, 124, 'latin1')
  header.write('        0', 148, 'latin1')
  header.write('ustar\u000000', 257, 'latin1')
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148, 'latin1')
  return Buffer.concat([header, archive, Buffer.alloc(padded(archive.length) - archive.length + 2 * BLOCK)])
}

/** The archive again; `undefined` when there is none in it. */
export function unwrapped(tar: Buffer): Buffer | undefined {
  for (let at = 0; at + BLOCK <= tar.length; ) {
    const name = tar.toString('latin1', at, at + ARCHIVE_NAME.length + 1)
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8)
    if (Number.isNaN(size)) return undefined // the end of it
    const start = at + BLOCK
    if (name === `${ARCHIVE_NAME}\u0000`)
      return tar.length < start + size ? undefined : tar.subarray(start, start + size)
    at = start + padded(size)
  }
  return undefined
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK
}
