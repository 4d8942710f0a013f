import { createHmac, timingSafeEqual } from 'node:crypto'
import { bytesOfBase64 } from '../../core/index.ts'
import { isOneOf, showsOneOf } from '../hook-authorization.ts'
import { headerOf } from '../hook-headers.ts'
import type { HookRequest } from '../kind.ts'
import type { HmacScheme, Signature, WebhookConfig } from './config.ts'

/**
 * Why a request is not genuine, or `undefined` when it is. Every secret is tried, and each comparison takes the same
 * time whatever it is given. Pure; `now` is epoch ms.
 */
export function whyNotGenuine(config: WebhookConfig, request: HookRequest, now: number): string | undefined {
  return CHECKS[config.signature](new Evidence(config, request, now))
}

/** Headers that hold a secret itself, not something made with it: neither the function nor a record sees them. */
export function secretHeaders(signature: Signature): readonly string[] {
  return SECRET_HEADERS[signature] ?? []
}

const SECRET_HEADERS: Partial<Record<Signature, readonly string[]>> = {
  basic: ['authorization'],
  gitlab: ['x-gitlab-token'],
}

type Check = (evidence: Evidence) => string | undefined

const CHECKS: Readonly<Record<Signature, Check>> = {
  none: () => undefined,
  basic: checkBasic,
  github: evidence => evidence.signed('x-hub-signature-256', 'sha256', 'hex', 'sha256=', ['', BODY]),
  gitlab: checkGitlab,
  stripe: checkStripe,
  slack: evidence => {
    const at = evidence.header('x-slack-request-timestamp')
    return (
      evidence.untimely(at, 'x-slack-request-timestamp') ??
      evidence.signed('x-slack-signature', 'sha256', 'hex', 'v0=', [`v0:${at}:`, BODY])
    )
  },
  standard: evidence => checkStandard(evidence, evidence.secrets),
  hmac: evidence => checkHmac(evidence, evidence.config.hmac!),
}

/** Stands for the body among the pieces that are signed. */
const BODY = Symbol('body')
type Piece = string | typeof BODY

class Evidence {
  readonly config: WebhookConfig
  readonly request: HookRequest
  readonly now: number

  constructor(config: WebhookConfig, request: HookRequest, now: number) {
    this.config = config
    this.request = request
    this.now = now
  }

  get secrets(): readonly string[] {
    return this.config.secrets ?? []
  }

  header(name: string): string | undefined {
    return headerOf(this.request.headers, name)
  }

  /** Seconds since 1970 that must be near. */
  untimely(text: string | undefined, name: string): string | undefined {
    if (text === undefined) return missing(name)
    if (!/^\d{1,12}$/.test(text)) return `the time in ${name} is not a number of seconds`
    const awayS = Math.abs(this.now / 1000 - Number(text))
    if (awayS <= this.config.toleranceS) return undefined
    return `its time is ${Math.round(awayS)} s away from now, and ${this.config.toleranceS} s is the most`
  }

  /** One signature in a header of its own. */
  signed(
    name: string,
    algorithm: string,
    encoding: 'hex' | 'base64',
    prefix: string,
    pieces: readonly Piece[],
  ): string | undefined {
    const value = this.header(name)
    if (value === undefined) return missing(name)
    if (!value.startsWith(prefix)) return `${name} does not begin with "${prefix}"`
    return this.matches([value.slice(prefix.length)], this.secrets, algorithm, encoding, pieces)
      ? undefined
      : `${name} is not the signature of this body`
  }

  /** Whether any of `given` is what one of `secrets` makes of the pieces. All are tried. */
  matches(
    given: readonly string[],
    secrets: readonly (string | Buffer)[],
    algorithm: string,
    encoding: 'hex' | 'base64',
    pieces: readonly Piece[],
  ): boolean {
    let found = false
    for (const secret of secrets) {
      const hmac = createHmac(algorithm, secret)
      for (const piece of pieces) {
        // Headers came as Latin-1: so they are the bytes that the sender signed.
        if (piece === BODY) hmac.update(this.request.body)
        else hmac.update(piece, 'latin1')
      }
      const expected = hmac.digest()
      for (const each of given) if (sameBytes(decoded(each, encoding), expected)) found = true
    }
    return found
  }
}

function checkBasic(evidence: Evidence): string | undefined {
  const value = evidence.header('authorization')
  if (value === undefined) return missing('authorization')
  if (!/^basic /i.test(value)) return 'the authorization is not of the kind "Basic"'
  return showsOneOf(value, evidence.secrets) ? undefined : 'user or password are wrong'
}

/** Either the newer signature, by signing tokens (`whsec_…`), or the token itself. */
function checkGitlab(evidence: Evidence): string | undefined {
  const { secrets } = evidence
  if (evidence.header('webhook-signature') !== undefined)
    return checkStandard(
      evidence,
      secrets.filter(each => each.startsWith('whsec_')),
    )
  const value = evidence.header('x-gitlab-token')
  if (value === undefined) return missing('x-gitlab-token')
  const tokens = secrets.filter(each => !each.startsWith('whsec_'))
  return isOneOf(Buffer.from(value, 'latin1').toString(), tokens)
    ? undefined
    : 'x-gitlab-token is not the secret token'
}

function checkStripe(evidence: Evidence): string | undefined {
  const value = evidence.header('stripe-signature')
  if (value === undefined) return missing('stripe-signature')
  let at: string | undefined
  const signatures: string[] = []
  for (const part of value.split(',').slice(0, SIGNATURES_MAX)) {
    const [name, text = ''] = part.trim().split('=', 2)
    if (name === 't') at = text
    else if (name === 'v1') signatures.push(text)
  }
  const untimely = evidence.untimely(at, 'stripe-signature')
  if (untimely !== undefined) return untimely
  return evidence.matches(signatures, evidence.secrets, 'sha256', 'hex', [`${at}.`, BODY])
    ? undefined
    : 'stripe-signature is not the signature of this body'
}

function checkStandard(evidence: Evidence, secrets: readonly string[]): string | undefined {
  const id = evidence.header('webhook-id')
  const at = evidence.header('webhook-timestamp')
  const value = evidence.header('webhook-signature')
  if (id === undefined) return missing('webhook-id')
  if (value === undefined) return missing('webhook-signature')
  const untimely = evidence.untimely(at, 'webhook-timestamp')
  if (untimely !== undefined) return untimely
  const signatures = value
    .split(' ')
    .slice(0, SIGNATURES_MAX)
    .filter(each => each.startsWith('v1,'))
    .map(each => each.slice(3))
  const keys = secrets.map(each => Buffer.from(each.replace(/^whsec_/, ''), 'base64'))
  return evidence.matches(signatures, keys, 'sha256', 'base64', [`${id}.${at}.`, BODY])
    ? undefined
    : 'webhook-signature is not the signature of this body'
}

function checkHmac(evidence: Evidence, scheme: HmacScheme): string | undefined {
  const { header, algorithm, encoding, prefix, timestampHeader, text } = scheme
  let at = ''
  if (timestampHeader !== undefined) {
    const value = evidence.header(timestampHeader)
    const untimely = evidence.untimely(value, timestampHeader)
    if (untimely !== undefined) return untimely
    at = value!
  }
  const [before, after] = text.split('{body}').map(each => each.replaceAll('{timestamp}', at))
  return evidence.signed(header, algorithm, encoding, prefix, [before!, BODY, after!])
}

const SIGNATURES_MAX = 20 // in one header; while secrets are changed there are two or three

function missing(name: string): string {
  return `${name} is missing or there twice`
}

/** Empty for what is not written as it should be: Node passes over what it cannot read. */
function decoded(text: string, encoding: 'hex' | 'base64'): Buffer {
  const none = Buffer.alloc(0)
  if (encoding === 'base64') return bytesOfBase64(text) ?? none
  const bytes = Buffer.from(text, 'hex')
  return bytes.length * 2 === text.length ? bytes : none
}

function sameBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
