import { checkName } from '../../core/index.ts'
import type { WireTrigger } from '../client/wire.ts'
import { defined } from '../deploy/settings.ts'
import { usage } from '../failure.ts'
import type { Options } from '../options.ts'
import { renderFields } from '../output/table.ts'
import { parseReference } from '../reference.ts'
import type { ArgSpec, CommandSpec, GroupSpec, OptionSpec } from '../spec.ts'
import { LIMIT_OPTION, limitOf } from './common.ts'

const TRIGGER_ARG: ArgSpec = { syntax: '<trigger>', help: 'Name of the trigger', completes: 'trigger' }

const OPTIONS: readonly OptionSpec[] = [
  { flags: '--path <path>', help: '/a/b exactly, /a/{id} with parameters, /a/* for everything below' },
  { flags: '--host <host>', help: 'Only for this host name (default: any)' },
  { flags: '--method <method>', help: 'Only for this method; may be repeated (default: any)', repeats: true },
  { flags: '--strip-prefix', help: 'For a path with *: the function sees only what follows it' },
  { flags: '--public', help: 'Anybody may call it here, whatever the function says' },
  { flags: '--private', help: 'Only calls with a token get through here' },
  {
    flags: '--cors-origin <origin>',
    help: 'Web pages of this origin may call it ("*": of any); may be repeated',
    repeats: true,
  },
  { flags: '--cors-credentials', help: 'Such pages may send cookies and authorization' },
]

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List HTTP triggers',
  options: [
    { flags: '--app <app>', help: 'Only those of one app' },
    { flags: '--function <function>', help: 'Only those of one function of --app' },
    LIMIT_OPTION,
  ],
  examples: [['atelier trigger list', 'all of the project']],
  async run({ context, options }) {
    const query = { app: options.text('app'), function: options.text('function') }
    const items = await (await context.client()).all<WireTrigger>(
      '/v1/triggers',
      query,
      limitOf(options, Number.POSITIVE_INFINITY),
    )
    await context.list(
      items,
      [
        { title: 'NAME', cell: one => one.name },
        { title: 'HOST', cell: one => one.host ?? '*' },
        { title: 'METHODS', cell: one => one.methods.join(',') || '*' },
        { title: 'PATH', cell: one => one.path },
        { title: 'FUNCTION', cell: one => `${one.app}/${one.function}:${one.alias}` },
        { title: 'ACCESS', cell: one => one.access ?? '' },
      ],
      'There are no triggers. Without one, functions answer at /PROJECT/APP/FUNCTION.',
    )
  },
}

const show: CommandSpec = {
  name: 'show',
  summary: 'Show one trigger',
  args: [TRIGGER_ARG],
  examples: [['atelier trigger show thumbs', 'everything about it']],
  async run({ context, args }) {
    const one = await (await context.client()).get<WireTrigger>(pathOf(args[0]!))
    await context.result(one, () =>
      renderFields([
        ['name', one.name],
        ['url', one.url],
        ['host', one.host ?? 'any'],
        ['methods', one.methods.join(', ') || 'any'],
        ['path', one.path],
        ['strip prefix', one.stripPrefix ? 'yes' : 'no'],
        ['function', `${one.app}/${one.function}:${one.alias}`],
        ['access', one.access ?? "the function's own"],
        [
          'cors',
          one.cors &&
            `origins ${one.cors.origins.join(', ')}${one.cors.credentials ? ', with credentials' : ''}`,
        ],
      ]),
    )
  },
}

const create: CommandSpec = {
  name: 'create',
  summary: 'Give a function a route of its own',
  args: [
    TRIGGER_ARG,
    { syntax: '<function>', help: 'NAME, APP/NAME or APP/NAME:ALIAS', completes: 'function' },
  ],
  options: OPTIONS,
  examples: [
    ['atelier trigger create thumbs shop/thumbnail --path /thumbs --method POST', 'POST /thumbs calls it'],
    ['atelier trigger create api shop/api --path "/api/*" --strip-prefix', 'everything below /api'],
    [
      'atelier trigger create site shop/site:beta --path "/*" --host beta.example.org',
      'a whole host, for one alias',
    ],
  ],
  async run({ context, args, options }) {
    checkName(args[0]!, 'trigger')
    const { app, name, qualifier } = parseReference(args[1]!)
    if (options.text('path') === undefined) throw usage('a trigger needs a path', 'Give --path /something.')
    const json = {
      name: args[0]!,
      app,
      function: name,
      ...(qualifier && { alias: qualifier }),
      ...inputFrom(options),
    }
    const one = await (await context.client()).request<WireTrigger>('POST', '/v1/triggers', { json })
    await context.result(one, () => [one.url ?? `Trigger ${one.name} is created.`])
  },
}

const update: CommandSpec = {
  name: 'update',
  summary: 'Change a trigger',
  args: [TRIGGER_ARG],
  options: [
    ...OPTIONS,
    { flags: '--function <function>', help: 'Call another function: NAME, APP/NAME or APP/NAME:ALIAS' },
  ],
  examples: [
    ['atelier trigger update thumbs --function shop/thumbnail:beta', 'send its calls to another alias'],
  ],
  async run({ context, args, options }) {
    const target = options.text('function')
    const reference = target === undefined ? undefined : parseReference(target)
    const json = {
      ...(reference && {
        app: reference.app,
        function: reference.name,
        ...(reference.qualifier && { alias: reference.qualifier }),
      }),
      ...inputFrom(options),
    }
    if (Object.keys(json).length === 0)
      throw usage('nothing to change', '"atelier trigger update --help" lists what can be.')
    const one = await (await context.client()).request<WireTrigger>('PATCH', pathOf(args[0]!), { json })
    await context.result(one, () => [`Trigger ${one.name} is updated.`])
  },
}

function inputFrom(options: Options): Record<string, unknown> {
  const path = options.text('path')
  if (path !== undefined && !path.startsWith('/'))
    throw usage(`--path ${JSON.stringify(path)} does not begin with "/"`)
  if (options.flag('public') && options.flag('private'))
    throw usage('--public and --private cannot both be meant')
  const methods = options.list('method').map(method => method.toUpperCase())
  const origins = options.list('corsOrigin')
  return defined({
    path,
    host: options.text('host'),
    methods: methods.length > 0 ? methods : undefined,
    stripPrefix: options.flag('stripPrefix') ? true : undefined,
    access: options.flag('public') ? 'public' : options.flag('private') ? 'private' : undefined,
    cors:
      origins.length > 0
        ? { origins, ...(options.flag('corsCredentials') && { credentials: true }) }
        : undefined,
  })
}

const remove: CommandSpec = {
  name: 'delete',
  aliases: ['rm'],
  summary: 'Delete a trigger; its function stays',
  args: [TRIGGER_ARG],
  examples: [['atelier trigger delete thumbs', 'the trigger thumbs']],
  async run({ context, args }) {
    await (await context.client()).request('DELETE', pathOf(args[0]!))
    context.note(`Trigger ${args[0]} is deleted.`)
  },
}

function pathOf(name: string): string {
  checkName(name, 'trigger')
  return `/v1/triggers/${name}`
}

export const trigger: GroupSpec = {
  name: 'trigger',
  aliases: ['triggers'],
  summary: 'Give functions their own HTTP routes',
  commands: [list, show, create, update, remove],
}
