import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { CliFailure, EXIT, usage } from '../failure.ts'
import { readPrivateJson, removePrivateFile, writePrivateJson } from './private-file.ts'

/** Where to send requests, and with which proof of who we are. */
export interface Login {
  readonly url: string
  /** Another project than the token's own: the header `Atelier-Project`. */
  readonly project: string | undefined
  /** Where this came from, for messages. */
  readonly source: string
  /** A token that is there and not known to have expired. */
  readonly token: string | undefined
  /** To log in again with, when a token is missing or has expired. */
  readonly credentials: Credentials | undefined
  /** Key of the token cache for these credentials. */
  readonly cacheKey: string | undefined
}

export interface Credentials {
  readonly user: string
  readonly password: string
  readonly project?: string
}

/** What `atelier login` stores, mode 0600. */
export interface StoredLogin {
  readonly url: string
  readonly user: string
  readonly project?: string
  readonly token?: string
  readonly expiresAt?: string
  /** Only with `atelier login --remember`. */
  readonly password?: string
}

export interface LoginSources {
  readonly env: NodeJS.ProcessEnv
  readonly url: string | undefined
  readonly token: string | undefined
  readonly project: string | undefined
}

const TOKENS_CACHED_MAX = 20
const EXPIRY_MARGIN_MS = 30_000 // a token that ends within a command is as good as expired

/**
 * The login: flags, then environment, then what `atelier login` stored, then the file that a server on this machine wrote at
 * its first start. A URL from one place is never combined with a token that belongs to another server.
 */
export function findLogin({
  env,
  url: urlFlag,
  token: tokenFlag,
  project: projectFlag,
}: LoginSources): Login {
  const project = projectFlag ?? env.ATELIER_PROJECT
  const askedUrl = urlFlag ?? env.ATELIER_URL
  const askedToken = tokenFlag ?? env.ATELIER_TOKEN
  const url = askedUrl === undefined ? undefined : checkUrl(askedUrl, urlFlag ? '--url' : 'ATELIER_URL')
  const stored = readPrivateJson<StoredLogin>(configPath(env))
  const local = readAdminFile(env)
  const none = { credentials: undefined, cacheKey: undefined }
  if (askedToken !== undefined) {
    const source = tokenFlag ? '--token' : 'ATELIER_TOKEN'
    const target = url ?? stored?.url ?? local?.url
    if (target === undefined)
      throw notLoggedIn(`${source} is set, but not which server it is for`, 'Set ATELIER_URL or give --url.')
    return { url: target, project, source, token: askedToken, ...none }
  }
  if (stored && (url === undefined || sameUrl(url, stored.url))) {
    const { user, password } = stored
    const credentials =
      password === undefined
        ? undefined
        : { user, password, ...(stored.project && { project: stored.project }) }
    const fresh = stored.token !== undefined && isFresh(stored.expiresAt) ? stored.token : undefined
    const cacheKey = credentials && keyOf(stored.url, credentials)
    const token = fresh ?? cachedToken(env, cacheKey)
    return { url: stored.url, project, source: configPath(env), token, credentials, cacheKey }
  }
  if (local && (url === undefined || sameUrl(url, local.url))) {
    const credentials = { user: local.user, password: local.password, project: local.project }
    const cacheKey = keyOf(local.url, credentials)
    return {
      url: local.url,
      project,
      source: adminPath(env),
      token: cachedToken(env, cacheKey),
      credentials,
      cacheKey,
    }
  }
  if (url !== undefined)
    return { url, project, source: urlFlag ? '--url' : 'ATELIER_URL', token: undefined, ...none }
  throw notLoggedIn(
    'not logged in, and no server was found on this machine',
    'Start one with "npm start" (or "atelier server"), or log in to another with "atelier login URL".',
  )
}

interface AdminFile {
  readonly url: string
  readonly routerUrl?: string
  readonly user: string
  readonly password: string
  readonly project: string
}

function readAdminFile(env: NodeJS.ProcessEnv): AdminFile | undefined {
  let text: string
  try {
    text = readFileSync(adminPath(env), 'utf8')
  } catch {
    return undefined // no server of ours here, or one of another user: both mean "look no further"
  }
  try {
    const file = JSON.parse(text) as Partial<AdminFile>
    if (file.url === '') return undefined // made by a first start that has not come up yet, or never did
    if (typeof file.url === 'string' && typeof file.user === 'string' && typeof file.password === 'string')
      return { project: 'default', ...file } as AdminFile
  } catch {
    // fall through: it is ours and broken, which the user should hear about
  }
  throw new CliFailure(EXIT.failed, `${adminPath(env)} is damaged`, {
    hint: 'Use "atelier login"; the file can be deleted.',
  })
}

/** Where the server keeps its data, unless it was told otherwise. */
export function dataFolder(env: NodeJS.ProcessEnv): string {
  if (env.ATELIER_HOME) return env.ATELIER_HOME
  return join(env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'atelier')
}

function adminPath(env: NodeJS.ProcessEnv): string {
  return join(dataFolder(env), 'admin.json')
}

/** The file that `atelier login` writes. */
export function configPath(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'atelier', 'config.json')
}

function tokensPath(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'atelier', 'tokens.json')
}

type TokenCache = Readonly<Record<string, { readonly token: string; readonly expiresAt: string }>>

function cachedToken(env: NodeJS.ProcessEnv, key: string | undefined): string | undefined {
  const entry = key === undefined ? undefined : readTokens(env)[key]
  return entry && isFresh(entry.expiresAt) ? entry.token : undefined
}

function readTokens(env: NodeJS.ProcessEnv): TokenCache {
  try {
    return readPrivateJson<TokenCache>(tokensPath(env)) ?? {}
  } catch {
    return {} // damaged or unreadable: it is only a cache
  }
}

/** Keeps a token for the next command, so that not each has to prove its password (which is slow by design). */
export function cacheToken(
  env: NodeJS.ProcessEnv,
  key: string,
  token: { token: string; expiresAt: string } | undefined,
): void {
  const before = Object.entries(readTokens(env)).filter(
    ([one, entry]) => one !== key && isFresh(entry.expiresAt),
  )
  const entries = token ? [[key, token] as const, ...before] : before
  try {
    writePrivateJson(tokensPath(env), Object.fromEntries(entries.slice(0, TOKENS_CACHED_MAX)))
  } catch {
    // A cache that cannot be written (a read-only home) costs the next command a moment and nothing else.
  }
}

/** The cache key holds no secret, and another password is another key. */
function keyOf(url: string, credentials: Credentials): string {
  return createHash('sha256')
    .update(JSON.stringify([url, credentials.user, credentials.project, credentials.password]))
    .digest('hex')
    .slice(0, 32)
}

function isFresh(expiresAt: string | undefined): boolean {
  return expiresAt === undefined || Date.parse(expiresAt) - EXPIRY_MARGIN_MS > Date.now()
}

/** The URL without a slash at its end; a usage failure when it is none. */
export function checkUrl(text: string, origin: string): string {
  const url = URL.parse(text)
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw usage(
      `${origin} ${JSON.stringify(text)} is not a URL`,
      'It should look like https://atelier.example.org or http://127.0.0.1:1881.',
    )
  if (url.username || url.password)
    throw usage(`${origin} must not carry a password`, 'Use "atelier login URL --user NAME".')
  return url.href.replace(/\/+$/, '')
}

function sameUrl(a: string, b: string): boolean {
  return serverOf(a) === serverOf(b)
}

function serverOf(text: string): string {
  const url = URL.parse(text)
  if (!url) return text
  if (url.hostname === 'localhost' || url.hostname === '[::1]') url.hostname = '127.0.0.1' // names of one machine
  return url.href
}

function notLoggedIn(message: string, hint: string): CliFailure {
  return new CliFailure(EXIT.notAllowed, message, { hint })
}

/** Removes every token that was kept between commands. */
export function forgetTokens(env: NodeJS.ProcessEnv): void {
  removePrivateFile(tokensPath(env))
}
