/** JSON as Python's `json.dumps` writes it, which is how clients of Qinling know it. Pure. */

/** The same JSON text with Python's spaces, in ASCII; numbers stay as they are written. `text` must be valid. */
export function respaced(text: string): string {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs) ?? []
  return tokens.map(token => (token === ',' ? ', ' : token === ':' ? ': ' : inAscii(token))).join('')
}

export function pythonJson(value: unknown): string {
  return respaced(JSON.stringify(value))
}

function inAscii(text: string): string {
  return text.replaceAll(
    /[\u007f-\uffff]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
