const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// Anything but tab, visible ASCII, space and Latin-1: what could split a message or cannot be sent at all.
const ILLEGAL_VALUE = /[^\t\x20-\x7e\x80-\xff]/
const HEADERS_MAX = 256
const HEADER_CHARACTERS_MAX = 64 * 1024

/**
 * What is wrong with a function's answer so that it cannot be sent (RFC 9110, 5.5 and 15), or `undefined` when it can. Hostile code
 * must not be able to write into the caller's connection what it likes.
 */
export function answerProblem(
  status: number,
  headers: readonly string[],
  webSocket: boolean,
): string | undefined {
  const isStatus = Number.isInteger(status) && status >= 200 && status <= 599
  if (!isStatus && !(webSocket && status === 101)) return `status ${status}; it must be from 200 to 599`
  if (headers === lastGood) return undefined
  const problem = headersProblem(headers)
  if (problem === undefined) lastGood = headers
  return problem
}

// The head that a function gives again and again comes as the same array.
let lastGood: readonly string[] | undefined

function headersProblem(headers: readonly string[]): string | undefined {
  if (headers.length % 2 !== 0) return 'a header without a value'
  if (headers.length > 2 * HEADERS_MAX) return `more than ${HEADERS_MAX} headers`
  let characters = 0
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const value = headers[i + 1]!
    characters += name.length + value.length
    if (!TOKEN.test(name)) return 'a header whose name is not a token'
    if (ILLEGAL_VALUE.test(value)) return `control characters in the header "${name}"`
  }
  if (characters > HEADER_CHARACTERS_MAX) return `more than ${HEADER_CHARACTERS_MAX} characters of headers`
  return undefined
}
