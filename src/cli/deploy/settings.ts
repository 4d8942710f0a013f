import type { ChosenTier, ContractChoice, Limits, NetworkMode, Scaling } from '../../core/index.ts'
import { usage } from '../failure.ts'
import type { Options } from '../options.ts'
import type { Manifest } from './manifest.ts'

/** The part `settings` of a deploy. What is absent is decided by the server. */
export interface DeploySettings extends Omit<Manifest, 'name' | 'app' | 'triggers'> {
  readonly publishOnly?: boolean
}

/**
 * Manifest overlaid with `variables` and options: single values replace, configuration is merged by key, secrets are
 * joined.
 */
export function settingsFrom(
  manifest: Manifest,
  variables: Readonly<Record<string, string>>,
  options: Options,
): DeploySettings {
  if (options.flag('public') && options.flag('private'))
    throw usage('--public and --private cannot both be meant')
  const tokenRoles = [...new Set([...(manifest.tokenRoles ?? []), ...options.list('tokenRole')])]
  const secrets = [...new Set([...(manifest.secrets ?? []), ...options.list('secret')])]
  const environment = options.text('env')
  if (environment?.includes('='))
    throw usage(
      `--env ${JSON.stringify(environment)}: --env names a language`,
      'Environment variables are given by --config KEY=VALUE, or by --env-file FILE.',
    )
  const config = { ...manifest.config, ...variables, ...options.pairs('config', '--config') }
  const limits = defined<Limits>({
    ...manifest.limits,
    ...defined({
      memoryMiB: options.memoryMiB('memory', '--memory'),
      cpuMillicores: options.cpuMillicores('cpu', '--cpu'),
      timeoutMs: options.durationMs('timeout', '--timeout'),
      concurrency: options.integer('concurrency', '--concurrency', { min: 1 }),
    }),
  })
  const scaling = defined<Scaling>({
    ...manifest.scaling,
    ...defined({
      instancesMin: options.integer('min', '--min', { min: 0 }),
      instancesMax: options.integer('max', '--max', { min: 1 }),
      idleMs: options.durationMs('idle', '--idle'),
    }),
  })
  return defined<DeploySettings>({
    description: options.text('description') ?? manifest.description,
    access: options.flag('public') ? 'public' : options.flag('private') ? 'private' : manifest.access,
    environment: environment ?? manifest.environment,
    contract: contractFrom(manifest, options),
    image: options.text('image') ?? manifest.image,
    imageSecret: options.text('imageSecret') ?? manifest.imageSecret,
    entry: options.text('entry') ?? manifest.entry,
    config: unlessEmpty(config),
    secrets: secrets.length > 0 || manifest.secrets ? secrets : undefined,
    limits: unlessEmpty(limits),
    scaling: unlessEmpty(scaling),
    network: (options.text('network') as NetworkMode | undefined) ?? manifest.network,
    isolation: (options.text('isolation') as ChosenTier | undefined) ?? manifest.isolation,
    tokenRoles: tokenRoles.length > 0 || manifest.tokenRoles ? tokenRoles : undefined,
    async: manifest.async,
    publishOnly: options.flag('publishOnly') ? true : undefined,
  })
}

/** Another name on the command line leaves what the manifest says of its own. */
function contractFrom(manifest: Manifest, options: Options): string | ContractChoice | undefined {
  const said = typeof manifest.contract === 'string' ? { name: manifest.contract } : manifest.contract
  const port = options.integer('port', '--port', { min: 1 })
  const isServer = port !== undefined && (options.text('image') ?? manifest.image) !== undefined
  const name = options.text('contract') ?? said?.name ?? (isServer ? 'http' : undefined)
  if (name === undefined) {
    if (port !== undefined)
      throw usage('--port says where a contract finds the process: name it with --contract')
    return undefined
  }
  const settings = { ...(said?.name === name ? said : undefined), ...(port !== undefined && { port }), name }
  return Object.keys(settings).length === 1 ? name : settings
}

/** Without the fields that are `undefined`. */
export function defined<T>(value: { readonly [K in keyof T]?: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Partial<T>
}

function unlessEmpty<T extends object>(value: T): T | undefined {
  return Object.keys(value).length > 0 ? value : undefined
}
