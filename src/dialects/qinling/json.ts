import { pythonBytes } from '../python-json.ts'

/** JSON as clients of Qinling know it, which Python's `json.dumps` wrote. `text` must be valid. */
export function respaced(text: string): string {
  return pythonBytes(text).toString('latin1')
}

export function pythonJson(value: unknown): string {
  return respaced(JSON.stringify(value))
}
