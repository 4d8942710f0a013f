import type { PassThrough } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { AtelierError, type LogLine } from '../../core/index.ts'
import type { LogFilter } from '../../telemetry/index.ts'
import { FollowedAnswers, writeTo } from '../followed-answers.ts'
import { operation } from '../operation.ts'
import { API_LIMITS_DEFAULT, type ApiParts } from '../parts.ts'
import { LogLineSchema } from '../schemas/calls.ts'
import { exactly, FunctionParams } from '../schemas/inputs.ts'
import { ref } from '../schemas/model.ts'
import { Type } from '../schemas/type.ts'
import { logView, msOf } from '../views.ts'

export function logRoutes(server: FastifyInstance, { control, telemetry, limits }: ApiParts): void {
  const { heartbeatMs, followersMax, followersPerProjectMax } = { ...API_LIMITS_DEFAULT, ...limits }
  const followers = new FollowedAnswers(server)

  operation(server, {
    method: 'GET',
    path: '/apps/{app}/functions/{function}/logs',
    id: 'readLogs',
    tag: 'logs',
    summary: 'Read or follow what a function writes',
    description:
      'NDJSON, a `LogLine` on each line, oldest first. With `follow=true` the answer goes on until the caller leaves; a blank line every few seconds keeps it alive.',
    needs: 'read',
    params: FunctionParams,
    query: exactly({
      follow: Type.Optional(Type.Boolean()),
      since: Type.Optional(Type.String({ format: 'date-time' })),
      until: Type.Optional(Type.String({ format: 'date-time', description: 'Only lines that came before.' })),
      invocation: Type.Optional(Type.String({ maxLength: 100 })),
      version: Type.Optional(Type.Integer({ minimum: 1 })),
      contains: Type.Optional(
        Type.String({ maxLength: 256, description: 'Only lines with this text in them.' }),
      ),
      limit: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: 10_000,
          description: 'At most this many of the past. Default 1000.',
        }),
      ),
    }),
    answersIn: 'application/x-ndjson',
    answers: { 200: ref(LogLineSchema, 'One of the lines.') },
    errors: ['TOO_MANY_REQUESTS'],
    handle: async ({ by, params, query, reply }) => {
      const { id } = await control.getFunction(by, params.app, params.function)
      const filter: LogFilter = {
        functionId: id,
        ...(query.since !== undefined && { sinceMs: msOf(query.since) }),
        ...(query.until !== undefined && { untilMs: msOf(query.until) }),
        ...(query.invocation !== undefined && { invocationId: query.invocation }),
        ...(query.version !== undefined && { version: query.version }),
        ...(query.contains !== undefined && { contains: query.contains }),
      }
      reply.type('application/x-ndjson')
      const limit = query.limit ?? 1000
      if (query.follow) return follow(by.projectId, filter, limit, reply)
      const lines = limit === 0 ? [] : await telemetry.listLogs(by.projectId, filter, limit)
      return lines.map(textOf).join('')
    },
  })

  async function follow(
    projectId: string,
    filter: LogFilter,
    limit: number,
    reply: FastifyReply,
  ): Promise<PassThrough> {
    const ofProject = followers.sizeOf(projectId)
    if (followers.size >= followersMax || ofProject >= followersPerProjectMax)
      throw new AtelierError(
        'TOO_MANY_REQUESTS',
        `${ofProject} logs of this project are being followed already; try again later.`,
        {
          retryAfterS: 30,
        },
      )
    return followers.open(reply, {
      owner: projectId,
      heartbeatMs,
      begin(stream) {
        let before: Promise<void>
        const stop = telemetry.followLogs(projectId, filter, async line => {
          await before
          await writeTo(stream, textOf(line))
        })
        // In the same tick as `followLogs`: what was said before is listed, what is said from now on follows.
        const past = limit === 0 ? Promise.resolve([]) : telemetry.listLogs(projectId, filter, limit)
        before = past.then(lines => writeTo(stream, lines.map(textOf).join('') || '\n'))
        // The first bytes make the head leave at once, so that the caller knows that it is listening.
        before.catch(error => stream.destroy(error as Error))
        return stop
      },
    })
  }
}

function textOf(line: LogLine): string {
  return `${JSON.stringify(logView(line))}\n`
}
