import { checkName } from '../../core/index.ts'
import type { WireTrigger } from '../client/wire.ts'
import { CliFailure, EXIT, usage } from '../failure.ts'
import { parsePlainReference, parseReference } from '../reference.ts'
import type { CommandSpec, GroupSpec } from '../spec.ts'
import { confirm, LIMIT_OPTION, limitOf, YES_OPTION } from './common.ts'
import { eventCommands, pathOf, TRIGGER_ARG } from './trigger-events.ts'
import {
  EVENT_OPTIONS,
  eventInput,
  isEventInput,
  kindOf,
  ROUTE_OPTIONS,
  ROUTE_REMOVALS,
  routeInput,
  routeRemovals,
} from './trigger-input.ts'
import { describeTrigger, stateOf, summaryOf } from './trigger-view.ts'

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List triggers',
  options: [
    { flags: '--app <app>', help: 'Only those of one app' },
    { flags: '--function <function>', help: 'Only those of one function: NAME or APP/NAME' },
    { flags: '--kind <kind>', help: 'Only those of one kind: http, schedule, …' },
    LIMIT_OPTION,
  ],
  examples: [
    ['atelier trigger list', 'all of the project'],
    ['atelier trigger list --kind schedule', 'the schedules'],
  ],
  async run({ context, options }) {
    const asked = options.text('function')
    const reference = asked === undefined ? undefined : parsePlainReference(asked, options.text('app'))
    const query = {
      app: reference?.app ?? options.text('app'),
      function: reference?.name,
      kind: options.text('kind'),
    }
    const items = await (await context.client()).all<WireTrigger>('/v1/triggers', query, limitOf(options))
    await context.list(
      items,
      [
        { title: 'NAME', cell: one => one.name },
        { title: 'KIND', cell: one => one.kind },
        { title: 'WHAT', cell: summaryOf },
        { title: 'FUNCTION', cell: one => `${one.app}/${one.function}:${one.alias}` },
        { title: 'STATE', cell: stateOf },
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
    await context.result(one, () => describeTrigger(one))
  },
}

const create: CommandSpec = {
  name: 'create',
  summary: 'Have a function called: by a route of its own, a clock, or other events',
  args: [
    TRIGGER_ARG,
    { syntax: '[function]', help: 'NAME, APP/NAME or APP/NAME:ALIAS', completes: 'function' },
  ],
  options: [
    { flags: '--function <function>', help: 'The function, where it reads better so' },
    { flags: '--kind <kind>', help: 'What makes the events; "atelier trigger kinds" lists them' },
    ...ROUTE_OPTIONS,
    ...EVENT_OPTIONS,
    { flags: '--paused', help: 'Take no events yet' },
  ],
  examples: [
    ['atelier trigger create thumbs shop/thumbnail --path /thumbs --method POST', 'POST /thumbs calls it'],
    ['atelier trigger create api shop/api --path "/api/*" --strip-prefix', 'everything below /api'],
    [
      'atelier trigger create site shop/site:beta --path "/*" --host beta.example.org',
      'a whole host, for one alias',
    ],
    [
      'atelier trigger create nightly --schedule "0 3 * * *" --zone Europe/Berlin --function shop/report',
      'every night at three',
    ],
    ['atelier trigger create poll shop/poll --schedule "@every 90s" -c overlap=skip', 'one at a time'],
  ],
  async run({ context, args, options }) {
    checkName(args[0]!, 'trigger')
    const target = args[1] ?? options.text('function')
    if (target === undefined) throw usage('a trigger needs a function', 'Name it: APP/NAME.')
    if (args[1] !== undefined && options.text('function') !== undefined)
      throw usage('the function is named twice', 'Leave --function out.')
    const { app, name, qualifier } = parseReference(target)
    const isEvent = isEventInput(options)
    if (!isEvent && options.text('path') === undefined)
      throw usage('it is not said what calls the function', 'Give --path /something, --schedule or --kind.')
    const json = {
      name: args[0]!,
      app,
      function: name,
      ...(qualifier && { alias: qualifier }),
      ...(isEvent
        ? {
            kind: kindOf(options),
            ...(await eventInput(options, false)),
            ...(options.flag('paused') && { paused: true }),
          }
        : routeInput(options)),
    }
    const client = await context.client()
    const one = await client
      .request<WireTrigger>('POST', '/v1/triggers', { json })
      .catch(error => Promise.reject(isEvent ? withConfigHint(error, kindOf(options)) : error))
    await context.result(one, () => [one.url ?? `Trigger ${one.name} is created.`])
  },
}

const update: CommandSpec = {
  name: 'update',
  summary: 'Change a trigger',
  details: 'Of a configuration, only the fields that are given change; KEY=null removes one.',
  args: [TRIGGER_ARG],
  options: [
    ...ROUTE_OPTIONS,
    ...ROUTE_REMOVALS,
    ...EVENT_OPTIONS,
    { flags: '--function <function>', help: 'Call another function: NAME, APP/NAME or APP/NAME:ALIAS' },
  ],
  examples: [
    ['atelier trigger update thumbs --function shop/thumbnail:beta', 'send its calls to another alias'],
    ['atelier trigger update nightly --schedule "30 4 * * *"', 'another time'],
    ['atelier trigger update thumbs --default-access --without-cors', 'as if they had never been set'],
  ],
  async run({ context, args, options }) {
    const target = options.text('function')
    const reference = target === undefined ? undefined : parseReference(target)
    const input = isEventInput(options) ? await eventInput(options, true) : routeInput(options)
    const json = {
      ...(reference && {
        app: reference.app,
        function: reference.name,
        ...(reference.qualifier && { alias: reference.qualifier }),
      }),
      ...input,
      ...routeRemovals(options, input),
    }
    if (Object.keys(json).length === 0)
      throw usage('nothing to change', '"atelier trigger update --help" lists what can be.')
    const one = await (await context.client()).request<WireTrigger>('PATCH', pathOf(args[0]!), { json })
    await context.result(one, () => [`Trigger ${one.name} is updated.`])
  },
}

const remove: CommandSpec = {
  name: 'delete',
  aliases: ['rm'],
  summary: 'Delete a trigger; its function stays',
  args: [TRIGGER_ARG],
  options: [YES_OPTION],
  examples: [['atelier trigger delete thumbs', 'the trigger thumbs']],
  async run({ context, args, options }) {
    await confirm(context, options, `Delete the trigger ${args[0]}?`)
    await (await context.client()).request('DELETE', pathOf(args[0]!))
    context.note(`Trigger ${args[0]} is deleted.`)
  },
}

/** A refusal of a configuration, with where to read what it may hold. */
function withConfigHint(error: unknown, kind: string): unknown {
  if (!(error instanceof CliFailure) || error.exitCode !== EXIT.usage || !error.message.startsWith('config'))
    return error
  return new CliFailure(error.exitCode, error.message, {
    details: error.details,
    hint:
      error.hint ??
      `Fields are given with -c KEY=VALUE, lists as -c 'KEY=["a"]'; "atelier trigger kinds ${kind}" describes them.`,
    cause: error,
  })
}

export const trigger: GroupSpec = {
  name: 'trigger',
  aliases: ['triggers'],
  summary: 'Have functions called by routes, clocks and other events',
  commands: [list, show, create, update, remove, ...eventCommands],
}
