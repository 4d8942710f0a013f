import type { PassThrough } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { AtelierError, type LogLine } from '../../core/index.ts'
import { NODE_PATH, readQuestion } from '../../nodes/index.ts'
import { answerNode } from '../../telemetry/index.ts'
import { FollowedAnswers, writeTo } from '../followed-answers.ts'
import type { ApiParts } from '../parts.ts'

const HEARTBEAT_MS = 1_000 // a node that follows notices within seconds that this one is gone
const FOLLOWERS_MAX = 500

/** What other nodes on the same database ask; for everybody else there is nothing here. */
export function nodeRoutes(server: FastifyInstance, { nodes, telemetryHere }: ApiParts): void {
  if (!nodes || !telemetryHere) return
  const followers = new FollowedAnswers(server)

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
    reply.type('application/x-ndjson')
    return followers.open(reply, {
      owner: '',
      heartbeatMs: HEARTBEAT_MS,
      begin(stream) {
        const stop = begin(line => writeTo(stream, `${JSON.stringify(line)}\n`))
        stream.write('\n') // the head leaves at once
        return stop
      },
    })
  }
}
