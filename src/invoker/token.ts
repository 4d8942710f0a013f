const NAMES: readonly string[] = ['atelier-auth-token', 'atelier-auth-url', 'atelier-project-id']

/** `headers` with the function's token; what somebody else says of one is taken away. */
export function withToken(headers: string[], fields: readonly string[] | undefined): string[] {
  if (!fields) return headers
  const result: string[] = []
  for (let i = 0; i + 1 < headers.length; i += 2)
    if (!NAMES.includes(headers[i]!)) result.push(headers[i]!, headers[i + 1]!)
  result.push(...fields)
  return result
}
