/** Every language through the real command and a real server: the examples, each with what it depends on, and the templates. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { TEMPLATES_FOLDER, templateNames } from '../../src/cli/templates.ts'
import { environments } from '../../src/environments/index.ts'
import { folderOf } from '../builder/folder-of.ts'
import { ServerProcess } from '../support/server-process.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples')
/** What tools say when nobody answers at the registry that they ask. */
const NO_REGISTRY =
  /cannot reach the package registry|dial tcp|no such host|Could not transfer artifact|Could not resolve host|Unknown host/

const states = new Map(
  await Promise.all(environments.map(async each => [each.name, await each.probe()] as const)),
)
const sandbox = existsSync('/usr/bin/bwrap') ? false : 'bubblewrap is not installed'

let server: ServerProcess
before(async () => {
  if (!sandbox) server = await ServerProcess.start()
})
after(() => server?.dispose())

/** Why nothing of this language can be tried here. */
function missing(environment: string, ...programs: string[]): string | false {
  const status = states.get(environment)
  if (sandbox || status === undefined || !status.ready)
    return sandbox || (status?.ready === false && status.reason) || `there is no ${environment}`
  const absent = programs.find(
    each => !['/usr/bin', '/usr/local/bin'].some(folder => existsSync(join(folder, each))),
  )
  return absent === undefined ? false : `${absent} is not installed`
}

/** Deploys a folder as it is; skips the test where its registry cannot be reached. */
async function deploy(t: TestContext, folder: string, ...options: string[]): Promise<boolean> {
  const { code, stderr } = await server.cli('deploy', folder, '--public', ...options)
  const unreachable = code !== 0 && NO_REGISTRY.exec(stderr)
  if (unreachable) t.skip(`the registry cannot be reached: ${unreachable[0]}`)
  else assert.equal(code, 0, stderr)
  return !unreachable
}

async function post(name: string, body: Uint8Array | string): Promise<Response> {
  return await fetch(`${server.routerUrl}/default/default/${name}`, { method: 'POST', body })
}

function sample(path: string): Buffer {
  return readFileSync(join(EXAMPLES, path))
}

test('Go: the access log example is built with its module, and counts', { skip: missing('go') }, async t => {
  if (!(await deploy(t, join(EXAMPLES, 'access-log')))) return
  const report = (await (await post('access-log', sample('access-log/access-log.txt'))).json()) as {
    lines: number
    unread: number
    robots: number
    browsers: { name: string; calls: number }[]
  }
  assert.deepEqual([report.lines, report.unread, report.robots], [6, 1, 1])
  assert.deepEqual(report.browsers[0], { name: 'Firefox', calls: 3 })
})

test('PHP: the survey example makes a page', { skip: missing('php') }, async t => {
  if (!(await deploy(t, join(EXAMPLES, 'survey')))) return
  const answer = await post('survey', sample('survey/answers.csv'))
  assert.match(answer.headers.get('content-type') ?? '', /text\/html/)
  assert.match(await answer.text(), /How do you come here\?[\s\S]*Bicycle/)
})

test('PHP: Composer installs what composer.json asks for, and its classes are loaded by themselves', {
  skip: missing('php', 'composer'),
}, async t => {
  const folder = folderOf(t, {
    'composer.json': JSON.stringify({
      name: 'shop/function',
      repositories: [
        { type: 'path', url: 'packages/words', options: { symlink: false } },
        { packagist: false },
      ],
      require: { 'shop/words': '*' },
    }),
    'packages/words/composer.json': JSON.stringify({
      name: 'shop/words',
      version: '1.0.0',
      autoload: { 'psr-4': { 'Shop\\': 'src/' } },
    }),
    'packages/words/src/Words.php':
      '<?php namespace Shop; class Words { static function of(string $who): string { return "Hello, $who!"; } }',
    'index.php':
      '<?php function handler($request) { return Shop\\Words::of($request->query["name"] ?? "Composer"); }',
  })
  if (!(await deploy(t, folder, '--name', 'with-composer'))) return
  assert.equal((await server.cli('invoke', 'with-composer')).stdout, 'Hello, Composer!')
})

test('Ruby: the agenda example reads a calendar', { skip: missing('ruby') }, async t => {
  if (!(await deploy(t, join(EXAMPLES, 'agenda')))) return
  const answer = await post('agenda?from=2026-11-21&days=14', sample('agenda/week.ics'))
  const { agenda } = (await answer.json()) as { agenda: { title: string }[] }
  assert.ok(agenda.length > 1 && agenda.every(({ title }) => title.length > 0), JSON.stringify(agenda))
})

test('Ruby: Bundler installs the gems of a Gemfile from the package, and the code requires them', {
  skip: missing('ruby', 'bundle', 'gem'),
}, async t => {
  const gem = folderOf(t, {
    'words.gemspec':
      'Gem::Specification.new { |s| s.name = "words"; s.version = "1.0.0"; s.summary = "Words"; s.authors = ["Ada"]; s.files = ["lib/words.rb"] }',
    'lib/words.rb': 'module Words; def self.of(who) = "Hello, #{who}!"; end',
  })
  execFileSync('gem', ['build', 'words.gemspec'], { cwd: gem, stdio: 'ignore' })
  const folder = folderOf(t, {
    Gemfile: 'source "https://gems.example.org"\ngem "words", "1.0.0"\n',
    'vendor/cache/words-1.0.0.gem': readFileSync(join(gem, 'words-1.0.0.gem')),
    'handler.rb': 'require "words"\ndef handler(request) = Words.of("Bundler")\n',
  })
  if (!(await deploy(t, folder, '--name', 'with-bundler'))) return
  assert.equal((await server.cli('invoke', 'with-bundler')).stdout, 'Hello, Bundler!')
})

test('Java: the totals example is built with its dependency by Maven, and sums up', {
  skip: missing('java', 'mvn'),
}, async t => {
  if (!(await deploy(t, join(EXAMPLES, 'csv-totals')))) return
  const answer = await post('csv-totals?by=species&of=body_mass_g', sample('csv-report/penguins.csv'))
  const { groups } = (await answer.json()) as { groups: Record<string, { count: number }> }
  assert.equal(groups['Adelie']?.count, 151)
})

test('Binary: the archive example lists what tar and awk find', { skip: missing('binary') }, async t => {
  if (!(await deploy(t, join(EXAMPLES, 'archive-report')))) return
  const archive = execFileSync('tar', ['-C', join(EXAMPLES, 'archive-report'), '-czf', '-', '.'])
  const report = await (await post('archive-report', archive)).text()
  assert.match(report, /^3 files, \d+ bytes/)
  assert.match(report, /report\.sh/)
})

test('C#: the track example reads its file as it comes', { skip: missing('dotnet') }, async t => {
  if (!(await deploy(t, join(EXAMPLES, 'track-summary')))) return
  const answer = await post('track-summary', sample('track-summary/walk.gpx'))
  const { tracks } = (await answer.json()) as { tracks: object[] }
  assert.deepEqual(tracks, [
    {
      name: 'Over the hill',
      points: 60,
      kilometres: 4.68,
      metresUp: 179,
      metresDown: 179,
      minutes: 73.8,
      kilometresPerHour: 3.8,
    },
  ])
  assert.equal((await post('track-summary', '<gpx>')).status, 400)
})

for (const template of templateNames()) {
  const folder = join(TEMPLATES_FOLDER, template)
  const { environment = 'nodejs' } = JSON.parse(readFileSync(join(folder, 'atelier.json'), 'utf8')) as {
    environment?: string
  }
  if (!template.endsWith('-hello')) continue
  test(`what "atelier init ${template}" makes is deployed and called`, {
    skip: missing(environment),
  }, async t => {
    if (!(await deploy(t, folder))) return
    const { stdout } = await server.cli('invoke', template, '--path', '/?name=Ada')
    assert.deepEqual(JSON.parse(stdout), { message: 'Hello, Ada!', version: 1 })
  })
}
