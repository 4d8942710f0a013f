import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type {
  Access,
  ChosenTier,
  ContractChoice,
  Cors,
  EventFormat,
  Limits,
  NetworkMode,
  Scaling,
} from '../../core/index.ts'
import { CliFailure, EXIT } from '../failure.ts'

/** A function's folder describes itself in `atelier.json` or `atelier.yaml`; every field is optional. */
export interface Manifest {
  readonly name?: string
  readonly app?: string
  readonly description?: string
  readonly environment?: string
  /** A name, or with the contract's settings. */
  readonly contract?: string | ContractChoice
  /** A container image instead of the folder's files. */
  readonly image?: string
  readonly imageSecret?: string
  readonly entry?: string
  readonly access?: Access
  readonly config?: Readonly<Record<string, string>>
  readonly secrets?: readonly string[]
  readonly limits?: Partial<Limits>
  readonly scaling?: Partial<Scaling>
  readonly network?: NetworkMode
  readonly isolation?: ChosenTier
  /** Roles that the deployer lends to the code. */
  readonly tokenRoles?: readonly string[]
  /** How asynchronous calls are treated; checked by the server. */
  readonly async?: Readonly<Record<string, unknown>>
  readonly triggers?: readonly ManifestTrigger[]
}

/** A route, which has a `path`, or what waits for events, which has a `kind`. */
export interface ManifestTrigger {
  readonly name: string
  readonly kind?: string
  readonly format?: EventFormat
  readonly config?: Readonly<Record<string, unknown>>
  readonly paused?: boolean
  readonly path?: string
  readonly methods?: readonly string[]
  readonly host?: string
  readonly stripPrefix?: boolean
  readonly access?: Access
  readonly cors?: Partial<Cors>
}

/** In the order they are looked for. Two of them in one folder would be a riddle, so that is a failure. */
export const MANIFEST_NAMES: readonly string[] = ['atelier.json', 'atelier.yaml', 'atelier.yml']

/** The manifest of a folder; empty when it has none. Rejects with every mistake in it: file, line, field. */
export async function readManifest(folder: string): Promise<Manifest> {
  const found: { name: string; text: string }[] = []
  for (const name of MANIFEST_NAMES) {
    const text = await readFile(join(folder, name), 'utf8').catch(ignoreMissing)
    if (text !== undefined) found.push({ name, text })
  }
  if (found.length > 1)
    throw new CliFailure(EXIT.usage, `${folder} has both ${found.map(one => one.name).join(' and ')}`, {
      hint: 'Keep one of them.',
    })
  const [one] = found
  if (!one) return {}
  const { parseManifest } = await import('./manifest-parser.ts') // brings a YAML parser, which a folder without one need not pay for
  return parseManifest(one.text, join(folder, one.name))
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
