import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { AtelierError } from '../core/index.ts'

/** Settings by name from a file of YAML or JSON, not yet checked. Throws INVALID_INPUT for one that is neither. */
export function readConfigFile(path: string): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new AtelierError('INVALID_INPUT', `The configuration file ${path} cannot be read.`, { cause })
  }
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    const where = /at line \d+, column \d+/.exec(String(cause))?.[0] ?? 'somewhere'
    throw new AtelierError(
      'INVALID_INPUT',
      `The configuration file ${path} is neither YAML nor JSON (${where}).`,
      { cause },
    )
  }
  if (value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value))
    throw new AtelierError('INVALID_INPUT', `The configuration file ${path} must hold settings by name.`)
  return value as Record<string, unknown>
}
