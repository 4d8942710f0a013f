import { homedir, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { AtelierError, type InputError } from '../core/index.ts'
import type { ServerOption } from './option.ts'
import { serverOptions } from './options.ts'

type Named<N extends string> = Extract<(typeof serverOptions)[number], { readonly name: N }>
type ValueOf<O> = O extends { readonly type: 'integer' }
  ? number
  : O extends { readonly type: 'boolean' }
    ? boolean
    : O extends { readonly choices: readonly (infer C)[] }
      ? C
      : string

/** The server's settings, complete and valid. */
export type ServerConfig = {
  readonly [O in (typeof serverOptions)[number] as O['name']]: ValueOf<Named<O['name']>>
}

export interface ConfigSources {
  /** `--name value`, by name. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** YAML or JSON. */
  readonly file?: string | undefined
}

/**
 * Defaults, overlaid with the file, the environment (`ATELIER_ROUTER_PORT`) and the flags. Rejects with INVALID_INPUT that
 * lists everything that is wrong, each with the place it came from.
 */
export async function readConfig(sources: ConfigSources): Promise<ServerConfig> {
  const errors: InputError[] = []
  const file =
    sources.file === undefined ? {} : (await import('./config-file.ts')).readConfigFile(sources.file)
  const known = new Set<string>(serverOptions.map(option => option.name))
  for (const name of Object.keys(file))
    if (!known.has(name))
      errors.push({ pointer: `${sources.file}: ${name}`, detail: 'there is no such setting' })

  const values: Record<string, unknown> = {}
  for (const option of serverOptions as readonly ServerOption[]) {
    const given = [
      { place: `--${option.name}`, raw: sources.flags[option.name] },
      { place: variableOf(option.name), raw: sources.env[variableOf(option.name)] },
      { place: `${sources.file}: ${option.name}`, raw: file[option.name] },
    ].find(each => (each.raw ?? '') !== '') // an empty value in YAML is null
    if (given === undefined) {
      values[option.name] = option.default ?? workedOut(option.name, sources.env)
      continue
    }
    const parsed = parseValue(option, given.raw)
    if (parsed.error !== undefined) errors.push({ pointer: given.place, detail: parsed.error })
    values[option.name] = parsed.value
  }
  if (errors.length > 0) {
    const list = errors.map(each => `${each.pointer}: ${each.detail}`).join('; ')
    throw new AtelierError('INVALID_INPUT', `The configuration is not valid. ${list}`, { errors })
  }
  return { ...values, home: resolve(String(values['home'])) } as ServerConfig
}

/** `router-port` is `ATELIER_ROUTER_PORT`. */
export function variableOf(name: string): string {
  return `ATELIER_${name.toUpperCase().replaceAll('-', '_')}`
}

function workedOut(name: string, env: ConfigSources['env']): string | number {
  if (name === 'home') return join(env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'atelier')
  if (name === 'memory-mib-max') return Math.floor((totalmem() / 1024 ** 2) * 0.75)
  return ''
}

function parseValue(option: ServerOption, raw: unknown): { value?: unknown; error?: string } {
  const text = String(raw)
  if (option.type === 'text') return { value: text }
  if (option.type === 'boolean') {
    if (text === 'true' || text === '1') return { value: true }
    if (text === 'false' || text === '0') return { value: false }
    return { error: `${JSON.stringify(text)} is neither true nor false` }
  }
  if (option.type === 'choice') {
    if (option.choices?.includes(text)) return { value: text }
    return { error: `${JSON.stringify(text)} is none of ${option.choices?.join(', ')}` }
  }
  const value = Number(text)
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = option
  if (!/^\d+$/.test(text) || value < min || value > max)
    return { error: `${JSON.stringify(text)} is not a whole number from ${min} to ${max}` }
  return { value }
}
