import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { commandBlocks } from './command-blocks.ts'

/*
 * The README, as a stranger follows it: the commands are taken from the page as they are printed and typed into one shell, in
 * a fresh copy of the repository, against a server that its own first command has started.
 */

const root = join(import.meta.dirname, '..', '..')
const INSTALL_MS_MAX = 240_000
const STEP_MS_MAX = 120_000

const blocks = commandBlocks(readFileSync(join(root, 'README.md'), 'utf8'))
const missing = ['bwrap', 'slirp4netns', 'curl', 'npm', 'git', 'bash'].filter(name => !onPath(name))
const skip = missing.length === 0 ? false : `not installed: ${missing.join(', ')}`

suite('the README', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-tour-'))
  const copy = join(folder, 'atelier')
  // Beside the stranger's own: everything that the server keeps, and ports that nobody else has.
  const env = {
    ...withoutTestRunner(process.env),
    ATELIER_HOME: join(folder, 'data'),
    ATELIER_PORT: '0',
    ATELIER_ROUTER_PORT: '0',
    XDG_CONFIG_HOME: join(folder, 'config'),
    NO_COLOR: '1',
  }
  let server: ChildProcess
  let serverSaid = ''
  let shell: Shell
  let follower: Shell

  before(
    async () => {
      copyRepository(copy)
      server = spawn('bash', ['-c', blockWith('npm start')], { cwd: copy, env, detached: true })
      for (const stream of [server.stdout, server.stderr])
        stream?.setEncoding('utf8').on('data', (text: string) => {
          serverSaid += text
        })
      await until(() => serverSaid.includes('is ready') || server.exitCode !== null, INSTALL_MS_MAX)
      assert.equal(server.exitCode, null, `the server ended:\n${serverSaid}`)
      shell = new Shell(copy, env)
      follower = new Shell(copy, env)
    },
    { timeout: INSTALL_MS_MAX + 10_000 },
  )

  after(async () => {
    follower?.end()
    shell?.end()
    await stop(server)
    rmSync(folder, { recursive: true, force: true })
  })

  test('its first command installs and starts a server that says where it is and how functions are kept apart', () => {
    assert.match(serverSaid, /Atelier .* is ready/)
    assert.match(serverSaid, /API +http:\/\/127\.0\.0\.1:\d+/)
    assert.match(serverSaid, /isolation +process/)
    assert.ok(serverSaid.includes(env.ATELIER_HOME))
  })

  test('deploying the thumbnail example gives a URL that makes a thumbnail of the photograph', async () => {
    const said = await shell.run(blockWith('URL=$(npx atelier deploy'))
    assert.match(said, /npm ci/)
    assert.match(said, /default\/thumbnail version 1 is live/)
    await assertThumbnail('thumb.jpg', 200)
  })

  test('after a change the next deploy is version 2, and answers', async () => {
    const said = await shell.run(blockWith('sed -i'))
    assert.match(said, /default\/thumbnail version 2 is live/)
    assert.match(said, /2 +live .*wider/)
    await assertThumbnail('wide.jpg', 400)
  })

  test('a rollback takes effect for the next call', async () => {
    const said = await shell.run(blockWith('npx atelier rollback'))
    assert.match(said, /default\/thumbnail version 1 is live/)
    await assertThumbnail('thumb.jpg', 200)
  })

  test('the log follows live, invoke gives the answer, and the record of a call tells what it cost', async () => {
    follower.type(blockWith('logs -f'))
    await until(() => /became 400 x 267 pixels/.test(follower.said), STEP_MS_MAX)
    assert.doesNotMatch(follower.said, /became 64 x 43 pixels|became 64 x 42 pixels/)
    const said = await shell.run(blockWith('invocation show'))
    await assertThumbnail('small.jpg', 64)
    await assertThumbnail('thumb.jpg', 200)
    assert.match(said, /function +default\/thumbnail version 1/)
    assert.match(said, /status +ok/)
    assert.match(said, /billed +\d+ ms/)
    await until(() => /became 64 x 4[23] pixels/.test(follower.said), STEP_MS_MAX)
  })

  test('the Python example reports on the real data', async t => {
    if (!onPath('python3') || !pipWorks()) return t.skip('python3 or its pip is not installed')
    const said = await shell.run(blockWith('csv-report'))
    const report = JSON.parse(said.slice(said.indexOf('{"'))) as {
      rows: number
      groups: { name: string; rows: number; columns: Record<string, { mean?: number }> }[]
    }
    assert.equal(report.rows, 344)
    assert.deepEqual(
      report.groups.map(group => [group.name, group.rows]),
      [
        ['Adelie', 152],
        ['Gentoo', 124],
        ['Chinstrap', 68],
      ],
    )
    assert.equal(report.groups[1]?.columns['body_mass_g']?.mean, expectedMean('Gentoo', 'body_mass_g'))
  })

  test('every page and folder that it names is there', () => {
    const page = readFileSync(join(root, 'README.md'), 'utf8')
    const targets = [...page.matchAll(/\]\(([^)#:]+)\)/g)].map(match => match[1]!)
    assert.ok(targets.length > 5)
    assert.deepEqual(
      targets.filter(target => !existsSync(join(root, target))),
      [],
    )
  })

  /** That a file is a JPEG which shows, `width` wide, what the photograph shows. */
  async function assertThumbnail(name: string, width: number): Promise<void> {
    const sharp = decoder()
    const bytes = readFileSync(join(copy, name))
    const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true })
    assert.equal((await sharp(bytes).metadata()).format, 'jpeg')
    assert.equal(info.width, width)
    const photograph = join(root, 'examples', 'thumbnail', 'photo.jpg')
    const same = await sharp(photograph).resize({ width, height: info.height }).raw().toBuffer()
    assert.equal(data.length, same.length)
    let difference = 0
    for (let i = 0; i < data.length; i++) difference += Math.abs(data[i]! - same[i]!)
    const mean = difference / data.length
    assert.ok(mean < 6, `${name} differs from the photograph by ${mean} of 255 in the mean`)
  }

  /** The image library that the server has installed for the example. */
  function decoder(): Sharp {
    const [installed] = globSync(join(env.ATELIER_HOME, '**', 'node_modules', 'sharp', 'package.json'))
    assert.ok(installed, 'the server has installed sharp')
    return createRequire(join(dirname(installed), 'x.js'))('sharp') as Sharp
  }

  async function until(done: () => boolean, msMax: number): Promise<void> {
    const end = performance.now() + msMax
    while (!done()) {
      if (performance.now() > end) throw new Error(`it did not come about; the server said:\n${serverSaid}`)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
})

/** What this test uses of the library `sharp`. */
type Sharp = (input: Uint8Array | string) => {
  metadata(): Promise<{ format: string }>
  resize(size: { width: number; height: number }): { raw(): { toBuffer(): Promise<Buffer> } }
  raw(): {
    toBuffer(options: {
      resolveWithObject: true
    }): Promise<{ data: Buffer; info: { width: number; height: number } }>
  }
}

/** A shell that keeps its variables between the blocks that are typed into it, as a terminal does. */
class Shell {
  said = ''
  readonly #child: ChildProcess
  #marks = 0

  constructor(cwd: string, env: NodeJS.ProcessEnv) {
    this.#child = spawn('bash', ['--norc'], { cwd, env, detached: true })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.said += text
      })
  }

  type(text: string): void {
    this.#child.stdin?.write(`${text}\n`)
  }

  /** Types a block line by line, and resolves with what it printed. Rejects when a command of it fails. */
  async run(block: string): Promise<string> {
    const from = this.said.length
    for (const line of block.split('\n')) {
      const mark = `== done ${++this.#marks}: `
      this.type(`${line}\necho "${mark}$?"`)
      const end = performance.now() + STEP_MS_MAX
      while (!new RegExp(`${mark}\\d+\\n`).test(this.said)) {
        if (performance.now() > end) throw new Error(`"${line}" did not end:\n${this.said.slice(from)}`)
        await new Promise(resolve => setTimeout(resolve, 20))
      }
      assert.ok(this.said.includes(`${mark}0\n`), `"${line}" failed:\n${this.said.slice(from)}`)
    }
    return this.said.slice(from).replaceAll(/== done \d+: \d+\n/g, '')
  }

  /** Ends it and all it has started. */
  end(): void {
    if (this.#child.pid !== undefined && this.#child.exitCode === null)
      process.kill(-this.#child.pid, 'SIGKILL')
  }
}

function blockWith(text: string): string {
  const found = blocks.filter(block => block.includes(text))
  assert.equal(found.length > 0, true, `README.md has a block of commands with "${text}"`)
  return found[0]!
}

/** The repository as a clone of the present state would have it: nothing ignored, nothing built. */
function copyRepository(target: string): void {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
  })
  for (const name of listed.toString().split('\0')) {
    if (name === '' || !existsSync(join(root, name))) continue
    mkdirSync(dirname(join(target, name)), { recursive: true })
    cpSync(join(root, name), join(target, name))
  }
}

async function stop(child: ChildProcess | undefined): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null) return
  const ended = new Promise(resolve => child.once('close', resolve))
  process.kill(-child.pid, 'SIGTERM')
  await ended
}

/** A stranger's terminal knows nothing of the process that runs this test. */
function withoutTestRunner(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(
      ([name]) => !/^(NODE_|npm_|ATELIER_)|^INIT_CWD$/.test(name) || name === 'NODE_EXTRA_CA_CERTS',
    ),
  )
}

function expectedMean(species: string, column: string): number {
  const [head, ...rows] = readFileSync(join(root, 'examples', 'csv-report', 'penguins.csv'), 'utf8')
    .trim()
    .split('\n')
  const at = head!.split(',').indexOf(column)
  const values = rows
    .map(row => row.split(','))
    .filter(row => row[0] === species && row[at] !== '' && row[at] !== 'NA')
    .map(row => Number(row[at]))
  return Math.round((values.reduce((sum, value) => sum + value, 0) / values.length) * 1000) / 1000
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some(folder => existsSync(join(folder, program)))
}

function pipWorks(): boolean {
  try {
    execFileSync('/usr/bin/python3', ['-m', 'pip', '--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
