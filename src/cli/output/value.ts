import { DRIVING } from './styles.ts'

/** JSON of `value`, in which nothing drives a terminal; read back, it is the same. */
export function jsonText(value: unknown, indent?: number): string {
  return quoted(JSON.stringify(value, null, indent))
}

/** YAML of `value`, as `jsonText`. */
export async function yamlText(value: unknown): Promise<string> {
  const { Document, visit } = await import('yaml')
  const document = new Document(value)
  visit(document, {
    Scalar(_key, node) {
      // Only between double quotes are there escapes.
      if (typeof node.value === 'string' && node.value.search(DRIVING) >= 0) node.type = 'QUOTE_DOUBLE'
    },
  })
  return quoted(document.toString())
}

function quoted(text: string): string {
  return text.replace(DRIVING, found => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
