import { OUTPUT_FORMATS } from './context.ts'
import type { OptionSpec } from './spec.ts'

/** Options that every command takes. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  {
    flags: '-o, --output <format>',
    help: "How to print: a table for people, or the API's own body (else ATELIER_OUTPUT, else table)",
    choices: OUTPUT_FORMATS,
  },
  { flags: '-q, --quiet', help: 'Print only what was asked for: no progress, no notes' },
  {
    flags: '--url <url>',
    help: 'The server (else ATELIER_URL, else what "atelier login" stored, else this machine\'s)',
  },
  {
    flags: '--token <token>',
    help: 'A token (better in ATELIER_TOKEN, which other users of the machine cannot see)',
  },
  {
    flags: '--project <project>',
    help: "Work in another project than the login's own (else ATELIER_PROJECT)",
  },
]
