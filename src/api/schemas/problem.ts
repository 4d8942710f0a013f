import { AtelierError, type ErrorCode } from '../../core/index.ts'
import { type ModelSchema, model, ref } from './model.ts'
import { type TSchema, Type } from './type.ts'

export const ProblemSchema: ModelSchema = model(
  'Problem',
  'What went wrong, as RFC 9457 describes it.',
  {
    type: Type.String({ description: 'The kind of problem as a URN; ends with `code`.' }),
    title: Type.String({ description: 'The kind of problem in words.' }),
    status: Type.Integer({ description: 'The HTTP status.' }),
    detail: Type.String({ description: 'What happened here: names the thing and the way out.' }),
    instance: Type.String({ description: 'The request, to be found in the server’s log.' }),
    code: Type.String({ description: 'The code of the catalogue, for programs.' }),
    errors: Type.Optional(
      Type.Array(Type.Object({ pointer: Type.String(), detail: Type.String() }), {
        description: 'Each field that is wrong: a JSON pointer into the body, or the name of a parameter.',
      }),
    ),
    retryAfter: Type.Optional(Type.Integer({ description: 'Seconds after which to try again.' })),
  },
  {
    type: 'urn:atelier:problem:NOT_FOUND',
    title: 'There is no such thing',
    status: 404,
    detail: 'There is no app "shop" in project "default".',
    instance: 'urn:atelier:request:01k9zq5m3b8t5v2c7x4n6r1d0e',
    code: 'NOT_FOUND',
  },
)

/** The answers for errors, by status, each saying which codes it stands for. */
export function problemResponses(codes: readonly ErrorCode[]): Record<number, TSchema | object> {
  const byStatus = new Map<number, Set<string>>()
  for (const code of codes) {
    const { status, title } = new AtelierError(code, '')
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(`\`${code}\`: ${title}`))
  }
  const entry = (description: string) => ({
    description,
    content: { 'application/problem+json': { schema: ref(ProblemSchema) } },
  })
  const responses: Record<number, object> = {}
  for (const [status, lines] of byStatus) responses[status] = entry(`${[...lines].join('. ')}.`)
  return responses
}
