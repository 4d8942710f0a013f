import type { QueueMessage } from '../source.ts'

/** An entry as a message. Fields are name, value, …; `dataField` is the one that is the message itself. */
export function messageOf(
  id: string,
  fields: readonly Buffer[],
  stream: string,
  dataField: string,
): QueueMessage {
  const headers: Record<string, string> = {}
  let data: Uint8Array | undefined
  let contentType: string | undefined
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = text(fields[i]!)
    const value = fields[i + 1]!
    if (name === dataField) data = value
    else if (name.toLowerCase() === 'content-type' || name === 'datacontenttype') contentType = text(value)
    else headers[name] = text(value)
  }
  return {
    id: `${stream}/${id}`,
    topic: stream,
    key: headers['atelier-key'] ?? headers['key'],
    // An entry without that field is its fields: that is how most programs write to a stream.
    data: data ?? Buffer.from(JSON.stringify(headers)),
    contentType: contentType ?? (data ? undefined : 'application/json'),
    headers: data ? headers : {},
    facts: { stream, entry: id },
    publishedAt: Number(id.split('-')[0]),
  }
}

/** Redis has bytes; names, ids and headers are text. */
export function text(bytes: Buffer | string): string {
  return typeof bytes === 'string' ? bytes : bytes.toString('utf8')
}
