/** What a close frame's payload says: nothing, or a code and a reason (RFC 6455, 5.5.1). A bad payload is 1011. */
export function closeOf(payload: Uint8Array | undefined): {
  readonly code: number | undefined
  readonly reason: string
} {
  if (!payload || payload.length === 0) return { code: undefined, reason: '' }
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  const code = bytes.length < 2 ? 0 : bytes.readUInt16BE(0)
  if (!maySend(code) || bytes.length > CONTROL_BYTES_MAX)
    return { code: 1011, reason: 'the function closed with an invalid code' }
  return { code, reason: bytes.toString('utf8', 2) }
}

/** The payload for a peer's close. 1005 stands for a close without a code. */
export function closePayload(code: number, reason: Buffer): Uint8Array {
  if (code === NO_CODE) return new Uint8Array()
  const payload = Buffer.alloc(2 + reason.length)
  payload.writeUInt16BE(code, 0)
  reason.copy(payload, 2)
  return payload
}

const CONTROL_BYTES_MAX = 125
const NO_CODE = 1005

/** RFC 6455, 7.4: those between are reserved, or may only be thought. */
function maySend(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== NO_CODE && code !== 1006) ||
    (code >= 3000 && code <= 4999)
  )
}
