import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { parse } from 'yaml'
import { renderFields, renderTable } from '../../src/cli/output/table.ts'
import { type Answer, atelier, freshHome, json, playApi, problem } from '../cli/fixture.ts'
import { BIN, bareEnvironment } from '../support/command.ts'

// Sets the clipboard, retitles the window, goes up a line and rewrites it; then the last in one character, and what turns the order.
const HOSTILE =
  '\x1b]52;c;cm0gLXJmIH4=\x07 \x1b]0;root\x07 \x1b[1A\x1b[2Kall is well \u009b31m \u202e \x7f\r!'
const OWN_STYLE = /\x1b\[(?:1|2|22|31|32|33|36|39)m/g // oxlint-disable-line no-control-regex

test('what a tenant wrote cannot drive the terminal of who looks at it', () => {
  const shown = [
    ...renderFields([['description', HOSTILE]]),
    ...renderTable([HOSTILE], [{ title: 'description', cell: text => text }], undefined),
  ].join('\n')
  assertTame(shown)
  assert.match(shown, /\\x1b\]52;c;cm0gLXJmIH4=\\x07/)
})

const DIGEST = `sha256:${'a'.repeat(64)}`
const said: Answer = (_, response) => response.end(`built\r\n${HOSTILE}\n`)

test('on a terminal a hostile server or function shows text and no more, with whatever command', async t => {
  const home = await freshHome(t)
  const login = { user: HOSTILE, project: HOSTILE, roles: [HOSTILE], expiresAt: HOSTILE }
  const { url } = await playApi(t, {
    'GET /v1/whoami': json(login),
    'GET /v1/apps': problem(429, HOSTILE, { retryAfter: HOSTILE, errors: [{ detail: HOSTILE }] }),
    [`GET /v1/packages/${DIGEST}/build-log`]: said,
    'GET /v1/apps/default/functions/hello/invoke': said,
  })
  const commands = [
    ['whoami'],
    ['whoami', '-o', 'json'],
    ['app', 'list'],
    ['package', 'show', DIGEST, '--build-log'],
    ['invoke', 'hello'],
  ]
  const shown = await Promise.all(
    commands.map(async args => [args, await onTerminal(home, url, args)] as const),
  )
  for (const [args, output] of shown) {
    assertTame(output.replaceAll('\r\n', '\n').replace(OWN_STYLE, ''))
    assert.match(output, /all is well/, args.join(' '))
  }
})

test('for a program the same stays what it was, byte by byte or as a value', async t => {
  const home = await freshHome(t)
  const { url } = await playApi(t, {
    'GET /v1/whoami': json({ user: HOSTILE, [HOSTILE]: 1 }),
    [`GET /v1/packages/${DIGEST}/build-log`]: said,
  })
  const run = async (...args: string[]) =>
    (await atelier(home, [...args, '--url', url, '--token', 'atl_1'])).stdout
  const [asJson, asYaml, log] = await Promise.all([
    run('whoami', '-o', 'json'),
    run('whoami', '-o', 'yaml'),
    run('package', 'show', DIGEST, '--build-log'),
  ])
  for (const [output, read] of [
    [asJson, (text: string): unknown => JSON.parse(text)],
    [asYaml, (text: string): unknown => parse(text)],
  ] as const) {
    assertTame(output)
    const value = read(output) as Record<string, unknown>
    assert.equal(value['user'], HOSTILE)
    assert.equal(value[HOSTILE], 1)
  }
  assert.equal(log, `built\r\n${HOSTILE}\n`)
})

function assertTame(shown: string): void {
  assert.doesNotMatch(shown, /(?!\n)[\p{Cc}\u202e]/u)
}

/** All that the command writes on a terminal of its own. */
async function onTerminal(home: string, url: string, args: readonly string[]): Promise<string> {
  const own = { HOME: home, TERM: 'xterm-256color', ATELIER_URL: url, ATELIER_TOKEN: 'atl_1' }
  const script = 'import pty, sys; pty.spawn(sys.argv[1:])'
  const command = [process.execPath, BIN, ...args]
  const child = spawn('python3', ['-c', script, ...command], {
    env: bareEnvironment(own),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return text(child.stdout)
}
