import type { Duplex } from 'node:stream'
import { AtelierError } from '../../core/index.ts'
import { type EngineHttp, engineFailed } from './http.ts'
import { LABEL } from './policy.ts'
import type { Ended } from './sandbox.ts'

const ASK_MS_MAX = 60_000 // an engine under load takes its time to make a file system
const PING_MS_MAX = 3_000
/** What engines say when it is the image that cannot be run: its program is missing, of another machine, or not to be executed. */
const IMAGE_AT_FAULT =
  /no command|no such file or directory|executable file|exec format error|not found in \$PATH|command that was not found|permission denied.*exec|exec:.*permission denied/i

/** What is asked of an engine about containers; each call is one request. */
export class Engine {
  readonly #http: EngineHttp

  constructor(http: EngineHttp) {
    this.#http = http
  }

  /** `Podman Engine 4.3.1`, or a rejection with BACKEND_FAILED when it does not answer. */
  async version(): Promise<string> {
    const { status, json } = await this.#http.ask('GET', '/version', { timeoutMs: PING_MS_MAX })
    if (status !== 200) throw engineFailed(`the engine at ${this.#http.path} answers with status ${status}`)
    const { Version, Components } = json as { Version?: string; Components?: readonly { Name?: string }[] }
    return `${Components?.[0]?.Name ?? 'engine'} ${Version ?? ''}`.trim()
  }

  /** Makes a container; it does not run. Returns its id. */
  async create(name: string, body: unknown, signal: AbortSignal): Promise<string> {
    const id = await this.createIfThere(name, body, signal)
    if (id !== undefined) return id
    throw imageGone()
  }

  /** As `create`; `undefined` when the engine has no such image. */
  async createIfThere(name: string, body: unknown, signal: AbortSignal): Promise<string | undefined> {
    const query = new URLSearchParams({ name }).toString()
    const { status, json, message } = await this.#http.ask('POST', `/containers/create?${query}`, {
      body,
      signal,
      timeoutMs: ASK_MS_MAX,
    })
    if (status === 201) return (json as { Id: string }).Id
    if (status === 404) return undefined
    throw whose('made', message)
  }

  /** Makes an image of a tar archive's files. */
  async importImage(reference: string, archive: Uint8Array): Promise<void> {
    const [repo = '', tag = ''] = reference.split(/:(?=[^/]*$)/)
    const query = new URLSearchParams({ fromSrc: '-', repo, tag }).toString()
    const { status, json, message } = await this.#http.ask('POST', `/images/create?${query}`, {
      archive,
      timeoutMs: ASK_MS_MAX,
    })
    if (status !== 200) throw whose('imported', message || JSON.stringify(json))
  }

  /** The raw stream of a container that was made; nothing that it prints is lost. */
  async attach(id: string, stdin: boolean, signal: AbortSignal): Promise<Duplex> {
    const query = `stream=1&stdout=1&stderr=1${stdin ? '&stdin=1' : ''}`
    const stream = await this.#http.hijack(`/containers/${id}/attach?${query}`, signal)
    // Podman makes the first process already here, and so finds out that there is none to make.
    if ('refused' in stream) throw whose('started', stream.refused)
    return stream
  }

  async start(id: string, signal: AbortSignal): Promise<void> {
    const { status, message } = await this.#http.ask('POST', `/containers/${id}/start`, {
      signal,
      timeoutMs: ASK_MS_MAX,
    })
    if (status !== 204 && status !== 304) throw whose('started', message)
  }

  /** Host number of a container's first process; `undefined` when it has ended. */
  async pidOf(id: string): Promise<number | undefined> {
    const { status, json, message } = await this.#http.ask('GET', `/containers/${id}/json`, {
      timeoutMs: ASK_MS_MAX,
    })
    if (status !== 200) throw engineFailed(`it cannot be looked at (status ${status})`, new Error(message))
    const pid = (json as { State?: { Pid?: number } }).State?.Pid ?? 0
    return pid > 0 ? pid : undefined
  }

  async signal(id: string, name: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#http.ask('POST', `/containers/${id}/kill?signal=${name}`, { timeoutMs: ASK_MS_MAX })
  }

  /** How a container ended, which this waits for. */
  async wait(id: string): Promise<Ended> {
    const { status, json } = await this.#http.ask('POST', `/containers/${id}/wait`)
    if (status !== 200) return undefined
    const code = (json as { StatusCode?: number }).StatusCode ?? 0
    if (code === 0) return { code, outOfMemory: false }
    const { json: seen } = await this.#http.ask('GET', `/containers/${id}/json`, { timeoutMs: ASK_MS_MAX })
    return { code, outOfMemory: (seen as { State?: { OOMKilled?: boolean } }).State?.OOMKilled === true }
  }

  /** Removes a container, whether it runs or not. */
  async remove(id: string): Promise<void> {
    const target = `/containers/${id}?force=1&v=1`
    const { status, message } = await this.#http.ask('DELETE', target, { timeoutMs: ASK_MS_MAX })
    if (status >= 300 && status !== 404 && status !== 409)
      throw engineFailed(`it is not removed (status ${status})`, new Error(message))
  }

  /** Ids of the containers of an installation, whatever their state. */
  async list(installation: string): Promise<string[]> {
    const filters = JSON.stringify({ label: [`${LABEL}=${installation}`] })
    const { status, json } = await this.#http.ask(
      'GET',
      `/containers/json?all=1&filters=${encodeURIComponent(filters)}`,
      {
        timeoutMs: ASK_MS_MAX,
      },
    )
    if (status !== 200 || !Array.isArray(json))
      throw engineFailed(`it does not tell what runs (status ${status})`)
    return json.map(each => (each as { Id: string }).Id)
  }
}

/** Somebody has removed what a version was pinned to. */
export function imageGone(): AtelierError {
  return new AtelierError(
    'FUNCTION_LOAD_FAILED',
    'The image of the function is no longer on this machine; deploy the function again.',
  )
}

function whose(done: string, message: string): AtelierError {
  const cause = new Error(message)
  if (/no space left|disk quota/i.test(message))
    return new AtelierError(
      'STORAGE_FULL',
      `The container could not be ${done}: the engine's disk is full. Whoever runs it has to make room there.`,
      { cause },
    )
  if (IMAGE_AT_FAULT.test(message))
    return new AtelierError(
      'FUNCTION_LOAD_FAILED',
      'The program of the image cannot be run: it is missing, may not be executed, or is for another kind of machine.',
      { cause },
    )
  if (/unknown (?:or invalid )?runtime/i.test(message))
    return engineFailed(
      'its engine does not know the runtime that the setting container-runtime names',
      cause,
    )
  return engineFailed(`it could not be ${done}`, cause)
}
