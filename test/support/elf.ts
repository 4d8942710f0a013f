/** Numbers of machines in Linux's format of programs: this one's, and another's. */
export const OWN_MACHINE = process.arch === 'arm64' ? 183 : 62
export const OTHER_MACHINE = process.arch === 'arm64' ? 62 : 183

/** The head of a program in that format, 64 bits, for a machine of this number; with what loads it. */
export function elf(machine: number, loader?: string): Buffer {
  const head = Buffer.alloc(64)
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(head)
  head.writeUInt16LE(2, 16)
  head.writeUInt16LE(machine, 18)
  head.writeBigUInt64LE(64n, 32)
  head.writeUInt16LE(56, 54)
  head.writeUInt16LE(loader === undefined ? 0 : 1, 56)
  if (loader === undefined) return head
  const program = Buffer.alloc(56)
  program.writeUInt32LE(3, 0)
  program.writeBigUInt64LE(120n, 8)
  program.writeBigUInt64LE(BigInt(loader.length), 32)
  return Buffer.concat([head, program, Buffer.from(loader)])
}
