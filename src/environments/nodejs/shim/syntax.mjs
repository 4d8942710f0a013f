// Node tells of a syntax error in an ES module without its place: another parser is asked where it is.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join, relative } from 'node:path'

const CODE = /\.[cm]?[jt]s$/
const FILES_MAX = 1000
const FILE_BYTES_MAX = 1024 * 1024

/** Adds `file:line` to the message of a syntax error that does not say which of the function's files it is in. */
export function placeSyntaxError(error, directory) {
  if (!(error instanceof SyntaxError) || String(error.stack).includes(directory)) return
  const place = findMistake(directory)
  if (place === undefined) return
  const message = error.message
  error.message = `${message} (${place})`
  error.stack = `SyntaxError: ${error.message}\n    at ${place}`
}

function findMistake(directory) {
  const emitWarning = process.emitWarning
  process.emitWarning = () => {} // the parser is experimental, and says so
  try {
    for (const file of sources(directory)) {
      try {
        if (statSync(file).size <= FILE_BYTES_MAX) stripTypeScriptTypes(readFileSync(file, 'utf8'))
      } catch (mistake) {
        const line = /^[^\n]*:(\d+)\n/.exec(mistake.stack)?.[1]
        return `${relative(directory, file)}${line === undefined ? '' : `:${line}`}`
      }
    }
  } finally {
    process.emitWarning = emitWarning
  }
}

function* sources(directory) {
  let seen = 0
  const folders = [directory]
  for (const folder of folders) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (++seen > FILES_MAX) return
      const path = join(folder, entry.name)
      if (entry.isDirectory() && entry.name !== 'node_modules') folders.push(path)
      else if (entry.isFile() && CODE.test(entry.name)) yield path
    }
  }
}
