import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { LIMITS_DEFAULT, type Limits } from '../../core/index.ts'
import type { Environment } from '../../environments/index.ts'
import { readManifest } from '../deploy/manifest.ts'
import { listFiles, nameFromPath } from '../deploy/pack.ts'
import { CliFailure, EXIT, usage } from '../failure.ts'
import { APP_DEFAULT } from '../reference.ts'

/** A function's folder as it would be deployed, with what it needs to run here. */
export interface DevProject {
  readonly folder: string
  readonly app: string
  readonly name: string
  readonly environment: Environment
  readonly entry: string
  readonly config: Readonly<Record<string, string>>
  readonly secrets: Readonly<Record<string, string>>
  readonly limits: Limits
  /** What will likely go wrong, in sentences. */
  readonly warnings: readonly string[]
}

/** Reads the folder afresh. Rejects with what is wrong in it and where. */
export async function readDevProject(folder: string, env: NodeJS.ProcessEnv): Promise<DevProject> {
  const { allEnvironments } = await import('../languages.ts')
  const { detectedOf } = await import('../../environments/index.ts')
  const environments = await allEnvironments(env)
  const manifest = await readManifest(folder)
  const files = (await listFiles(folder)).map(file => file.target)
  if (files.length === 0)
    throw usage(
      `${folder} has no files to run`,
      'Is it the right folder? "atelier init" makes one to begin with.',
    )
  const known = environments.map(one => one.name)
  const environment =
    manifest.environment === undefined
      ? detectedOf(environments, files)[0]
      : environments.find(one => one.name === manifest.environment)
  if (!environment) {
    throw manifest.environment === undefined
      ? usage(
          `${folder} is in no language that is known here`,
          `There are ${known.join(', ')}; name one as "environment" in atelier.json.`,
        )
      : usage(`there is no environment "${manifest.environment}"`, `There are ${known.join(', ')}.`)
  }
  if (environment.startsWithCode)
    throw usage(
      `"atelier dev" does not run ${environment.name}: what runs is made by a build`,
      'Deploy it: a build after the first takes about a second.',
    )
  const entry = manifest.entry ?? environment.defaultEntry(files)
  if (entry === undefined)
    throw usage(
      `${folder} has no obvious entry`,
      `Name it as "entry" in atelier.json: ${environment.entryHelp}.`,
    )
  if (manifest.contract !== undefined)
    throw usage(
      `${folder} is a process of its own (contract in its manifest), and "atelier dev" runs functions only`,
      'Start it as it is, with PORT set where it is a server.',
    )
  const { secrets, missing } = await readSecrets(folder, manifest.secrets ?? [], env)
  return {
    folder,
    app: manifest.app ?? APP_DEFAULT,
    name: manifest.name ?? nameFromPath(folder) ?? 'function',
    environment,
    entry,
    config: manifest.config ?? {},
    secrets,
    limits: { ...LIMITS_DEFAULT, ...manifest.limits },
    warnings: [
      ...missing.map(name => `secret ${name} is not set: put ${name}=… into .env (which is never deployed)`),
      ...(await dependencyWarnings(folder)),
    ],
  }
}

/** Here, secrets come from the folder's .env file, then from the terminal's own environment. */
async function readSecrets(
  folder: string,
  names: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ secrets: Record<string, string>; missing: string[] }> {
  const file = parseEnv(await readFile(join(folder, '.env'), 'utf8').catch(() => ''))
  const secrets: Record<string, string> = {}
  for (const name of names) {
    const value = file[name] ?? env[name]
    if (value !== undefined) secrets[name] = value
  }
  return { secrets, missing: names.filter(name => !(name in secrets)) }
}

/** Dependencies that a deploy would install, and that are not here. */
async function dependencyWarnings(folder: string): Promise<string[]> {
  return [...(await npmWarnings(folder)), ...(await pipWarnings(folder))]
}

async function npmWarnings(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return []
  let dependencies: Record<string, string>
  try {
    dependencies = (JSON.parse(text) as { dependencies?: Record<string, string> }).dependencies ?? {}
  } catch (cause) {
    throw new CliFailure(EXIT.usage, `${join(folder, 'package.json')} is not valid JSON`, { cause })
  }
  const missing = Object.keys(dependencies).filter(name => !existsSync(join(folder, 'node_modules', name)))
  if (missing.length === 0) return []
  return [
    `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed: run "npm install" in the folder`,
  ]
}

async function pipWarnings(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, 'requirements.txt'), 'utf8').catch(() => '')
  if (!/^\s*[^#\s]/m.test(text) || existsSync(join(folder, 'python_packages'))) return []
  return [
    'the packages of requirements.txt are not here: run "pip install -r requirements.txt --target python_packages" in the folder (deploys leave it out and install their own)',
  ]
}
