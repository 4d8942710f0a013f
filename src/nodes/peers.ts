import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { createInterface } from 'node:readline'
import { AtelierError, type Clock, nodeHttp } from '../core/index.ts'
import { isSigned, sign } from './signature.ts'

/** Where nodes ask each other, at the API of each. */
export const NODE_PATH = '/-/nodes/ask'

const ANSWER_MS_MAX = 5_000
const SILENCE_MS_MAX = 10_000 // of a connection; who is followed says something every second
const ANSWER_BYTES_MAX = 64 * 1024 * 1024

/** One question to other nodes: what is asked, and its arguments, as JSON. */
export interface NodeQuestion {
  readonly ask: string
  readonly args: readonly unknown[]
}

/** An answer, or a refusal that is an answer too: what is not there is not there. */
export type NodeAnswer = { readonly value: unknown } | { readonly code: string; readonly message: string }

interface PeersOptions {
  /** The newest first. */
  readonly keys: readonly Buffer[]
  readonly clock: Clock
  /** Of the APIs of all other nodes that are alive. */
  readonly urls: () => readonly string[]
  readonly onProblem: (message: string, cause: unknown) => void
}

/** The other nodes, asked over HTTP. */
export class Peers {
  readonly #keys: readonly Buffer[]
  readonly #clock: Clock
  readonly #urls: () => readonly string[]
  readonly #onProblem: (message: string, cause: unknown) => void
  /** Those that were told of as silent. */
  readonly #silent = new Set<string>()

  constructor({ keys, clock, urls, onProblem }: PeersOptions) {
    this.#keys = keys
    this.#clock = clock
    this.#urls = urls
    this.#onProblem = onProblem
  }

  get urls(): readonly string[] {
    return this.#urls()
  }

  /** Whether a request for `target` (path and query) comes from another node. */
  isPeer(target: string, authorization: string | undefined): boolean {
    const now = this.#clock.now()
    return this.#keys.some(key => isSigned(key, target, now, authorization))
  }

  /** The answers of all other nodes; one that does not answer in time is left out. */
  async askAll(question: NodeQuestion): Promise<readonly NodeAnswer[]> {
    const answers = await Promise.all(
      this.#urls().map(async url => {
        try {
          const answer = await this.#ask(url, question)
          this.#silent.delete(url)
          return [answer]
        } catch (error) {
          if (!this.#silent.has(url))
            this.#onProblem(
              `The node ${url} does not answer: what it has of records and logs is missing.`,
              error,
            )
          this.#silent.add(url)
          return []
        }
      }),
    )
    return answers.flat()
  }

  async #ask(url: string, question: NodeQuestion): Promise<NodeAnswer> {
    const answer = await this.#send(url, question, AbortSignal.timeout(ANSWER_MS_MAX))
    let bytes = 0
    const chunks: Buffer[] = []
    for await (const chunk of answer) {
      bytes += (chunk as Buffer).length
      if (bytes > ANSWER_BYTES_MAX) throw new Error('its answer is too long')
      chunks.push(chunk as Buffer)
    }
    return JSON.parse(Buffer.concat(chunks).toString()) as NodeAnswer
  }

  /** Lines of JSON that a node sends until `signal` or until it ends. Rejects when it cannot be reached. */
  async *follow(url: string, question: NodeQuestion, signal: AbortSignal): AsyncGenerator {
    const answer = await this.#send(url, question, signal)
    for await (const line of createInterface({ input: answer }))
      if (line !== '') yield JSON.parse(line) as unknown
  }

  #send(url: string, question: NodeQuestion, signal: AbortSignal): Promise<IncomingMessage> {
    const target = `${NODE_PATH}?q=${Buffer.from(JSON.stringify(question)).toString('base64url')}`
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const request = url.startsWith('https:') ? httpsRequest : nodeHttp().request
    const headers = { authorization: sign(this.#keys.at(-1)!, target, this.#clock.now()) }
    const asked = request(`${url}${target}`, { headers, signal, agent: false }, answer => {
      if (answer.statusCode === 200) return resolve(answer)
      answer.resume()
      reject(new Error(`it answered ${answer.statusCode}`))
    })
    asked.on('error', reject)
    asked.setTimeout(SILENCE_MS_MAX, () => asked.destroy(new Error('it says nothing')))
    asked.end()
    return promise
  }
}

/** What a node is asked; throws INVALID_INPUT when it is nothing that nodes ask. */
export function readQuestion(text: string | undefined): NodeQuestion {
  try {
    const { ask, args } = JSON.parse(Buffer.from(text ?? '', 'base64url').toString()) as Partial<NodeQuestion>
    if (typeof ask === 'string' && Array.isArray(args)) return { ask, args }
  } catch {
    // said below
  }
  throw new AtelierError('INVALID_INPUT', 'This is no question of another node.')
}
