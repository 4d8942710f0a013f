import { engineFailed } from './http.ts'

const HEAD_BYTES = 64
const SEGMENT_BYTES = 56
const ADDRESS = 0x400000n
const READ_AND_EXECUTE = 5

/** Instructions that wait for a signal for ever, and the number by which ELF knows the machine. */
const CODE: Readonly<Record<string, readonly [machine: number, code: Buffer]>> = {
  // mov eax, 34 (pause); syscall; jmp to the beginning
  x64: [62, Buffer.from('b8220000000f05ebf7', 'hex')],
  // x0 to x4 = 0; x8 = 73 (ppoll); svc 0; b to the beginning
  arm64: [
    183,
    words(0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003, 0xd2800004, 0xd2800928, 0xd4000001, 0x17fffff9),
  ],
}

/** An ELF program without libraries that does nothing until it is killed. */
export function pauseProgram(arch: string): Buffer {
  const found = CODE[arch]
  if (found === undefined)
    throw engineFailed(`there is no program for machines of kind ${arch} that holds a network`)
  const [machine, code] = found
  const size = HEAD_BYTES + SEGMENT_BYTES + code.length
  const head = Buffer.alloc(HEAD_BYTES)
  head.write('\x7fELF\x02\x01\x01', 'latin1')
  head.writeUInt16LE(2, 16) // a program
  head.writeUInt16LE(machine, 18)
  head.writeUInt32LE(1, 20)
  head.writeBigUInt64LE(ADDRESS + BigInt(HEAD_BYTES + SEGMENT_BYTES), 24) // where it begins
  head.writeBigUInt64LE(BigInt(HEAD_BYTES), 32) // the segment's description
  head.writeUInt16LE(HEAD_BYTES, 52)
  head.writeUInt16LE(SEGMENT_BYTES, 54)
  head.writeUInt16LE(1, 56)
  const segment = Buffer.alloc(SEGMENT_BYTES)
  segment.writeUInt32LE(1, 0) // to be loaded
  segment.writeUInt32LE(READ_AND_EXECUTE, 4)
  segment.writeBigUInt64LE(ADDRESS, 16)
  segment.writeBigUInt64LE(ADDRESS, 24)
  segment.writeBigUInt64LE(BigInt(size), 32)
  segment.writeBigUInt64LE(BigInt(size), 40)
  segment.writeBigUInt64LE(0x1000n, 48)
  return Buffer.concat([head, segment, code])
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, i * 4)
  return bytes
}
