/**
 * Which files of a folder stay at home, in the language of .gitignore. Pure: patterns in, a question answered.
 * A later pattern wins over an earlier one, and `!pattern` takes a file back in.
 */
export interface IgnoreRules {
  /** `path` is relative to the folder, with `/`. An ignored folder is not entered, so nothing below it is asked for. */
  ignores(path: string, isFolder: boolean): boolean
}

/** Always first, so that a folder's own .atelierignore can take things back in. */
export const IGNORED_BY_DEFAULT: readonly string[] = [
  'node_modules/',
  '.git/',
  '.hg/',
  '.svn/',
  '__pycache__/',
  '*.pyc',
  'python_packages/',
  '.venv/',
  'venv/',
  '.atelier/',
  '.atelierignore',
  '.DS_Store',
  '.env', // likely secrets: those belong into "atelier secret set"
  '.env.*',
]

interface Rule {
  readonly expression: RegExp
  readonly takesBack: boolean
  readonly foldersOnly: boolean
}

const PATTERN_CHARACTERS_MAX = 1_000

export function ignoreRules(lines: readonly string[]): IgnoreRules {
  const rules = lines.map(ruleOf).filter(rule => rule !== undefined)
  return {
    ignores(path, isFolder) {
      let ignored = false
      for (const rule of rules) {
        if (rule.foldersOnly && !isFolder) continue
        if (rule.expression.test(path)) ignored = !rule.takesBack
      }
      return ignored
    },
  }
}

function ruleOf(line: string): Rule | undefined {
  let pattern = line.replace(/(?<!\\)\s+$/, '')
  if (pattern === '' || pattern.startsWith('#') || pattern.length > PATTERN_CHARACTERS_MAX) return undefined
  const takesBack = pattern.startsWith('!')
  if (takesBack) pattern = pattern.slice(1)
  const foldersOnly = pattern.endsWith('/')
  if (foldersOnly) pattern = pattern.slice(0, -1)
  // A slash anywhere but at the end ties the pattern to the top of the folder.
  const anchored = pattern.includes('/')
  if (pattern.startsWith('/')) pattern = pattern.slice(1)
  return {
    expression: new RegExp(`^${anchored ? '' : '(?:.*/)?'}${expressionOf(pattern)}$`),
    takesBack,
    foldersOnly,
  }
}

function expressionOf(pattern: string): string {
  let expression = ''
  for (let i = 0; i < pattern.length; i++) {
    const rest = pattern.slice(i)
    const set = /^\[(!?)([^\]/]+)\]/.exec(rest)
    if (rest.startsWith('**/')) {
      expression += '(?:.*/)?'
      i += 2
    } else if (rest.startsWith('**')) {
      expression += '.*'
      i += 1
    } else if (rest[0] === '*') {
      expression += '[^/]*'
    } else if (rest[0] === '?') {
      expression += '[^/]'
    } else if (set) {
      expression += `[${set[1] ? '^' : ''}${set[2]!.replace(/[\\^[]/g, '\\$&')}]`
      i += set[0].length - 1
    } else if (rest[0] === '\\' && rest.length > 1) {
      expression += escaped(rest[1]!)
      i += 1
    } else {
      expression += escaped(rest[0]!)
    }
  }
  return expression
}

function escaped(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
