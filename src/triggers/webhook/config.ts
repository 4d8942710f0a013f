import { checkFilter, type EventFilter, filterErrors } from '../../cloudevents/index.ts'
import type { InputError } from '../../core/index.ts'
import { GATE_LIMITS_DEFAULT, GATE_LIMITS_SCHEMA, type GateLimits } from '../hook-gate.ts'
import type { CheckedConfig } from '../kind.ts'
import { RECORD_DEFAULT, RECORD_SCHEMA, type RecordLimits } from '../request-log.ts'

/** Who signs, and how. */
export type Signature = 'github' | 'gitlab' | 'stripe' | 'slack' | 'standard' | 'hmac' | 'basic' | 'none'

/** A configuration that was checked and completed. */
export interface WebhookConfig {
  readonly signature: Signature
  /** Any of them opens; the newest first. */
  readonly secrets?: readonly string[]
  readonly hmac?: HmacScheme
  /** How old, or how far ahead, a signed time may be. */
  readonly toleranceS: number
  readonly methods: readonly string[]
  readonly mode: 'async' | 'sync'
  readonly deduplicate: 'id' | 'body' | 'none'
  /** Lower case. */
  readonly idHeader?: string
  readonly typeHeader?: string
  readonly filter?: WebhookFilter
  readonly limits: GateLimits
  readonly record: RecordLimits
}

/** How a sender signs that is not known by name. */
export interface HmacScheme {
  /** Lower case. */
  readonly header: string
  readonly algorithm: 'sha256' | 'sha512' | 'sha1'
  readonly encoding: 'hex' | 'base64'
  /** What stands before the signature in its header. */
  readonly prefix: string
  /** Lower case. Holds seconds since 1970. */
  readonly timestampHeader?: string
  /** What is signed: `{body}` and `{timestamp}` stand for themselves. */
  readonly text: string
}

/** Everything that is named must fit. */
export interface WebhookFilter {
  /** Header name (lower case) to the values that it may have. */
  readonly headers?: Readonly<Record<string, readonly string[]>>
  /** Dotted path into the body (JSON or form) to the values that may stand there. */
  readonly fields?: Readonly<Record<string, readonly (string | number | boolean)[]>>
  /** On the attributes of the event. */
  readonly attributes?: EventFilter
}

const SECRETS_MAX = 5
const FILTERS_MAX = 20
const FIELD_NAME = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

const headerName = (description: string) =>
  ({ type: 'string', pattern: FIELD_NAME, maxLength: 100, description }) as const

export const WEBHOOK_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['signature'],
  properties: {
    signature: {
      enum: ['github', 'gitlab', 'stripe', 'slack', 'standard', 'hmac', 'basic', 'none'],
      description:
        'How the sender shows that it is genuine. `standard`: Standard Webhooks. `hmac`: as `hmac` says. `none`: who knows the URL may call.',
    },
    secrets: {
      type: 'array',
      minItems: 1,
      maxItems: SECRETS_MAX,
      items: { type: 'string', minLength: 8, maxLength: 1_000 },
      description:
        'What the sender signs with; any of them will do, so that they can be changed one after the other. For `basic`: `user:password`. Never shown.',
    },
    hmac: {
      type: 'object',
      additionalProperties: false,
      required: ['header'],
      description: 'For signature `hmac`.',
      properties: {
        header: headerName('The header that holds the signature.'),
        algorithm: { enum: ['sha256', 'sha512', 'sha1'], description: 'Default sha256.' },
        encoding: { enum: ['hex', 'base64'], description: 'Default hex.' },
        prefix: {
          type: 'string',
          maxLength: 50,
          description: 'Stands before the signature, such as `sha256=`.',
        },
        timestampHeader: headerName('The header that holds the time of signing, in seconds since 1970.'),
        text: {
          type: 'string',
          maxLength: 200,
          pattern: '^[\\x20-\\x7e]*$',
          description:
            'What is signed; default `{timestamp}.{body}` with a `timestampHeader`, else `{body}`.',
        },
      },
    },
    toleranceS: {
      type: 'integer',
      minimum: 1,
      maximum: 86_400,
      description: 'How far a signed time may be from now; older requests are replays. Default 300.',
    },
    methods: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { enum: METHODS },
      description: 'Default POST alone.',
    },
    mode: {
      enum: ['async', 'sync'],
      description:
        '`async`: the sender gets 202 once the call is durable. `sync`: it gets the answer of the function. Default async.',
    },
    deduplicate: {
      enum: ['id', 'body', 'none'],
      description:
        'What makes two requests the same one: the id that the sender gives, or the body. A second one within a day is no call. Default id.',
    },
    idHeader: headerName('The header with the id of a delivery, for senders that are not known by name.'),
    typeHeader: headerName('The header with the type of an event, for senders that are not known by name.'),
    filter: {
      type: 'object',
      additionalProperties: false,
      description: 'Requests that do not fit are answered 200 and are no calls.',
      properties: {
        headers: {
          type: 'object',
          maxProperties: FILTERS_MAX,
          propertyNames: { pattern: FIELD_NAME, maxLength: 100 },
          additionalProperties: { type: 'array', minItems: 1, maxItems: 50, items: { type: 'string' } },
          description: 'Values that a header may have.',
        },
        fields: {
          type: 'object',
          maxProperties: FILTERS_MAX,
          propertyNames: { maxLength: 200 },
          additionalProperties: {
            type: 'array',
            minItems: 1,
            maxItems: 50,
            items: { type: ['string', 'number', 'boolean'] },
          },
          description:
            'Values that may stand at a dotted path of the body, such as `action` or `repository.name`.',
        },
        attributes: {
          type: 'object',
          description:
            'A CloudEvents filter on the attributes of the event: exact, prefix, suffix, all, any, not.',
        },
      },
    },
    limits: GATE_LIMITS_SCHEMA,
    record: RECORD_SCHEMA,
  },
  examples: [
    {
      signature: 'github',
      secrets: ['a long random text'],
      filter: { headers: { 'x-github-event': ['push'] }, fields: { ref: ['refs/heads/main'] } },
    },
  ],
} as const

type Given = Partial<
  Omit<WebhookConfig, 'hmac' | 'limits' | 'record'> & {
    hmac: Partial<HmacScheme>
    limits: Partial<GateLimits>
    record: Partial<RecordLimits>
  }
>

/** Completes what fits the schema, or says what is wrong with it beyond that. Pure. */
export function checkWebhook(given: Readonly<Record<string, unknown>>): CheckedConfig {
  const input = given as Given
  const errors: InputError[] = []
  const signature = input.signature ?? 'none'
  const secrets = input.secrets ?? []
  if (signature === 'none' && secrets.length > 0)
    errors.push({ pointer: 'secrets', detail: 'would not be used with the signature "none"' })
  if (signature !== 'none' && secrets.length === 0)
    errors.push({
      pointer: 'secrets',
      detail: `must hold the secret that ${signature} requests are checked with`,
    })
  if (signature === 'basic' && !secrets.every(each => /^[^:]+:./.test(each)))
    errors.push({ pointer: 'secrets', detail: 'must be of the form user:password for basic' })
  if (signature === 'standard' && !secrets.every(isWhsec))
    errors.push({ pointer: 'secrets', detail: 'must be whsec_ and Base64 for Standard Webhooks' })
  if ((signature === 'hmac') !== (input.hmac !== undefined))
    errors.push({ pointer: 'hmac', detail: 'goes with the signature "hmac", and that with it' })
  const hmac = input.hmac && completeHmac(input.hmac, errors)
  if (input.filter?.attributes !== undefined)
    errors.push(...filterErrors(input.filter.attributes, 'filter/attributes').map(dotted))
  if (errors.length > 0) return { errors }
  const config: WebhookConfig = {
    signature,
    ...(secrets.length > 0 && { secrets }),
    ...(hmac && { hmac }),
    toleranceS: input.toleranceS ?? 300,
    methods: input.methods ?? ['POST'],
    mode: input.mode ?? 'async',
    deduplicate: input.deduplicate ?? 'id',
    ...(input.idHeader !== undefined && { idHeader: input.idHeader.toLowerCase() }),
    ...(input.typeHeader !== undefined && { typeHeader: input.typeHeader.toLowerCase() }),
    ...(input.filter && { filter: completeFilter(input.filter) }),
    limits: { ...GATE_LIMITS_DEFAULT, ...input.limits },
    record: { ...RECORD_DEFAULT, ...input.record },
  }
  return { config: { ...config } }
}

/** What the host gives back of a trigger is what `checkWebhook` made. */
export function webhookConfig(config: Readonly<Record<string, unknown>>): WebhookConfig {
  return config as unknown as WebhookConfig
}

export function isWhsec(secret: string): boolean {
  return /^(?:whsec_)?(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(secret)
}

function completeHmac(given: Partial<HmacScheme>, errors: InputError[]): HmacScheme {
  const { header = '', timestampHeader } = given
  const text = given.text ?? (timestampHeader === undefined ? '{body}' : '{timestamp}.{body}')
  if (text.split('{body}').length !== 2)
    errors.push({ pointer: 'hmac.text', detail: 'must hold {body} once' })
  if (text.includes('{timestamp}') !== (timestampHeader !== undefined))
    errors.push({
      pointer: 'hmac.text',
      detail:
        'must hold {timestamp} when there is a timestampHeader, and only then: a time that is not signed proves nothing',
    })
  return {
    header: header.toLowerCase(),
    algorithm: given.algorithm ?? 'sha256',
    encoding: given.encoding ?? 'hex',
    prefix: given.prefix ?? '',
    ...(timestampHeader !== undefined && { timestampHeader: timestampHeader.toLowerCase() }),
    text,
  }
}

function completeFilter({ headers, fields, attributes }: WebhookFilter): WebhookFilter {
  return {
    ...(headers && {
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, values]) => [name.toLowerCase(), values]),
      ),
    }),
    ...(fields && { fields }),
    ...(attributes && { attributes: checkFilter(attributes, 'filter/attributes') }),
  }
}

function dotted({ pointer, detail }: InputError): InputError {
  return { pointer: pointer.replaceAll('/', '.'), detail }
}
