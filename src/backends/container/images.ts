import { AtelierError, invalidField } from '../../core/index.ts'
import { type EngineHttp, engineFailed } from './http.ts'
import { pullFailed } from './pull-failure.ts'
import { OWN_IMAGES, type RegistryGuard, registryOf } from './registries.ts'

const REFERENCE_CHARACTERS_MAX = 500
const REFERENCE =
  /^(?:(?<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?)\/)?(?<path>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)(?::(?<tag>[\w][\w.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$/
const PULL_SILENCE_MS_MAX = 120_000
const LAYERS_MAX = 1_000 // of which is remembered what was told

export interface PullRequest {
  readonly reference: string
  /** `user:password` for the registry. */
  readonly credentials?: string | undefined
}

/** What is known of an image that the engine has. */
export interface ImageFacts {
  /** Names exactly this image, for ever: `name@sha256:…`, or `sha256:…` where it came from no registry. */
  readonly pinned: string
  /** Whom it wants to run as; empty: root. */
  readonly user: string
  readonly architecture: string
}

/** Makes sure that the engine has an image, and pins it. */
export class Images {
  readonly #http: EngineHttp
  readonly #guard: RegistryGuard

  constructor(http: EngineHttp, guard: RegistryGuard) {
    this.#http = http
    this.#guard = guard
  }

  /**
   * Images are pulled each time, even those that are here: whether this project may have it is the registry's to say. Rejects with
   * INVALID_INPUT for a reference that is none, FORBIDDEN for a registry that may not be asked, BUILD_FAILED when there is no such image,
   * STORAGE_FULL when the disk is.
   */
  async pull(request: PullRequest, told: (text: string) => void, signal: AbortSignal): Promise<ImageFacts> {
    const { name, tag, digest, host } = parseReference(request.reference)
    const full = digest === undefined ? `${name}:${tag}` : `${name}@${digest}`
    if (host !== OWN_IMAGES) {
      const registry = registryOf(name)
      if (registry !== undefined) await this.#guard(registry)
      await this.#fetch(name, digest ?? tag, request, told, signal)
    }
    const facts = await this.facts(full, name, digest)
    if (facts === undefined)
      throw new AtelierError(
        'BUILD_FAILED',
        `There is no image "${full}" on this machine; build or load it there.`,
      )
    return facts
  }

  /** `undefined` when the engine has no such image. */
  async facts(reference: string, name?: string, digest?: string): Promise<ImageFacts | undefined> {
    const { status, json, message } = await this.#http.ask('GET', `/images/${encode(reference)}/json`)
    if (status === 404) return undefined
    if (status !== 200)
      throw engineFailed(`it does not tell of image "${reference}" (${status})`, new Error(message))
    const image = json as {
      Id?: string
      Architecture?: string
      RepoDigests?: readonly string[] | null
      Config?: { User?: string } | null
    }
    const id = image.Id ?? ''
    const repo = digest ? `${name}@${digest}` : image.RepoDigests?.find(each => each.startsWith(`${name}@`))
    const isOwn = name === undefined || name.startsWith(`${OWN_IMAGES}/`)
    return {
      pinned: !isOwn && repo ? repo : id.startsWith('sha256:') ? id : `sha256:${id}`,
      user: image.Config?.User ?? '',
      architecture: image.Architecture ?? '',
    }
  }

  async #fetch(
    name: string,
    tag: string,
    { reference, credentials }: PullRequest,
    told: (text: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const query = new URLSearchParams({ fromImage: name, tag })
    const lines = this.#http.lines('POST', `/images/create?${query.toString()}`, {
      headers: credentials === undefined ? {} : { 'x-registry-auth': authOf(credentials) },
      signal,
      timeoutMs: PULL_SILENCE_MS_MAX,
    })
    const last = new Map<string, string>()
    for (;;) {
      const { value, done } = await lines.next()
      if (done) {
        if (value.status !== 200) throw pullFailed(reference, value.message)
        return
      }
      const { error, status, id } = value as { error?: string; status?: string; id?: string }
      if (error !== undefined) throw pullFailed(reference, error)
      if (status === undefined || status === last.get(id ?? '')) continue
      if (last.size < LAYERS_MAX) last.set(id ?? '', status)
      told(id ? `${id}: ${status}` : status)
    }
  }
}

/** The parts of a reference. Throws INVALID_INPUT when it is none; a bare id is none: it would be somebody else's image. */
export function parseReference(reference: string): {
  readonly host: string | undefined
  readonly name: string
  readonly tag: string
  readonly digest: string | undefined
} {
  const match = reference.length <= REFERENCE_CHARACTERS_MAX ? REFERENCE.exec(reference) : null
  const { host, path, tag, digest } = match?.groups ?? {}
  if (path === undefined || /^(sha256|[0-9a-f]{64})$/.test(path))
    throw invalidField('image', 'must name an image: registry/name:tag, or registry/name@sha256:…')
  return { host, name: host === undefined ? path : `${host}/${path}`, tag: tag ?? 'latest', digest }
}

function authOf(credentials: string): string {
  const at = credentials.indexOf(':')
  const username = at < 0 ? credentials : credentials.slice(0, at)
  const password = at < 0 ? '' : credentials.slice(at + 1).trimEnd()
  const encoded = Buffer.from(JSON.stringify({ username, password })).toString('base64url')
  return encoded.padEnd(Math.ceil(encoded.length / 4) * 4, '=') // without it engines read less than all
}

/** A reference as part of a path: its slashes are the engine's to read. */
export function encode(reference: string): string {
  return encodeURIComponent(reference).replaceAll('%2F', '/').replaceAll('%3A', ':').replaceAll('%40', '@')
}
