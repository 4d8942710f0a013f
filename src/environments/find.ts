import { existsSync } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { AtelierError } from '../core/index.ts'
import type { Environment } from './environment.ts'

const MODULES = ['environment.ts', 'environment.mjs', 'environment.js']
const NAME = /^[a-z][a-z0-9-]{0,39}$/

/**
 * The languages of a folder of the operator's own; `known` have their names already. Rejects with INVALID_INPUT that names the file
 * where one cannot be used, and where others could put code into the server.
 */
export async function findEnvironments(
  folder: string,
  known: readonly Environment[],
): Promise<readonly Environment[]> {
  const entries = await readdir(folder).catch((error: unknown) => {
    throw wrong(folder, `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  })
  for (const path of [folder, ...entries.map(entry => join(folder, entry))]) {
    const { uid, mode } = await lstat(path)
    if ((uid !== 0 && uid !== process.getuid?.()) || (mode & 0o022) !== 0)
      throw wrong(path, 'belongs to somebody else, or others may write to it')
  }
  return environmentsIn(folder, known)
}

/**
 * Every language below a folder: each folder in it with an `environment.ts` (or `.mjs`, `.js`) that exports an Environment. Those
 * whose instances are always kept ready come first.
 */
export async function environmentsIn(
  folder: string,
  known: readonly Environment[] = [],
): Promise<readonly Environment[]> {
  const entries = await readdir(folder)
  const found: Environment[] = []
  for (const entry of entries.toSorted()) {
    const file = MODULES.map(name => join(folder, entry, name)).find(path => existsSync(path))
    if (file === undefined) continue
    const environment = await environmentIn(file)
    if ([...known, ...found].some(each => each.name === environment.name))
      throw wrong(file, `there is an environment ${JSON.stringify(environment.name)} already`)
    found.push(environment)
  }
  const isKept = ({ startsWithCode, warmsWhenUsed }: Environment) => !startsWithCode && !warmsWhenUsed
  return [...found.filter(isKept), ...found.filter(each => !isKept(each))]
}

/** Those that these files are of; one that yields is only meant when no other is. */
export function detectedOf(
  environments: readonly Environment[],
  files: readonly string[],
): readonly Environment[] {
  const detected = environments.filter(each => each.detects(files))
  const meant = detected.filter(each => each.yields !== true)
  return meant.length > 0 ? meant : detected
}

async function environmentIn(file: string): Promise<Environment> {
  const module = (await import(pathToFileURL(file).href).catch((error: unknown) => {
    throw wrong(file, `cannot be loaded: ${String(error)}`)
  })) as Readonly<Record<string, unknown>>
  const environment = Object.values(module).find(isLikeOne)
  if (environment === undefined) throw wrong(file, 'exports no object with a "probe"')
  const missing = lackOf(environment)
  if (missing !== undefined) throw wrong(file, `its environment ${missing}`)
  return environment as unknown as Environment
}

function isLikeOne(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && 'probe' in value
}

/** What an environment written by somebody else lacks, as the rest of a sentence. */
function lackOf(environment: Readonly<Record<string, unknown>>): string | undefined {
  const { name } = environment
  if (typeof name !== 'string' || !NAME.test(name))
    return 'needs a name of lower-case letters, digits and hyphens'
  for (const field of ['description', 'contract', 'entryHelp'])
    if (typeof environment[field] !== 'string') return `needs a text as "${field}"`
  for (const field of ['probe', 'detects', 'defaultEntry', 'buildPlan'])
    if (typeof environment[field] !== 'function') return `needs a function "${field}"`
  return undefined
}

function wrong(place: string, detail: string): AtelierError {
  return new AtelierError('INVALID_INPUT', `${place}: ${detail} (docs/adding-a-language.md).`)
}
