import type { FastifyRequest } from 'fastify'
import type { DialectRecord } from '../../control/index.ts'
import { FnError } from './answers.ts'

const PER_PAGE_DEFAULT = 30
const PER_PAGE_MAX = 100

/** One page of things that are sorted by name, as Fn's lists are asked for: `name`, `cursor`, `per_page`. */
export function pageOf<T extends { readonly name: string }, V>(
  request: FastifyRequest,
  found: readonly DialectRecord<T>[],
  view: (record: DialectRecord<T>) => V,
): { items: V[]; next_cursor?: string } {
  const query = request.query as {
    readonly name?: string
    readonly cursor?: string
    readonly per_page?: string
  }
  const perPage = query.per_page === undefined ? PER_PAGE_DEFAULT : Number(query.per_page)
  if (!Number.isInteger(perPage) || perPage < 1)
    throw new FnError(400, 'per_page must be a whole number from 1 to 100')
  const size = Math.min(perPage, PER_PAGE_MAX)
  const after = query.cursor === undefined ? '' : Buffer.from(query.cursor, 'base64url').toString()
  const left = found.filter(
    ({ body }) => body.name > after && (query.name === undefined || body.name === query.name),
  )
  const page = left.slice(0, size)
  const last = left.length > size ? page.at(-1) : undefined
  return {
    items: page.map(view),
    ...(last && { next_cursor: Buffer.from(last.body.name).toString('base64url') }),
  }
}

/** A part of the query that names one thing. */
export function asked(request: FastifyRequest, field: string): string | undefined {
  const value = (request.query as Record<string, unknown>)[field]
  return typeof value === 'string' && value !== '' ? value : undefined
}
