/** The fenced blocks of shell commands of a page in Markdown, as they are printed. */
export function commandBlocks(page: string): string[] {
  return [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(match => match[1]!.trimEnd())
}
