import { createHash, timingSafeEqual } from 'node:crypto'

/** Whether an `Authorization` shows one of the secrets: a bearer token, or `user:password`. Each takes the same time. */
export function showsOneOf(authorization: string | undefined, secrets: readonly string[]): boolean {
  const [, scheme = '', shown = ''] = /^(basic|bearer) +(\S+) *$/i.exec(authorization ?? '') ?? []
  if (scheme.toLowerCase() !== 'basic') return shown !== '' && isOneOf(shown, secrets)
  const decoded = Buffer.from(shown, 'base64')
  const isExact = decoded.toString('base64') === shown // Node passes over what it cannot read
  return isExact && isOneOf(decoded.toString(), secrets)
}

/** Whether a text is one of the secrets; how long it takes tells nothing about them. */
export function isOneOf(given: string, secrets: readonly string[]): boolean {
  let found = false
  for (const secret of secrets) if (timingSafeEqual(digest(given), digest(secret))) found = true
  return found
}

/** Of one length, so that the comparison does not tell the length of a secret. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
