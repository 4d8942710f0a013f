/**
 * What goes over the wire: the nouns of `core` with times as RFC 3339 text, and the few shapes that only the API has. A
 * client reads what it knows and ignores the rest, so a newer server is no problem.
 */
export type Wire<T> = { readonly [K in keyof T]: K extends TimeKey ? string : T[K] }

type TimeKey =
  | 'at'
  | 'createdAt'
  | 'updatedAt'
  | 'startedAt'
  | 'expiresAt'
  | 'acceptedAt'
  | 'dueAt'
  | 'endedAt'
  | 'keptUntil'
  | 'oldestDueAt'
