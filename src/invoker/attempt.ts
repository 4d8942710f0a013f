import type { Attempt } from './call.ts'

const NAME = 'atelier-attempt'

/** `headers` with the number of the attempt; what somebody else says of it is taken away. A direct call keeps its own. */
export function withAttempt(headers: string[], attempt: Attempt | undefined): string[] {
  if (!attempt) return headers
  const result: string[] = []
  for (let i = 0; i + 1 < headers.length; i += 2)
    if (headers[i] !== NAME) result.push(headers[i]!, headers[i + 1]!)
  result.push(NAME, String(attempt.number))
  return result
}
