import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { BIN, bareEnvironment } from '../support/command.ts'

export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly stdin?: string | Uint8Array
  /** Called with the child once it runs, to send signals. */
  readonly during?: (child: ChildProcess) => void
}

/** A home of its own: nothing that the tests do touches the user's login, and nothing of it reaches them. */
export async function freshHome(t: TestContext): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'atelier-cli-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  return home
}

/** Runs the real command in a process of its own. */
export async function atelier(
  home: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const env = bareEnvironment({ HOME: home, ATELIER_HOME: join(home, 'data'), ...options.env })
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: options.cwd ?? home,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => undefined) // a command that does not read its stdin
  child.stdin.end(options.stdin ?? '')
  options.during?.(child)
  const exited = new Promise<[number | null, NodeJS.Signals | null]>(resolve =>
    child.once('exit', (code, signal) => resolve([code, signal])),
  )
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout).catch(() => ''), // a test may close it early
    text(child.stderr),
    exited,
  ])
  return { code, signal, stdout, stderr }
}

export interface Seen {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type Answer = (seen: Seen, response: ServerResponse, request: IncomingMessage) => void

/** A real HTTP server that plays the API: `answers` by `METHOD /path`; everything it was asked is in `seen`. */
export async function playApi(
  t: TestContext,
  answers: Readonly<Record<string, Answer>>,
): Promise<{ url: string; seen: Seen[]; server: Server }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url!, 'http://localhost')
      const key = `${request.method} ${url.pathname}`
      const body = (await buffer(request)).toString('latin1')
      const one: Seen = {
        method: request.method!,
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body,
      }
      seen.push(one)
      const answer = answers[key]
      if (answer) answer(one, response, request)
      else problem(404, `There is no ${key}.`)(one, response, request)
    })().catch(() => response.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, server }
}

export function json(value: unknown, status = 200): Answer {
  return (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

export function problem(status: number, detail: string, more: object = {}): Answer {
  return (_, response) =>
    response
      .writeHead(status, { 'content-type': 'application/problem+json' })
      .end(JSON.stringify({ title: 'A problem', status, detail, ...more }))
}

export function ndjson(...lines: readonly unknown[]): Answer {
  return (_, response) =>
    response
      .writeHead(200, { 'content-type': 'application/x-ndjson' })
      .end(lines.map(line => `${JSON.stringify(line)}\n`).join(''))
}

/** A folder with these files. */
export async function folderWith(
  home: string,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const folder = join(home, name)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  await mkdir(folder, { recursive: true })
  return folder
}

/** Commands that are logged in at an API that gives these answers. */
export async function asking(t: TestContext, answers: Readonly<Record<string, Answer>>) {
  const home = await freshHome(t)
  const { url, seen } = await playApi(t, answers)
  const run = (args: readonly string[], options: RunOptions = {}) =>
    atelier(home, args, { ...options, env: { ATELIER_URL: url, ATELIER_TOKEN: 't', ...options.env } })
  return { home, seen, run }
}
