/** A copy of a text that is kept for long: a part of a longer one keeps all of that in memory. */
export function ownText(part: string): string {
  return Buffer.from(part).toString()
}

/** The bytes of `text`, with or without the padding at its end; `undefined` if it is no base64, which Node would pass over. */
export function bytesOfBase64(text: string): Buffer<ArrayBuffer> | undefined {
  const bytes = Buffer.from(text, 'base64')
  return withoutTail(bytes.toString('base64'), '=') === withoutTail(text, '=') ? bytes : undefined
}

/**
 * `text` without the `character`s that it ends with. For what strangers send: a pattern such as `/=+$/` begins anew at each of a million
 * characters that are not the last ones.
 */
export function withoutTail(text: string, character: string): string {
  let end = text.length
  while (end > 0 && text[end - 1] === character) end--
  return text.slice(0, end)
}
