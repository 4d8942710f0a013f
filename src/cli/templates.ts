import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Where the templates lie, beside this file: each a folder that can be deployed as it is. */
export const TEMPLATES_FOLDER = fileURLToPath(new URL('./templates/', import.meta.url))

/** The names of all templates, sorted. */
export function templateNames(): readonly string[] {
  return readdirSync(TEMPLATES_FOLDER, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(entry => entry.name)
    .sort()
}
