import { AtelierError, invalidField } from '../core/index.ts'
import { detectedOf, type Environment } from '../environments/index.ts'

export interface Language {
  readonly environment: Environment
  /** Digest of the environment's shim and runtime on this machine. */
  readonly revision: string
  /** What to call, when it is known before the build. */
  readonly entry: string | undefined
  /** The entry is a program that speaks the contract itself. */
  readonly isProgram: boolean
}

/** What was asked for, and what is live. `files` is absent when the live package is used again. */
export interface LanguageInput {
  readonly environment: string | undefined
  readonly entry: string | undefined
  /** Name of the contract, where it is not the environment's own. */
  readonly contract: string | undefined
  readonly files: readonly string[] | undefined
  readonly live: { readonly environment: string; readonly entry: string } | undefined
}

/**
 * The environment and entry to build with: what is given, else what the files say, else what is live. Rejects with
 * INVALID_INPUT when nobody knows, and with UNAVAILABLE when the environment cannot run on this machine.
 */
export async function languageOf(
  environments: readonly Environment[],
  input: LanguageInput,
): Promise<Language> {
  const environment = choose(environments, input)
  const status = await environment.probe()
  if (!status.ready)
    throw new AtelierError(
      'UNAVAILABLE',
      `The environment "${environment.name}" cannot run here: ${status.reason}`,
    )
  const live = input.live?.environment === environment.name ? input.live.entry : undefined
  const isProgram = input.contract !== undefined && input.contract !== environment.contract
  const detected = input.files && environment.defaultEntry(input.files, { isProgram })
  return { environment, revision: status.revision, entry: input.entry ?? detected ?? live, isProgram }
}

function choose(
  environments: readonly Environment[],
  { environment, files, live }: LanguageInput,
): Environment {
  const known = environments.map(each => each.name).join(', ')
  const named = (name: string): Environment => {
    const found = environments.find(each => each.name === name)
    if (!found) throw unclear(`${JSON.stringify(name.slice(0, 80))} does not exist; there are: ${known}`)
    return found
  }
  if (environment !== undefined) return named(environment)
  const detected = files ? detectedOf(environments, files) : []
  // A package may hold files of several languages: then the one that has something to call, and what is live, decide.
  const callable = detected.filter(each => each.defaultEntry(files ?? []) !== undefined)
  for (const candidates of [detected, callable])
    if (candidates.length === 1) return candidates[0] ?? named('')
  const likeLive = detected.find(each => each.name === live?.environment)
  if (likeLive) return likeLive
  if (detected.length > 1) throw unclear(`could be ${detected.map(each => each.name).join(' or ')}: name one`)
  if (live) return named(live.environment)
  if (files?.includes('Dockerfile'))
    throw unclear(
      'cannot be told from the files, and a Dockerfile is not built here: build its image elsewhere, and deploy that by its ' +
        `reference (--image); or name one of ${known}`,
    )
  throw unclear(`cannot be told from the files: name one of ${known}`)
}

function unclear(detail: string): AtelierError {
  return invalidField('environment', detail)
}
