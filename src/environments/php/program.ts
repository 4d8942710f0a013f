/** What of a command line is PHP's own is between these. */
export interface PhpArguments {
  readonly before: readonly string[]
  readonly after: readonly string[]
}

// What goes wrong is for the log: stdout is the answer of contracts that read it.
const ERRORS_TO_LOG = ['-d', 'display_errors=stderr']

/**
 * What PHP runs of a package that is no handler: the script that the entry names, or PHP's own web server over a folder of pages.
 * `undefined`: nothing speaks this contract.
 */
export function phpProgram(contract: string, entry: string): PhpArguments | undefined {
  if (contract === 'functions-framework') return undefined
  if (!isPages(entry)) return { before: [], after: [...ERRORS_TO_LOG, `/function/${scriptOf(entry)}`] }
  if (contract !== 'http') return undefined
  const serve = ['-d', 'html_errors=0', ...ERRORS_TO_LOG, '-t', `/function/${entry}`, '-S']
  return { before: ['/bin/sh', '-c', 'exec "$@" 127.0.0.1:"$PORT"', 'sh'], after: serve }
}

/** Whether the entry is a folder. */
export function isPages(entry: string): boolean {
  return entry.endsWith('/')
}

/** As in a handler's entry, whose second part has no meaning for a program. */
function scriptOf(entry: string): string {
  const [file = ''] = entry.split(':', 1)
  return file.endsWith('.php') ? file : `${file}.php`
}
