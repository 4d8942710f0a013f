/**
 * Whether installing needs more of a package than its lock files: install scripts of its own, dependencies that are
 * folders in it, requirements that refer to other files. Then the step sees all sources, and its result is kept for this
 * package alone; else it sees the lock files only, and every package with the same ones shares the result.
 * In doubt, yes. `files` is each lock file's text by its path.
 */
export function needsSources(files: ReadonlyMap<string, string>): boolean {
  for (const [path, text] of files) {
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (name === 'package.json' && packageNeedsSources(text)) return true
    if (name.endsWith('.txt') && requirementsNeedSources(text)) return true
    if (
      /lock/.test(name) &&
      /"(?:link)"\s*:\s*true|"resolved"\s*:\s*"file:|"version"\s*:\s*"file:/.test(text)
    )
      return true
    if (!/^(package\.json|package-lock\.json|npm-shrinkwrap\.json|\.npmrc|.*\.txt)$/.test(name)) return true
  }
  return false
}

/** Whether these lock files ask for nothing at all: a package.json that only says what kind of module this is. */
export function asksForNothing(files: ReadonlyMap<string, string>): boolean {
  return [...files].every(([path, text]) => {
    if (path.endsWith('.txt')) return text.split(/[\n\r\u2028\u2029]/).every(line => /^\s*(#|$)/.test(line))
    if (path !== 'package.json') return path === 'package-lock.json' || path === '.npmrc'
    return (
      !packageNeedsSources(text) &&
      !/"(dependencies|optionalDependencies|peerDependencies)"\s*:\s*\{\s*"/.test(text)
    )
  })
}

/** Beside the lock files a step may read these: where npm gets packages from. They count like lock files. */
export const SETTINGS_FILES: readonly string[] = ['.npmrc']

const INSTALL_SCRIPTS = [
  'preinstall',
  'install',
  'postinstall',
  'prepublish',
  'preprepare',
  'prepare',
  'postprepare',
]

function packageNeedsSources(text: string): boolean {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return true // npm will say what is wrong with it
  }
  if (typeof parsed !== 'object' || parsed === null) return true
  const manifest = parsed as Record<string, unknown>
  if (manifest['workspaces'] !== undefined) return true
  const scripts = manifest['scripts']
  if (typeof scripts === 'object' && scripts !== null && INSTALL_SCRIPTS.some(name => name in scripts))
    return true
  return ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies', 'overrides'].some(
    field =>
      /"\s*(file:|link:|portal:|\.{0,2}\/|~\/)/.test(
        JSON.stringify(manifest[field] ?? {}).replace(/"[^"]*":/g, ''),
      ),
  )
}

/** Looked for step by step: a pattern would take the square of the time for a line of a million `#`. */
function withoutComment(line: string): string {
  for (let at = line.indexOf('#'); at >= 0; at = line.indexOf('#', at + 1))
    if (at === 0 || /\s/.test(line[at - 1]!)) return line.slice(0, at)
  return line
}

/** Anything but plain requirements, comments, and options that name no file. */
function requirementsNeedSources(text: string): boolean {
  return text
    .replaceAll(/\\\r?\n/g, ' ')
    .split('\n')
    .map(line => withoutComment(line).trim())
    .some(
      line =>
        (line !== '' &&
          !/^[A-Za-z0-9]/.test(line) &&
          !/^--(index-url|extra-index-url|trusted-host|prefer-binary|require-hashes|only-binary|no-binary|pre)\b/.test(
            line,
          )) ||
        /^[A-Za-z0-9][^\s;@]*\/|@\s*(file:|\.)|\.(whl|zip|tar\.gz)\s*$/.test(line),
    )
}
