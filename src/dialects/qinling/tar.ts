/** A package of ours around the archive that a client sent, which must come back to it byte by byte. Pure. */

const BLOCK = 512
const NAME = 'package.zip'

export function wrapped(archive: Buffer): Buffer {
  const header = Buffer.alloc(BLOCK)
  header.write(NAME, 0)
  header.write('0000644\u00000000000\u00000000000\u0000', 100, 'latin1')
  header.write(`${archive.length.toString(8).padStart(11, '0')}\u000000000000000\u0000`, 124, 'latin1')
  header.write('        0', 148, 'latin1')
  header.write('ustar\u000000', 257, 'latin1')
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148, 'latin1')
  const padding = (BLOCK - (archive.length % BLOCK)) % BLOCK
  return Buffer.concat([header, archive, Buffer.alloc(padding + 2 * BLOCK)])
}

/** The archive again; `undefined` when this is no such package. */
export function unwrapped(tar: Buffer): Buffer | undefined {
  const name = tar.subarray(0, NAME.length + 1).toString('latin1')
  if (name !== `${NAME}\u0000`) return undefined
  const size = Number.parseInt(tar.subarray(124, 135).toString('latin1'), 8)
  return Number.isNaN(size) || tar.length < BLOCK + size ? undefined : tar.subarray(BLOCK, BLOCK + size)
}
