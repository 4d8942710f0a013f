/** A copy of a text that is kept for long: a part of a longer one keeps all of that in memory. */
export function ownText(part: string): string {
  return Buffer.from(part).toString()
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
