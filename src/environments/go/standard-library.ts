import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { constants, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { revisionOf } from '../files.ts'
import { madeOnce } from '../made.ts'

const run = promisify(execFile)

const MAKE_MS_MAX = 15 * 60_000
/** What functions use beside what a server of HTTP needs. */
const USED = [
  'database/sql',
  'encoding/csv',
  'encoding/gob',
  'encoding/xml',
  'html/template',
  'log/slog',
  'net/http/httputil',
  'os/exec',
  'regexp',
  'testing',
]
const PROGRAM = join(import.meta.dirname, 'build.mjs')

/** An installed Go. */
export interface Go {
  readonly version: string
  readonly root: string
}

const made = new Map<string, Promise<string | undefined>>()

/**
 * The standard library as it is compiled for functions, once for each Go and user: a minute of two processors, which the first build
 * of each project would take again. Only files of that Go are read for it. The function that is returned resolves with the folder, or
 * with `undefined` when it cannot be made.
 */
export function standardLibrary(go: Go): () => Promise<string | undefined> {
  const key = revisionOf(`${go.version} ${go.root} ${USED.join()}`, import.meta.dirname)
  return () => {
    const known = made.get(key) ?? madeOnce('go', key, folder => compile(go, folder)).catch(() => undefined)
    made.set(key, known)
    return known
  }
}

async function compile({ root }: Go, folder: string): Promise<void> {
  const sources = await mkdtemp(join(tmpdir(), 'atelier-go-'))
  try {
    const imports = USED.map(each => `\t_ "${each}"\n`).join('')
    await writeFile(
      join(sources, 'handler.go'),
      `package function\n\nimport (\n\t"net/http"\n${imports})\n\nfunc Handler(w http.ResponseWriter, r *http.Request) {}\n`,
    )
    const running = run(process.execPath, [PROGRAM, 'compile', sources, 'Handler', 'function'], {
      timeout: MAKE_MS_MAX,
      // Nothing of the user's own settings: functions are compiled without them too.
      env: { PATH: `${root}/bin:/usr/bin:/bin`, ATELIER_CACHE: folder, GOTOOLCHAIN: 'local', GOENV: 'off' },
    })
    if (running.child.pid !== undefined) setPriority(running.child.pid, constants.priority.PRIORITY_LOW)
    await running
  } finally {
    await rm(sources, { recursive: true, force: true })
  }
}
