const KEPT_CHARACTERS_MAX = 256 * 1024

/** The end of what a build says, for the builds that fail: the reason is at the end. */
export class LogEnd {
  #text = ''
  #cut = false

  add(text: string): void {
    this.#text += text
    if (this.#text.length <= KEPT_CHARACTERS_MAX * 2) return
    this.#text = this.#text.slice(-KEPT_CHARACTERS_MAX)
    this.#cut = true
  }

  get text(): string {
    return keepEnd(this.#text, this.#cut)
  }
}

/** A finished log, cut to what is kept. */
export function keepEnd(text: string, cut = false): string {
  if (text.length <= KEPT_CHARACTERS_MAX && !cut) return text
  return `… (the beginning is not kept)\n${text.slice(-KEPT_CHARACTERS_MAX)}`
}
