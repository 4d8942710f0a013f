import { type CompiledQuery, RawNode, SelectQueryNode } from 'kysely'

/** Whether a statement only reads. */
export function isRead({ query, sql }: CompiledQuery): boolean {
  return SelectQueryNode.is(query) || (RawNode.is(query) && /^\s*select\b/i.test(sql))
}

/** What every connection answers when rows are to be streamed: they would hold it for as long as their reader takes. */
export function streamQuery(): never {
  throw new Error('Rows are not streamed from this store: read them in pages.')
}
