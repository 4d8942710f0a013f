// A complete body by its content type, as Express and its relatives give it to handlers.

/** JSON as its value, forms as an object, text as a string, the rest as bytes. Rejects JSON that is none. */
export function parseBody(type, bytes) {
  if (bytes.length === 0) return {}
  if (type === null || type === undefined) return bytes
  if (/^application\/([\w.-]+\+)?json\b/i.test(type)) return JSON.parse(bytes.toString())
  if (/^application\/x-www-form-urlencoded\b/i.test(type)) {
    return Object.fromEntries(new URLSearchParams(bytes.toString()))
  }
  return /^text\//i.test(type) ? bytes.toString() : bytes
}
