/** Which of our languages stand for the images that Qinling's users run their functions in. Pure. */

export type Language = 'python' | 'nodejs'

/** What runs the functions of a runtime: a language of ours, or its image as it is. */
export type Runner =
  | { readonly kind: 'language'; readonly language: Language }
  | { readonly kind: 'image'; readonly image: string }

export function runnerOf(image: string): Runner {
  const language = languageOf(image)
  return language === undefined ? { kind: 'image', image } : { kind: 'language', language }
}

const LANGUAGES: readonly (readonly [RegExp, Language])[] = [
  [/^python[23]?(-runtime)?$/, 'python'],
  [/^(nodejs|node)(\d+)?(-runtime)?$/, 'nodejs'],
]

/** Who published them; an image of the same name of anybody else is another thing. */
const PUBLISHERS = ['openstackqinling', 'lingxiankong']

/** The language that runs functions of a runtime with this image; `undefined` for an image that must be run itself. */
export function languageOf(image: string): Language | undefined {
  const [path = ''] = image.split('@', 1)
  const parts = path.split('/')
  const name = (parts.at(-1) ?? '').split(':', 1)[0]!
  const publisher = parts.at(-2)
  if (publisher !== undefined && !PUBLISHERS.includes(publisher)) return undefined
  return LANGUAGES.find(([pattern]) => pattern.test(name))?.[1]
}

/** Our entry for one of Qinling's, which is parted at its last dot for Python and at its first for Node. */
export function entryOf(language: Language, entry: string): string | undefined {
  if (!/^[^\s:#\\]+\.[^\s:#\\]+$/.test(entry)) return undefined
  const dot = language === 'python' ? entry.lastIndexOf('.') : entry.indexOf('.')
  const [module, name] = [entry.slice(0, dot), entry.slice(dot + 1)]
  if (module === '' || name === '') return undefined
  return language === 'python' ? `${module}:${name}:qinling` : `${module}#${name}:qinling`
}
