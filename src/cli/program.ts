import { Command, Option } from 'commander'
import { CATALOGUE, type CatalogueEntry } from './catalogue.ts'
import type { Context } from './context.ts'
import { type CliFailure, usage } from './failure.ts'
import { GLOBAL_OPTIONS } from './globals.ts'
import { nearest } from './nearest.ts'
import { Options } from './options.ts'
import { type CommandSpec, type GroupSpec, isGroup, type OptionSpec } from './spec.ts'

/**
 * The commander program for one command line. Only the command that is meant gets loaded; of the others commander knows the
 * names, enough to list them and to guess what a wrong one should have been.
 */
export async function createProgram(argv: readonly string[], context: Context): Promise<Command> {
  const program = withLooks(new Command('atelier'), context)
    .description('Functions-as-a-Service for private clouds: source code in, a URL out.')
    .usage('<command> [arguments] [options]')
    .addHelpCommand(
      new Command('help')
        .argument('[command]')
        .summary('Show what a command does')
        .helpGroup('This program:'),
    )
    .version(context.version, '-V, --version', 'Print the version')
    .helpOption('-h, --help', 'Show this help')
  // Taken before the command as well as after it, and explained with each command.
  for (const spec of GLOBAL_OPTIONS) program.addOption(optionFrom(spec).hideHelp())
  program.addHelpText(
    'after',
    `\nBegin with:\n  atelier init nodejs-hello hello\n  atelier deploy hello\n\nMore on each command: atelier help <command>`,
  )
  const [first, second] = operandPositions(argv).map(position => argv[position])
  const wanted = find(first === 'help' ? second : first)
  if (first === 'help' && second !== undefined && second !== 'help' && !wanted) throw unknownCommand(second)
  for (const entry of CATALOGUE) {
    const command = entry === wanted ? commandFrom(await entry.load(), context) : new Command(entry.name)
    command.summary(entry.summary).helpGroup(entry.group)
    for (const alias of entry.aliases ?? []) if (!command.aliases().includes(alias)) command.alias(alias)
    program.addCommand(command, { hidden: entry.hidden ?? false })
  }
  return program
}

function unknownCommand(name: string): CliFailure {
  const meant = nearest(
    name,
    CATALOGUE.filter(one => !one.hidden).map(one => one.name),
  )
  return usage(`unknown command '${name}'`, meant ? `Did you mean ${meant}?` : '"atelier help" lists them.')
}

/** The command line as it is meant: a noun alone becomes its list, and help is shown of the inner command that it names. */
export function expand(argv: readonly string[]): string[] {
  const [position, ...more] = operandPositions(argv)
  if (position !== undefined && argv[position] === 'help' && more.length > 1)
    return [...more.map(at => argv[at]!), '--help']
  const alone = position === undefined ? undefined : find(argv[position])?.alone
  if (
    position === undefined ||
    !alone ||
    more.length > 0 ||
    argv.some(one => one === '-h' || one === '--help')
  )
    return [...argv]
  return argv.toSpliced(position, 1, ...alone)
}

/** Where the words of a command line are that are neither options nor values of global options. */
function operandPositions(argv: readonly string[]): number[] {
  const taking = new Set(
    GLOBAL_OPTIONS.filter(option => option.flags.includes('<')).flatMap(
      option => option.flags.match(/--?[\w-]+/g) ?? [],
    ),
  )
  const found: number[] = []
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--') break
    if (!word.startsWith('-')) found.push(i)
    else if (taking.has(word)) i++
  }
  return found
}

function find(name: string | undefined): CatalogueEntry | undefined {
  return CATALOGUE.find(entry => entry.name === name || entry.aliases?.includes(name ?? ''))
}

function commandFrom(spec: CommandSpec | GroupSpec, context: Context): Command {
  const command = withLooks(new Command(spec.name), context).summary(spec.summary)
  for (const alias of spec.aliases ?? []) command.alias(alias)
  if (!isGroup(spec)) return leaf(command, spec, context)
  command
    .description(`${spec.summary}.`)
    .usage('<command> [arguments] [options]')
    .helpOption('-h, --help', 'Show this help')
  for (const one of spec.commands) command.addCommand(commandFrom(one, context))
  return command
}

function leaf(command: Command, spec: CommandSpec, context: Context): Command {
  command.description(spec.details ? `${spec.summary}.\n\n${unwrapped(spec.details)}` : `${spec.summary}.`)
  for (const arg of spec.args ?? []) command.argument(arg.syntax, arg.help)
  addOptions(command, spec.options ?? [], 'Options:')
  addOptions(command, GLOBAL_OPTIONS, 'Options for every command:')
  command.helpOption('-h, --help', 'Show this help')
  command.addHelpText(
    'after',
    `\nExamples:\n${spec.examples.map(([line, does]) => `  $ ${line}\n      ${does}`).join('\n')}`,
  )
  return command.action(async () => {
    const values = command.optsWithGlobals()
    const options = new Options(values)
    context.configure(options)
    const many = spec.args?.at(-1)?.syntax.includes('...') ?? false
    const fixed = many ? spec.args!.length - 1 : (spec.args?.length ?? 0)
    const args = Array.from({ length: fixed }, (_, i) => command.args[i])
    await spec.run({ context, args, rest: many ? command.args.slice(fixed) : [], options })
  })
}

/** Paragraphs as single lines: the help wraps them to the terminal. */
export function unwrapped(text: string): string {
  return text.replace(/(?<!\n)\n(?!\n)/g, ' ')
}

function addOptions(command: Command, specs: readonly OptionSpec[], group: string): void {
  for (const spec of specs) {
    command.addOption(optionFrom(spec).helpGroup(group))
  }
}

function optionFrom(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.help)
  if (spec.choices) option.choices(spec.choices)
  if (spec.repeats)
    option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value])
  return option
}

function withLooks(command: Command, context: Context): Command {
  const { bold } = context.styles
  const { dim, red } = context.noteStyles
  return command
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureHelp({ styleTitle: bold, showGlobalOptions: false, subcommandTerm: one => one.name() })
    .configureOutput({
      getOutHasColors: () => context.colour,
      getErrHasColors: () => context.colour,
      outputError: (text, write) => {
        // Commander puts what it guesses in brackets below; where it guesses nothing, there is a way out all the same.
        const guess = /^\((Did you mean .*\?)\)$/m
        const hint = guess.exec(text)?.[1] ?? `"${pathOf(command)} --help" shows how it is written.`
        write(
          `${text
            .replace(guess, '')
            .trimEnd()
            .replace(/^error:/, red('error:'))}\n${dim('hint:')} ${hint}\n`,
        )
      },
    })
}

/** As it is typed: `atelier trigger create`. */
function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()
}
