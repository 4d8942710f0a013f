import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

const SCHEME = 'Atelier-Node'
const AGE_MS_MAX = 300_000 // clocks of nodes may differ

/** What nodes sign their questions to each other with, made of a key that all of them have. */
export function nodeKey(secret: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'atelier nodes 1', 32))
}

/** The field `authorization` of a question: for this address alone, and for some minutes. */
export function sign(key: Buffer, target: string, nowMs: number): string {
  return `${SCHEME} ${nowMs}.${digestOf(key, target, nowMs).toString('base64url')}`
}

/** Whether another node asks. */
export function isSigned(key: Buffer, target: string, nowMs: number, field: string | undefined): boolean {
  const [, at, digest] = new RegExp(`^${SCHEME} (\\d{1,16})\\.([\\w-]{43})$`).exec(field ?? '') ?? []
  if (at === undefined || digest === undefined || Math.abs(nowMs - Number(at)) > AGE_MS_MAX) return false
  return timingSafeEqual(digestOf(key, target, Number(at)), Buffer.from(digest, 'base64url'))
}

function digestOf(key: Buffer, target: string, atMs: number): Buffer {
  return createHmac('sha256', key).update(`${atMs}\n${target}`).digest()
}
