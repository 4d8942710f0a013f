import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AtelierError } from '../core/index.ts'
import { answerHeaders } from '../core/index.ts'
import type { InvokeHandle, InvokeSink } from '../invoker/index.ts'

/** One call's answer on its way to the caller, with back-pressure both ways. */
export class CallAnswer {
  readonly sink: InvokeSink
  readonly #request: FastifyRequest
  readonly #reply: FastifyReply
  readonly #body: Readable
  readonly #settled = Promise.withResolvers<AtelierError | undefined>()
  #handle: InvokeHandle | undefined
  #unread = 0
  #head = false

  constructor(request: FastifyRequest, reply: FastifyReply) {
    this.#request = request
    this.#reply = reply
    // The reader asking for more is the sign that what it has is on its way: only then may the function send more.
    this.#body = new Readable({
      read: () => this.#returnCredit(),
      destroy: (error, done) => {
        this.#handle?.cancel()
        done(error)
      },
    })
    // It may fail before anybody listens: a function that dies right after its head must not take the server with it.
    this.#body.on('error', () => {})
    this.sink = {
      onHead: (status, headers) => this.#onHead(status, headers),
      onData: chunk => {
        this.#unread += chunk.length
        if (this.#body.push(chunk)) this.#returnCredit()
      },
      onDrain: () => this.#request.raw.resume(),
      onEnd: () => this.#body.push(null),
      onFail: error => {
        if (this.#head) this.#body.destroy(error)
        else this.#settled.resolve(error)
      },
    }
  }

  /** Sends the answer when its head is there; rejects with the error that came instead. */
  async deliver(handle: InvokeHandle, hasBody: boolean): Promise<FastifyReply> {
    this.#handle = handle
    const reply = this.#reply
    reply.header('atelier-invocation-id', handle.id)
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) handle.cancel()
    })
    if (hasBody) this.#sendBody(handle)
    const error = await this.#settled.promise
    if (error) {
      this.#request.raw.resume()
      throw error
    }
    const bodiless = this.#request.method === 'HEAD' || reply.statusCode === 204 || reply.statusCode === 304
    if (!bodiless) return reply.send(this.#body)
    this.#body.resume()
    return reply.send()
  }

  #sendBody(handle: InvokeHandle): void {
    const { raw } = this.#request
    raw.on('data', (chunk: Buffer) => {
      if (!handle.write(chunk)) raw.pause()
    })
    raw.once('end', () => handle.end())
    raw.once('error', () => handle.cancel())
  }

  #onHead(status: number, headers: readonly string[]): void {
    this.#head = true
    this.#request.answerCounts = true
    this.#reply.code(status)
    for (const [name, value] of answerHeaders(headers)) this.#reply.header(name, value)
    // What a function says must never be a page of the API's origin.
    this.#reply.header('content-security-policy', 'sandbox')
    this.#settled.resolve(undefined)
  }

  #returnCredit(): void {
    if (this.#unread === 0 || !this.#handle) return
    const bytes = this.#unread
    this.#unread = 0
    this.#handle.consumed(bytes)
  }
}
