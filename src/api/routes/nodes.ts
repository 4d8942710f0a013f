import { PassThrough } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { AtelierError, type LogLine } from '../../core/index.ts'
import { NODE_PATH, readQuestion } from '../../nodes/index.ts'
import { answerNode } from '../../telemetry/index.ts'
import type { ApiParts } from '../parts.ts'

const HEARTBEAT_MS = 1_000 // a node that follows notices within seconds that this one is gone
const FOLLOWERS_MAX = 500

/** What other nodes on the same database ask; for everybody else there is nothing here. */
export function nodeRoutes(server: FastifyInstance, { nodes, telemetryHere }: ApiParts): void {
  if (!nodes || !telemetryHere) return
  const followers = new Set<PassThrough>()
  server.addHook('preClose', async () => {
    for (const each of followers) each.end()
  })

  server.get<{ Querystring: { q?: string } }>(
    NODE_PATH,
    { schema: { hide: true }, config: { anonymous: true } },
    async (request, reply) => {
      if (!nodes.peers.isPeer(request.raw.url ?? '', request.headers.authorization))
        throw new AtelierError('NOT_FOUND', 'There is nothing at this address.')
      const question = readQuestion(request.query.q)
      let stream: PassThrough | undefined
      const answer = await answerNode(telemetryHere, question, begin => {
        stream = follow(reply, begin)
      })
      return stream ?? answer
    },
  )

  function follow(
    reply: FastifyReply,
    begin: (onLine: (line: LogLine) => void | Promise<void>) => () => void,
  ): PassThrough {
    if (followers.size >= FOLLOWERS_MAX)
      throw new AtelierError('TOO_MANY_REQUESTS', 'Too many logs are followed here; try again later.', {
        retryAfterS: 30,
      })
    const stream = new PassThrough()
    stream.on('error', () => {}) // it may fail before the framework listens
    followers.add(stream)
    const stop = begin(line => {
      if (stream.destroyed || stream.writableEnded || stream.write(`${JSON.stringify(line)}\n`)) return
      return new Promise(resolve => {
        const done = (): void => {
          stream.off('drain', done).off('close', done)
          resolve()
        }
        stream.once('drain', done).once('close', done)
      })
    })
    const heartbeat = setInterval(() => {
      if (stream.writableLength === 0) stream.write('\n')
    }, HEARTBEAT_MS)
    heartbeat.unref()
    const leave = (): void => {
      clearInterval(heartbeat)
      stop()
      followers.delete(stream)
      stream.destroy()
    }
    stream.once('close', leave)
    reply.raw.once('close', leave)
    reply.type('application/x-ndjson')
    stream.write('\n') // the head leaves at once
    return stream
  }
}
