/**
 * `text` without the `character`s that it ends with. For what strangers send: a pattern such as `/=+$/` begins anew at each of a million
 * characters that are not the last ones.
 */
export function withoutTail(text: string, character: string): string {
  let end = text.length
  while (end > 0 && text[end - 1] === character) end--
  return text.slice(0, end)
}
