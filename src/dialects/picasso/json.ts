import { pythonBytes } from '../python-json.ts'

/** JSON as functions behind Picasso read it, which Python's `json.dumps` wrote. `{}` for what is no JSON. */
export function payloadOf(body: Buffer): Buffer {
  const text = body.toString()
  try {
    JSON.parse(text)
  } catch {
    return Buffer.from('{}')
  }
  return Buffer.from(pythonBytes(text))
}
