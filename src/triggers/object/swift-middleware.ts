import { AtelierError, type InputError } from '../../core/index.ts'
import type { ObjectConfig } from './config.ts'
import { idFrom, sourceOf, type ToldEvent } from './event.ts'
import { isRecord } from './json.ts'

const NAME_BYTES_MAX = 1_024 // Swift's own bound for objects; containers have 256

/**
 * What Picasso's Swift middleware, and ours, says after an upload. Uploads of one object cannot be told apart by the
 * original, so each of its requests is an event of its own (`fallbackId`); ours names the request it tells of. Pure.
 */
export function readSwiftUpload(
  body: unknown,
  config: ObjectConfig,
  now: number,
  fallbackId: string,
): ToldEvent | 'unwanted' {
  if (!isRecord(body)) throw new AtelierError('INVALID_INPUT', 'The body must be a JSON object.')
  const names = ['account', 'container', 'object'] as const
  const errors: InputError[] = names
    .filter(name => !isName(body[name]))
    .map(name => ({
      pointer: `/${name}`,
      detail: `must be a text of 1 to ${NAME_BYTES_MAX} bytes`,
    }))
  if (errors.length > 0)
    throw new AtelierError('INVALID_INPUT', 'This is not what the Swift middleware sends.', { errors })
  const account = String(body['account'])
  if (config.swift?.account !== undefined && config.swift.account !== account) return 'unwanted'
  const project = body['project_id']
  const { 'x-auth-token': token, transaction, ...rest } = body
  return {
    id: typeof transaction === 'string' ? idFrom(account, transaction) : fallbackId,
    source: sourceOf('swift', account),
    happened: {
      event: 'written',
      container: String(body['container']),
      object: String(body['object']),
      timeMs: now,
      ...(typeof project === 'string' && { project }),
    },
    // The token can do all that the uploader can: it goes on only to who asks for it.
    original: { ...rest, ...(config.swift?.passToken === true && { 'x-auth-token': token ?? null }) },
  }
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= NAME_BYTES_MAX
}
