import type { FastifyInstance } from 'fastify'
import type { NewAsyncCall } from '../../async/index.ts'
import {
  AtelierError,
  bytesOfBase64,
  canonicalPath,
  type InputError,
  requestHeaders,
} from '../../core/index.ts'
import { functionNamed } from '../function-named.ts'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { AcceptedSchema } from '../schemas/async.ts'
import { exactly, FunctionParams } from '../schemas/inputs.ts'
import { listOf } from '../schemas/model.ts'
import { type Static, Type } from '../schemas/type.ts'
import { msOf } from '../views.ts'

const CALLS_MAX = 1_000
const TOKEN = /^[!#$%&'*+.^_`|~\w-]{1,100}$/
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const PATH_AND_QUERY = /^([^?#]*)(\?[\x21\x22\x24-\x7e]*)?$/

const key = Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]{1,200}$' }))
const ms = (minimum: number) => Type.Optional(Type.Integer({ minimum, maximum: 366 * 86_400_000 }))

const OneCall = exactly({
  body: Type.Optional(
    Type.Unsafe<unknown>({ description: 'JSON that the function gets as `application/json`.' }),
  ),
  text: Type.Optional(Type.String({ description: 'Instead of `body`: plain text.' })),
  base64: Type.Optional(Type.String({ description: 'Instead of `body`: any bytes.' })),
  headers: Type.Optional(Type.Record(Type.String(), Type.String(), { maxProperties: 64 })),
  method: Type.Optional(Type.Enum(['POST', 'PUT', 'PATCH', 'GET', 'DELETE'])),
  path: Type.Optional(
    Type.String({ maxLength: 8_192, description: 'Path and query that the function sees. Default `/`.' }),
  ),
  delayMs: ms(0),
  runAt: Type.Optional(Type.String({ format: 'date-time' })),
  orderingKey: key,
  idempotencyKey: key,
  maxAgeMs: ms(1),
  attemptsMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
})
type OneCall = Static<typeof OneCall>

/** Many asynchronous calls of one function in one request, all or none. */
export function asyncBatchRoute(server: FastifyInstance, parts: ApiParts): void {
  const { async, asyncUrl, table, clock } = parts

  operation(server, {
    method: 'POST',
    path: '/apps/{app}/functions/{function}/async-invocations',
    id: 'invokeAsyncBatch',
    tag: 'calls',
    summary: 'Accept many asynchronous calls at once, all or none',
    needs: 'invoke',
    idempotent: true,
    params: FunctionParams,
    query: exactly({ qualifier: Type.Optional(Type.String({ maxLength: 100 })) }),
    body: exactly(
      { calls: Type.Array(OneCall, { minItems: 1, maxItems: CALLS_MAX }) },
      { examples: [{ calls: [{ body: { order: 17 } }, { body: { order: 18 }, delayMs: 60_000 }] }] },
    ),
    answers: { 202: listOf(AcceptedSchema) },
    errors: ['TOO_MANY_REQUESTS', 'STORAGE_FULL'],
    handle: async ({ by, params, query, body }) => {
      const target = functionNamed(table, by, params.app, params.function)
      const errors: InputError[] = []
      const now = clock.now()
      const calls = body.calls.map((call, i): NewAsyncCall => {
        const wrong = (field: string, detail: string): void =>
          void errors.push({ pointer: `/calls/${i}/${field}`, detail })
        const content = contentOf(call, wrong)
        return {
          projectId: target.projectId,
          functionId: target.id,
          qualifier: query.qualifier,
          trigger: 'invoke',
          method: call.method ?? 'POST',
          path: pathOf(call, wrong),
          headers: headersOf(call, content.type, wrong),
          body: content.bytes,
          runAt: runAtOf(call, now, wrong),
          orderingKey: call.orderingKey,
          idempotencyKey: call.idempotencyKey,
          maxAgeMs: call.maxAgeMs,
          attemptsMax: call.attemptsMax,
        }
      })
      if (errors.length > 0)
        throw new AtelierError(
          'INVALID_INPUT',
          `${errors
            .slice(0, 5)
            .map(each => `${each.pointer} ${each.detail}`)
            .join('; ')}.`,
          { errors: errors.slice(0, 20) },
        )
      const accepted = await async.accept(calls)
      return {
        items: accepted.map(({ id, duplicate }) => ({ id, state: 'accepted', duplicate, url: asyncUrl(id) })),
      }
    },
  })
}

type Wrong = (field: string, detail: string) => void

function contentOf(call: OneCall, wrong: Wrong): { readonly type?: string; readonly bytes: Buffer | null } {
  const given = (['body', 'text', 'base64'] as const).filter(field => call[field] !== undefined)
  if (given.length > 1) wrong(given[1]!, `and "${given[0]}" cannot both be meant`)
  if (call.body !== undefined)
    return { type: 'application/json', bytes: Buffer.from(JSON.stringify(call.body)) }
  if (call.text !== undefined) return { type: 'text/plain; charset=utf-8', bytes: Buffer.from(call.text) }
  if (call.base64 === undefined) return { bytes: null }
  const bytes = bytesOfBase64(call.base64)
  if (!bytes) wrong('base64', 'is not base64')
  return { type: 'application/octet-stream', bytes: bytes ?? null }
}

/** As from a client's request: what only the platform says to a function is left out. */
function headersOf(call: OneCall, contentType: string | undefined, wrong: Wrong): string[] {
  const raw: string[] = []
  let hasType = false
  for (const [name, value] of Object.entries(call.headers ?? {})) {
    if (!TOKEN.test(name))
      wrong('headers', `${JSON.stringify(name.slice(0, 80))} is not the name of a header`)
    else if (!FIELD_VALUE.test(value)) wrong(`headers/${name}`, 'holds characters that no header may')
    hasType ||= name.toLowerCase() === 'content-type'
    raw.push(name, value)
  }
  if (!hasType && contentType !== undefined) raw.push('content-type', contentType)
  return requestHeaders(raw)
}

function pathOf({ path = '/' }: OneCall, wrong: Wrong): string {
  const parts = PATH_AND_QUERY.exec(path)
  const canonical = parts && canonicalPath(parts[1]!)
  if (canonical !== undefined && canonical !== null) return canonical + (parts?.[2] ?? '')
  wrong('path', 'is not one path beyond doubt: begin with "/" and percent-encode what is special')
  return '/'
}

function runAtOf({ delayMs, runAt }: OneCall, now: number, wrong: Wrong): number | undefined {
  if (delayMs !== undefined && runAt !== undefined) wrong('runAt', 'and "delayMs" cannot both be meant')
  if (delayMs !== undefined) return now + delayMs
  return runAt === undefined ? undefined : msOf(runAt)
}
