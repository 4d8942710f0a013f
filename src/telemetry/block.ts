import { crc32 } from 'node:zlib'

/**
 * A block is what one write appends to a segment: `ATB1`, the lengths of its two parts, their checksum, then what tells
 * readers whether they want it (JSON), then its body. What a crash has cut off or the disk has spoiled is no block.
 */
export const BLOCK_HEAD_BYTES = 16

const MAGIC = 0x31425441 // "ATB1", little-endian
const META_BYTES_MAX = 64 * 1024 ** 2

export interface BlockHead {
  readonly metaBytes: number
  readonly bodyBytes: number
  readonly checksum: number
}

export function encodeBlock(meta: object, parts: readonly Uint8Array[]): Buffer {
  const metaText = Buffer.from(JSON.stringify(meta))
  let bodyBytes = 0
  for (const part of parts) bodyBytes += part.byteLength
  const block = Buffer.allocUnsafeSlow(BLOCK_HEAD_BYTES + metaText.length + bodyBytes)
  block.writeUInt32LE(MAGIC, 0)
  block.writeUInt32LE(metaText.length, 4)
  block.writeUInt32LE(bodyBytes, 8)
  block.set(metaText, BLOCK_HEAD_BYTES)
  let at = BLOCK_HEAD_BYTES + metaText.length
  for (const part of parts) {
    block.set(part, at)
    at += part.byteLength
  }
  block.writeUInt32LE(crc32(block.subarray(BLOCK_HEAD_BYTES)), 12)
  return block
}

/** The head at `at`; `undefined` when none stands there. */
export function readBlockHead(bytes: Buffer, at: number): BlockHead | undefined {
  if (bytes.length - at < BLOCK_HEAD_BYTES || bytes.readUInt32LE(at) !== MAGIC) return undefined
  const metaBytes = bytes.readUInt32LE(at + 4)
  if (metaBytes > META_BYTES_MAX) return undefined
  return { metaBytes, bodyBytes: bytes.readUInt32LE(at + 8), checksum: bytes.readUInt32LE(at + 12) }
}
