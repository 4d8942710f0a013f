import { readFileSync } from 'node:fs'

/** The version in package.json, which lies two folders up in the source and one in what is published. */
export function packageVersion(): string {
  for (const path of ['../../package.json', '../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
        name?: string
        version?: string
      }
      if (name === 'atelier' && version !== undefined) return version
    } catch {
      // the other one, then
    }
  }
  return 'unknown'
}
