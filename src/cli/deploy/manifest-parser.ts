import { type Document, isMap, isPair, isScalar, LineCounter, parseDocument } from 'yaml'
import { CliFailure, EXIT } from '../failure.ts'
import type { Manifest } from './manifest.ts'
import { checkManifest, type ManifestProblem } from './manifest-rules.ts'

/** The manifest in a file's text. Throws a usage failure that lists each mistake with its line. */
export function parseManifest(text: string, file: string): Manifest {
  if (text.trim() === '') return {}
  if (file.endsWith('.json')) checkJson(text, file) // YAML forgives what JSON does not, and so other tools would stumble
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const [error] = document.errors
  if (error)
    throw new CliFailure(
      EXIT.usage,
      `${file}:${lines.linePos(error.pos[0]).line}: ${firstLine(error.message)}`,
    )
  const value: unknown = document.toJS({ maxAliasCount: 0 })
  const problems = checkManifest(value)
  if (problems.length === 0) return value as Manifest
  const located = problems.map(
    problem =>
      `${file}:${lineOf(document, lines, problem)}: ${problem.path.join('.') || 'the file'} ${problem.detail}`,
  )
  const hint = problems.map(problem => problem.hint).find(one => one !== undefined)
  throw new CliFailure(EXIT.usage, located[0]!, { details: located.slice(1), hint })
}

function checkJson(text: string, file: string): void {
  try {
    JSON.parse(text)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const line = /\(line (\d+) column (\d+)\)/.exec(message)?.[1] ?? text.split('\n').length
    throw new CliFailure(
      EXIT.usage,
      `${file}:${line}: this is not valid JSON: ${firstLine(message).replace(/ in JSON at position.*| \(line.*/, '')}`,
      {
        hint: 'Look for a missing or surplus comma or quote in that line or the one before.',
      },
    )
  }
}

/** The line of the field itself, or for an unknown field that of its name. */
function lineOf(document: Document, lines: LineCounter, problem: ManifestProblem): number {
  for (let length = problem.path.length; length > 0; length--) {
    const path = problem.path.slice(0, length)
    const parent = document.getIn(path.slice(0, -1), true) ?? document.contents
    const key = path.at(-1)
    const pair = isMap(parent)
      ? parent.items.find(item => isPair(item) && isScalar(item.key) && item.key.value === key)
      : undefined
    const node = pair && isScalar(pair.key) ? pair.key : document.getIn(path, true)
    const start =
      typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)
        ? Number(node.range[0])
        : undefined
    if (start !== undefined) return lines.linePos(start).line
  }
  return 1
}

function firstLine(text: string): string {
  return text.split('\n')[0]!
}
