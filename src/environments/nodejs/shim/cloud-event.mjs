// CloudEvents 1.0 of a request, in the binary or the structured mode, as one plain object.

const STRUCTURED = /^application\/cloudevents\+json\s*(?:;|$)/i
const BATCH = /^application\/cloudevents-batch\b/i
const JSON_TYPE = /^(?:application|text)\/(?:[\w.-]+\+)?json\s*(?:;|$)/i
const TEXT = /^text\//i

/** The event, with `data` as its type says: JSON read, text, else a `Buffer`; `undefined` when the request is none. */
export async function cloudEventOf(request) {
  const type = request.headers.get('content-type') ?? ''
  if (STRUCTURED.test(type)) {
    const { data_base64: base64, ...event } = await request.json()
    return base64 === undefined ? event : { ...event, data: Buffer.from(base64, 'base64') }
  }
  if (BATCH.test(type))
    throw new TypeError('The request is a batch of CloudEvents: request.json() has them all.')
  if (request.headers.get('ce-specversion') === null) return undefined
  const event = {}
  for (const [name, value] of request.headers)
    if (name.startsWith('ce-')) event[name.slice(3)] = textOf(value)
  if (type !== '') event.datacontenttype = type
  const bytes = Buffer.from(await request.arrayBuffer())
  if (bytes.length > 0) event.data = dataOf(bytes, type)
  return event
}

// An event that names no type of its data has JSON (CloudEvents 1.0, 3.1.1).
function dataOf(bytes, type) {
  if (type === '' || JSON_TYPE.test(type)) return JSON.parse(bytes.toString())
  return TEXT.test(type) ? bytes.toString() : bytes
}

/** A header's value: it may be quoted, and is percent-encoded. A percent sign that codes nothing stands for itself. */
function textOf(value) {
  const text = /^".*"$/.test(value) ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value
  return text.replace(/(?:%[0-9a-f]{2})+/gi, coded => {
    try {
      return decodeURIComponent(coded)
    } catch {
      return coded
    }
  })
}
