/**
 * JSON as Python's `json.dumps` writes it, `", "` and `": "` between things and nothing but ASCII, since that is what functions behind
 * Picasso read. Numbers stay as they were written. `{}` for what is no JSON.
 */
export function payloadOf(body: Buffer): Buffer {
  const text = body.toString()
  try {
    JSON.parse(text)
  } catch {
    return Buffer.from('{}')
  }
  return Buffer.from(respaced(text))
}

function respaced(text: string): string {
  let out = ''
  let isInText = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!
    if (isInText) {
      out += text.charCodeAt(i) > 126 ? escaped(text.charCodeAt(i)) : character
      if (character === '\\') out += text[++i]!
      else if (character === '"') isInText = false
      continue
    }
    if (character === '"') isInText = true
    if (/\s/.test(character)) continue
    out += character
    if (character === ',' || character === ':') out += ' '
  }
  return out
}

function escaped(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
}
