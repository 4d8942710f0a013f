import type { Static } from 'typebox'
import { type InputError, Type } from '../../../core/index.ts'

export const INTERVAL_MS_DEFAULT = 60_000
const INTERVAL_MS_MIN = 1_000
const INTERVAL_MS_MAX = 7 * 24 * 3_600_000
const TEXT_LENGTH_MAX = 1_024

const CHANGES = ['new', 'changed', 'deleted'] as const
export type Change = (typeof CHANGES)[number]

const text = (description: string) => Type.String({ minLength: 1, maxLength: TEXT_LENGTH_MAX, description })

const swift = Type.Object(
  {
    authUrl: text('Of Keystone, with or without `/v3`.'),
    username: Type.Optional(text('A user, by name.')),
    userDomain: Type.Optional(text("The user's domain, by name; `Default` when not given.")),
    password: Type.Optional(text("The user's password; kept sealed.")),
    project: Type.Optional(text('The project whose container it is, by name.')),
    projectDomain: Type.Optional(text("The project's domain, by name; the user's when not given.")),
    applicationCredentialId: Type.Optional(text('Instead of a user.')),
    applicationCredentialSecret: Type.Optional(text('Its secret; kept sealed.')),
    region: Type.Optional(text('Where the catalogue has several.')),
    interface: Type.Optional(
      Type.Enum(['public', 'internal', 'admin'], { description: '`public` when not given.' }),
    ),
    storageUrl: Type.Optional(text("The account's URL, instead of the one in the catalogue.")),
  },
  { additionalProperties: false, description: 'A Swift container, with credentials of Keystone.' },
)

const s3 = Type.Object(
  {
    endpoint: text('`http://` or `https://`, host and port.'),
    region: Type.Optional(text('`us-east-1` when not given.')),
    accessKey: text('The access key.'),
    secretKey: text('Its secret; kept sealed.'),
    virtualHost: Type.Optional(
      Type.Boolean({ description: 'The bucket is part of the host name, as AWS wants it, not of the path.' }),
    ),
  },
  { additionalProperties: false, description: 'A bucket of a server that speaks S3.' },
)

export const pollConfig = Type.Object(
  {
    intervalMs: Type.Optional(
      Type.Integer({
        minimum: INTERVAL_MS_MIN,
        maximum: INTERVAL_MS_MAX,
        description: 'From the end of one listing to the beginning of the next; a minute when not given.',
      }),
    ),
    first: Type.Optional(
      Type.Enum(['new-only', 'all'], {
        description:
          'Whether objects that are there at the first listing are events; `new-only` when not given.',
      }),
    ),
    events: Type.Optional(
      Type.Array(Type.Enum([...CHANGES]), {
        minItems: 1,
        maxItems: CHANGES.length,
        description:
          '`new` and `changed` when not given. Any other choice has to remember each object, so it works up to 5,000 of them.',
      }),
    ),
    swift: Type.Optional(swift),
    s3: Type.Optional(s3),
  },
  { additionalProperties: false, description: 'For `poll`; with either `swift` or `s3`.' },
)

export type PollConfig = Static<typeof pollConfig>
export type SwiftPlace = Static<typeof swift>
export type S3Place = Static<typeof s3>

/** What is wrong with it beyond the schema. Pure. */
export function pollErrors({ swift: swiftPlace, s3: s3Place }: PollConfig): InputError[] {
  if ((swiftPlace === undefined) === (s3Place === undefined))
    return [{ pointer: 'poll', detail: 'needs either swift or s3: where the container is' }]
  if (s3Place !== undefined) return urlErrors('poll.s3.endpoint', s3Place.endpoint)
  return [
    ...urlErrors('poll.swift.authUrl', swiftPlace!.authUrl),
    ...storageErrors(swiftPlace!),
    ...credentialErrors(swiftPlace!),
  ]
}

function storageErrors({ storageUrl }: SwiftPlace): InputError[] {
  return storageUrl === undefined ? [] : urlErrors('poll.swift.storageUrl', storageUrl)
}

function credentialErrors(place: SwiftPlace): InputError[] {
  const user = [place.username, place.password, place.project]
  const credential = [place.applicationCredentialId, place.applicationCredentialSecret]
  const hasAll = (each: readonly unknown[]): boolean => each.every(value => value !== undefined)
  const hasNone = (each: readonly unknown[]): boolean => each.every(value => value === undefined)
  if ((hasAll(user) && hasNone(credential)) || (hasNone(user) && hasAll(credential))) return []
  return [
    {
      pointer: 'poll.swift',
      detail:
        'needs either username, password and project, or applicationCredentialId and applicationCredentialSecret',
    },
  ]
}

function urlErrors(pointer: string, given: string): InputError[] {
  const url = URL.parse(given)
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    return [{ pointer, detail: 'must be an http:// or https:// URL' }]
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return [{ pointer, detail: 'must be without user, query and fragment' }]
  return []
}
