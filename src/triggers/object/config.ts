import type { Static } from 'typebox'
import { type InputError, Type } from '../../core/index.ts'
import { pollConfig, pollErrors } from './poll/config.ts'

const NAME_LENGTH_MAX = 1_024

export const OBJECT_SOURCES = ['swift-middleware', 'notifications', 's3', 'poll'] as const

const SWIFT_METHODS = ['PUT', 'POST', 'DELETE', 'COPY'] as const

const text = (description: string) => Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX, description })

const swift = Type.Object(
  {
    account: Type.Optional(text('Only events of this account, for example `AUTH_<project id>`.')),
    passToken: Type.Optional(
      Type.Boolean({
        description:
          "The function gets the uploader's token as `x-auth-token`, and it is kept with the call. Without it the token is thrown away at the door.",
      }),
    ),
  },
  { additionalProperties: false, description: 'For `swift-middleware`.' },
)

const notifications = Type.Object(
  {
    url: text('Of the message bus: `amqp://` or `amqps://`, host, port and virtual host.'),
    username: Type.Optional(text('A user of the bus.')),
    password: Type.Optional(text('Its password; kept sealed.')),
    exchange: Type.Optional(text('The exchange that Swift tells; `swift` when not given.')),
    routingKey: Type.Optional(text('`notifications.info` when not given.')),
    queue: Type.Optional(
      text(
        "The trigger's own queue; `atelier-` and the trigger's id when not given. Never one of another reader.",
      ),
    ),
    projects: Type.Array(text('A Keystone project, by id.'), {
      minItems: 1,
      maxItems: 100,
      description: 'Only events in the accounts of these projects.',
    }),
    strangers: Type.Optional(
      Type.Boolean({
        description: 'Also what users of other projects do in these accounts, and anonymous ones.',
      }),
    ),
    methods: Type.Optional(
      Type.Array(Type.Enum([...SWIFT_METHODS]), {
        minItems: 1,
        maxItems: SWIFT_METHODS.length,
        description: 'Requests that are events; PUT and DELETE when not given.',
      }),
    ),
  },
  { additionalProperties: false, description: 'For `notifications`.' },
)

const s3 = Type.Object(
  {
    token: Type.Optional(
      text(
        'What the sender must show: a bearer token (`auth_token` of MinIO) or the password of its URL (Ceph RGW). Kept sealed.',
      ),
    ),
    eventNames: Type.Optional(
      Type.Array(text('A name, with or without `s3:`; `*` at its end stands for the rest.'), {
        minItems: 1,
        maxItems: 20,
        description: '`ObjectCreated:*` and `ObjectRemoved:*` when not given.',
      }),
    ),
    plainKeys: Type.Optional(
      Type.Boolean({ description: 'Keys arrive as they are. Otherwise they are URL-decoded.' }),
    ),
  },
  { additionalProperties: false, description: 'For `s3`.' },
)

/** `config` of a trigger of kind object. What belongs to one source is in the member of its name. */
export const objectConfig = Type.Object(
  {
    source: Type.Enum([...OBJECT_SOURCES], {
      description:
        "`swift-middleware`: Swift's proxy calls the trigger's URL (`X-Function-URL`). `notifications`: Swift's notifications on OpenStack's message bus. `s3`: S3 event notifications at the trigger's URL. `poll`: lists a container or bucket again and again.",
    }),
    container: Type.Optional(text('Only this container or bucket. `poll` needs it.')),
    prefix: Type.Optional(text('Only objects whose name begins so.')),
    suffix: Type.Optional(text('Only objects whose name ends so.')),
    segments: Type.Optional(
      Type.Boolean({
        description:
          'Also containers that hold the segments of large objects: their name ends in `_segments` or `+segments`.',
      }),
    ),
    swift: Type.Optional(swift),
    notifications: Type.Optional(notifications),
    s3: Type.Optional(s3),
    poll: Type.Optional(pollConfig),
  },
  {
    additionalProperties: false,
    examples: [
      { source: 's3', container: 'photos', suffix: '.jpg', s3: { token: 'a-long-secret' } },
      { source: 'swift-middleware', container: 'uploads' },
    ],
  },
)

export type ObjectConfig = Static<typeof objectConfig>
export type NotificationsConfig = Static<typeof notifications>

/** What is wrong beyond the schema. Pure. */
export function configErrors(config: ObjectConfig): InputError[] {
  const errors: InputError[] = []
  const { source } = config
  const mine = source === 'swift-middleware' ? 'swift' : source
  for (const member of ['swift', 'notifications', 's3', 'poll'] as const)
    if (config[member] !== undefined && member !== mine)
      errors.push({ pointer: member, detail: `has no meaning with source ${source}` })
  if (source === 'notifications') {
    if (config.notifications === undefined)
      errors.push({
        pointer: 'notifications',
        detail: 'is needed with source notifications: url and projects',
      })
    else errors.push(...busErrors(config.notifications))
  }
  if (source === 'poll') {
    if (config.container === undefined)
      errors.push({
        pointer: 'container',
        detail: 'is needed with source poll: the container or bucket to list',
      })
    if (config.poll === undefined)
      errors.push({ pointer: 'poll', detail: 'is needed with source poll: where the container is' })
    else errors.push(...pollErrors(config.poll))
  }
  if (source !== 'poll' && config.container?.includes('/'))
    errors.push({ pointer: 'container', detail: 'is a name without "/"' })
  return errors
}

function busErrors({ url: given, username, password }: NotificationsConfig): InputError[] {
  const pointer = 'notifications.url'
  const url = URL.parse(given)
  if (url === null || !['amqp:', 'amqps:'].includes(url.protocol) || url.hostname === '')
    return [{ pointer, detail: 'must be like amqp://host:5672/virtual-host' }]
  if (url.username !== '' || url.password !== '')
    return [
      {
        pointer,
        detail:
          'must not hold a user: give notifications.username and notifications.password, which is sealed',
      },
    ]
  if (url.search !== '' || url.hash !== '')
    return [{ pointer, detail: 'must not hold a query or a fragment' }]
  if ((username === undefined) !== (password === undefined))
    return [{ pointer: 'notifications.username', detail: 'and notifications.password belong together' }]
  return []
}
