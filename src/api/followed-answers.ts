import { PassThrough } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'

/** Answers that go on until their reader leaves; when the server stops, they end. */
export class FollowedAnswers {
  readonly #streams = new Map<PassThrough, string>() // to whose it is

  constructor(server: FastifyInstance) {
    server.addHook('preClose', async () => {
      for (const each of this.#streams.keys()) each.end()
    })
  }

  get size(): number {
    return this.#streams.size
  }

  sizeOf(owner: string): number {
    return [...this.#streams.values()].filter(each => each === owner).length
  }

  /**
   * One more. `begin` is called at once and returns what ends its work when the reader has left. While there is nothing to say, a blank
   * line each `heartbeatMs` keeps the connection alive.
   */
  open(
    reply: FastifyReply,
    options: {
      readonly owner: string
      readonly heartbeatMs: number
      readonly begin: (stream: PassThrough) => () => void
    },
  ): PassThrough {
    const stream = new PassThrough()
    stream.on('error', () => {}) // it may fail before the framework listens
    const stop = options.begin(stream) // first: one that cannot begin takes no place
    this.#streams.set(stream, options.owner)
    const heartbeat = setInterval(() => {
      if (stream.writableLength === 0) stream.write('\n')
    }, options.heartbeatMs)
    heartbeat.unref()
    const leave = (): void => {
      clearInterval(heartbeat)
      stop()
      this.#streams.delete(stream)
      stream.destroy()
    }
    stream.once('close', leave)
    reply.raw.once('close', leave)
    return stream
  }
}

/** Resolves when there is room for more, or nobody is left to read it. */
export function writeTo(stream: PassThrough, text: string): Promise<void> {
  if (stream.destroyed || stream.writableEnded || stream.write(text)) return Promise.resolve()
  return new Promise(resolve => {
    const done = (): void => {
      stream.off('drain', done).off('close', done)
      resolve()
    }
    stream.once('drain', done).once('close', done)
  })
}
