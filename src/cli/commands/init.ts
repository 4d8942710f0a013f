import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { nameFromPath } from '../deploy/pack.ts'
import { CliFailure, EXIT, usage } from '../failure.ts'
import { nearest } from '../nearest.ts'
import type { CommandSpec } from '../spec.ts'
import { TEMPLATES_FOLDER, templateNames } from '../templates.ts'

const TEMPLATE_DEFAULT = 'nodejs-hello'

export const init: CommandSpec = {
  name: 'init',
  summary: 'Begin a function from a template',
  details: 'Makes a folder that can be deployed as it is. Nothing that exists is overwritten.',
  args: [
    {
      syntax: '[template]',
      help: `What to begin with (default: ${TEMPLATE_DEFAULT}; --list shows all)`,
      completes: 'template',
    },
    { syntax: '[folder]', help: 'Where to (default: a folder named like the template)', completes: 'file' },
  ],
  options: [{ flags: '--list', help: 'List the templates' }],
  examples: [
    ['atelier init', 'the plainest function, in ./nodejs-hello'],
    ['atelier init nodejs-api shop', 'an API in ./shop'],
    ['atelier init --list', 'what there is'],
  ],
  async run({ context, args, options }) {
    if (options.flag('list')) {
      const items = await Promise.all(
        templateNames().map(async name => ({ name, description: await describe(name) })),
      )
      return await context.list(
        items,
        [
          { title: 'TEMPLATE', cell: one => one.name },
          { title: 'DESCRIPTION', cell: one => one.description },
        ],
        'There are no templates.',
      )
    }
    const template = args[0] ?? TEMPLATE_DEFAULT
    if (!templateNames().includes(template)) {
      const meant = nearest(template, templateNames())
      throw usage(
        `there is no template ${JSON.stringify(template)}`,
        meant ? `Did you mean ${meant}?` : `There are ${templateNames().join(', ')}.`,
      )
    }
    const folder = resolve(args[1] ?? template)
    const shown = relative(process.cwd(), folder) || '.'
    const name = nameFromPath(folder)
    if (name === undefined)
      throw usage(`${shown} gives no name for a function`, 'Use another folder name, with letters or digits.')
    await copyTemplate(template, folder, shown)
    await setName(join(folder, 'atelier.json'), name)
    const { readDevProject } = await import('../dev/project.ts')
    const runsHere = await readDevProject(folder, context.env).then(
      () => true,
      () => false, // what is made by a build
    )
    await context.result({ template, folder, name }, () => [
      `${shown} is ready. Next:`,
      ...(runsHere ? [`  atelier dev ${shown}`] : []),
      `  atelier deploy ${shown}`,
    ])
  },
}

async function copyTemplate(template: string, folder: string, shown: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const source = join(TEMPLATES_FOLDER, template)
  const existing = new Set(await readdir(folder))
  const names = await readdir(source)
  const taken = names.filter(name => existing.has(name))
  if (taken.length > 0)
    throw new CliFailure(EXIT.conflict, `${shown} has ${taken.join(', ')} already`, {
      hint: `Nothing was written. Name another folder: atelier init ${template} FOLDER.`,
    })
  for (const name of names)
    await cp(join(source, name), join(folder, name), { recursive: true, errorOnExist: true, force: false })
}

async function setName(path: string, name: string): Promise<void> {
  const manifest = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  await writeFile(path, `${JSON.stringify({ ...manifest, name }, null, 2)}\n`)
}

async function describe(template: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(TEMPLATES_FOLDER, template, 'atelier.json'), 'utf8')) as {
    description?: string
  }
  return manifest.description ?? ''
}
