import { createHash } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AtelierError } from '../core/index.ts'
import { type IdempotencyStore, keyOfAnother } from './idempotency-store.ts'
import type { ApiLog } from './log.ts'
import { PROBLEM_TYPE, problemOf } from './problem.ts'

const BODY_BYTES_KEPT = 256 * 1024 // of an answer; a longer one is not repeated but refused
const KEY = /^[\x21-\x7e]{1,200}$/
const HEADERS_KEPT = ['content-type', 'etag', 'location', 'atelier-invocation-id'] as const

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Reads a streamed body to its end, and no more than it may have, for what `bodyDigest` would be of it. */
    digestBody?: (request: FastifyRequest) => Promise<string>
  }
  interface FastifyRequest {
    /** The key that this request holds until it is answered. */
    idempotencyKey: string | null
    /** Set by a handler that has read a streamed body to its end: what tells it from others. */
    bodyDigest: string | null
    /** Whether the answer stands for what was asked; `undefined`: the status tells, below 400 it does. */
    answerCounts: boolean | undefined
  }
}

/**
 * `Idempotency-Key` on the operations that declare it: the first request runs, and its answer is kept; a repetition gets the
 * same answer with `idempotency-replayed: true`. Failures are not kept: there trying again is the point. A function's own
 * answer always is, whatever its status. A key is held as long as its request is at work, also when the client has left: what was
 * done is then known to the repetition. Packages are told apart by what is in them, calls by their address alone.
 */
export function honourIdempotencyKeys(server: FastifyInstance, store: IdempotencyStore, log: ApiLog): void {
  server.decorateRequest('idempotencyKey', null)
  server.decorateRequest('bodyDigest', null)
  server.decorateRequest('answerCounts', undefined)

  server.addHook('preHandler', async (request, reply) => {
    const key = request.headers['idempotency-key']
    if (key === undefined || !request.routeOptions.config.idempotent || !request.principal) return
    if (typeof key !== 'string' || !KEY.test(key))
      throw new AtelierError('INVALID_INPUT', 'Idempotency-Key must be 1 to 200 printable characters.', {
        errors: [{ pointer: 'idempotency-key', detail: 'must be 1 to 200 printable characters' }],
      })
    const before = await store.begin(request.principal, key, fingerprintOf(request))
    if (!before) {
      request.idempotencyKey = key
      return
    }
    if (!(await isSame(request, before.fingerprint))) throw keyOfAnother(key)
    request.raw.resume() // the body that nobody reads again
    reply.headers(before.headers).header('idempotency-replayed', 'true').code(before.status)
    await reply.send(before.body.length > 0 ? before.body : undefined)
  })

  server.addHook('onSend', async (request, reply, payload) => {
    if (request.idempotencyKey === null) return payload
    if (payload instanceof Readable) return captured(request, reply, payload)
    await finish(request, reply, asBuffer(payload))
    return payload
  })

  async function finish(
    request: FastifyRequest,
    reply: FastifyReply,
    body: Buffer | undefined,
  ): Promise<void> {
    const key = request.idempotencyKey
    if (key === null || !request.principal) return
    request.idempotencyKey = null
    const by = request.principal
    if (!(request.answerCounts ?? reply.statusCode < 400)) return store.release(by, key)
    const headers: Record<string, string> = {}
    for (const name of HEADERS_KEPT) {
      const value = reply.getHeader(name)
      if (value !== undefined) headers[name] = String(value)
    }
    const fingerprint = fingerprintOf(request, request.bodyDigest)
    if (body) return store.complete(by, key, { status: reply.statusCode, headers, body }, fingerprint)
    const tooLong = new AtelierError(
      'CONFLICT',
      'This request was answered, but its answer was too long to be kept.',
    )
    const kept = {
      status: tooLong.status,
      headers: { 'content-type': PROBLEM_TYPE },
      body: Buffer.from(JSON.stringify(problemOf(tooLong, request.id))),
    }
    return store.complete(by, key, kept, fingerprint)
  }

  async function release(request: FastifyRequest): Promise<void> {
    const key = request.idempotencyKey
    if (key === null || !request.principal) return
    request.idempotencyKey = null
    await store.release(request.principal, key).catch((error: unknown) => {
      log.warn({ requestId: request.id, cause: String(error) }, 'An idempotency key could not be given back')
    })
  }

  /** Passes the stream on and keeps a copy; the answer counts as given when the stream has ended. */
  function captured(request: FastifyRequest, reply: FastifyReply, source: Readable): Readable {
    let kept: Buffer[] | undefined = []
    let bytes = 0
    const target = new PassThrough({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length
        if (bytes > BODY_BYTES_KEPT) kept = undefined
        else kept?.push(Buffer.from(chunk))
        done(null, chunk)
      },
      flush(done) {
        finish(request, reply, kept && Buffer.concat(kept)).then(() => done(), done)
      },
    })
    target.on('error', () => {}) // it may fail before the framework listens
    source.on('error', error => target.destroy(error))
    target.on('close', () => {
      source.destroy()
      if (request.idempotencyKey !== null) void release(request) // it broke off: nobody knows what was said
    })
    return source.pipe(target)
  }
}

/** Whether a repetition asks for the same; a streamed body is read to its end to know. */
async function isSame(request: FastifyRequest, before: string): Promise<boolean> {
  if (fingerprintOf(request) === before) return true
  const digest = await request.routeOptions.config.digestBody?.(request)
  return digest !== undefined && fingerprintOf(request, digest) === before
}

function fingerprintOf(request: FastifyRequest, bodyDigest: string | null = null): string {
  const body =
    bodyDigest ?? (request.body === undefined || request.body === null ? '' : JSON.stringify(request.body))
  return createHash('sha256').update(`${request.method} ${request.url}\n${body}`).digest('hex')
}

function asBuffer(payload: unknown): Buffer {
  if (typeof payload === 'string') return Buffer.from(payload)
  return Buffer.isBuffer(payload) ? payload : Buffer.alloc(0)
}
