import type { RunResult } from '../backends/index.ts'
import { AtelierError } from '../core/index.ts'
import type { BuildLimits } from './limits.ts'
import { showBytes } from './limits.ts'

const LINES_SHOWN = 12
const LINE_CHARACTERS_MAX = 300
const NOT_FOUND_EXIT = 127 // what a shell or launcher says when there is no such program

/** What a sentence in the output means, and the way out. The first that fits is told. */
const HINTS: readonly { readonly pattern: RegExp; readonly hint: string }[] = [
  {
    pattern:
      /CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF|UNABLE_TO_GET_ISSUER|CERT_UNTRUSTED/,
    hint: 'The package registry shows a certificate that this server does not trust: start the server with NODE_EXTRA_CA_CERTS naming your CA file.',
  },
  {
    pattern:
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ECONNRESET|ERR_SOCKET_TIMEOUT|Temporary failure in name resolution|NewConnectionError|Failed to establish a new connection|Network is unreachable|Name or service not known/,
    hint: 'The build cannot reach the package registry. Check the network of the server (a proxy or mirror goes into HTTPS_PROXY, the npmrc or pip.conf of its user), or put the dependencies into the package: then no network is needed.',
  },
  {
    pattern: /can only install packages when your package\.json and package-lock\.json/,
    hint: 'package-lock.json does not fit package.json: run "npm install" and deploy both.',
  },
  {
    pattern: /\bE404\b|\bETARGET\b|No matching distribution found|Could not find a version that satisfies/,
    hint: 'A dependency, or its version, is not in the registry: check its name and version, and that it supports the version of the language here.',
  },
  {
    pattern: /ERESOLVE|ResolutionImpossible/,
    hint: 'The dependencies ask for versions that do not go together: change one of them.',
  },
  {
    pattern: /EINTEGRITY|do not match the hashes/,
    hint: 'A dependency is not what the lock file says: make the lock file anew, and find out why it changed.',
  },
  {
    pattern:
      /gyp ERR!|error: command '.*(gcc|cc|g\+\+|clang)'|Failed building wheel|metadata-generation-failed|subprocess-exited-with-error/,
    hint: 'A dependency must be compiled and could not be: use a version that ships ready for this machine, or install its compiler on the server.',
  },
  {
    pattern: /ENOSPC|No space left on device|EDQUOT|Disk quota exceeded/,
    hint: 'The build ran out of disk space.',
  },
  { pattern: /EMFILE|ENFILE|Too many open files/, hint: 'The build opened more files than it may.' },
]

const INSTALL: Readonly<Record<string, string>> = {
  npm: 'Install npm on the server ("apt install npm"), or deploy with node_modules in the package.',
  pip: 'Install pip on the server ("apt install python3-pip"), or deploy with the dependencies in the package.',
}

/** BUILD_FAILED (or CANCELLED) for a step that did not end well: what ended how, the last lines, and the way out. */
export function stepFailure(
  title: string,
  command: readonly string[],
  result: RunResult,
  tail: string,
  limits: BuildLimits,
): AtelierError {
  if (result.reason === 'cancelled') return new AtelierError('CANCELLED', 'The build was given up.')
  const what = outcome(title, result, limits)
  const lines = lastLines(tail)
  const hint = result.reason === 'exit' ? hintFor(command, result, tail) : undefined
  return new AtelierError(
    'BUILD_FAILED',
    [what, lines, hint].filter(part => part !== undefined && part !== '').join('\n'),
  )
}

function outcome(title: string, result: RunResult, limits: BuildLimits): string {
  if (result.reason === 'timeout')
    return `"${title}" took longer than ${limits.step.timeoutMs / 1000} s and was stopped.`
  if (result.reason === 'memory')
    return `"${title}" used more than ${limits.step.memoryMiB} MiB of memory and was stopped.`
  if (result.reason === 'disk')
    return `"${title}" wrote more than ${showBytes(limits.diskBytesMax)} and was stopped: use fewer or smaller dependencies.`
  if (result.signal !== undefined) return `"${title}" was ended by ${result.signal}:`
  return `"${title}" ended with exit code ${result.code ?? 'unknown'}:`
}

function hintFor(command: readonly string[], result: RunResult, tail: string): string | undefined {
  const known = HINTS.find(({ pattern }) => pattern.test(tail))
  if (known) return known.hint
  if (/No module named '?pip/.test(tail)) return INSTALL['pip']
  if (result.code !== NOT_FOUND_EXIT) return undefined
  const tool = Object.keys(INSTALL).find(name => command.some(word => new RegExp(`\\b${name}\\b`).test(word)))
  return tool === undefined ? undefined : INSTALL[tool]
}

function lastLines(tail: string): string {
  const lines = tail
    // oxlint-disable-next-line no-control-regex
    .replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '')
    .split(/\r?\n|\r/)
    .map(line => line.trimEnd())
    .filter(line => line !== '')
  return lines
    .slice(-LINES_SHOWN)
    .map(line => (line.length > LINE_CHARACTERS_MAX ? `${line.slice(0, LINE_CHARACTERS_MAX)}…` : line))
    .join('\n')
}
