import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  type BuildStep,
  type Environment,
  environments,
  nodejsEnvironment,
  pythonEnvironment,
} from '../../src/environments/index.ts'

const python = await pythonEnvironment.probe()
const needsPython = python.ready ? false : python.reason

test('Node can run here, and its shim is where the launch says', async () => {
  const status = await nodejsEnvironment.probe()
  assert.ok(status.ready)
  assert.equal(status.runtimeVersion, process.versions.node)
  for (const { source } of status.launch.mounts) assert.ok(existsSync(source), source)
  for (const part of status.launch.command.filter(each => each.startsWith('/'))) {
    assert.ok(
      status.launch.mounts.some(({ target }) => part === target || part.startsWith(`${target}/`)),
      `${part} is in no mount`,
    )
  }
})

test('the revision of an environment stays the same until something changes', async () => {
  for (const environment of environments) {
    const [first, second] = [await environment.probe(), await environment.probe()]
    if (first.ready && second.ready) assert.equal(first.revision, second.revision)
  }
})

test('packages find their language and their entry', () => {
  const find = (...files: string[]) => {
    const environment = environments.find(each => each.detects(files))
    return [environment?.name, environment?.defaultEntry(files)]
  }
  assert.deepEqual(find('index.mjs'), ['nodejs', 'index.mjs'])
  assert.deepEqual(find('package.json', 'src/a.js', 'main.ts'), ['nodejs', 'main.ts'])
  assert.deepEqual(find('resize.js', 'README.md'), ['nodejs', 'resize.js'])
  assert.deepEqual(find('a.js', 'b.js'), ['nodejs', undefined])
  assert.deepEqual(find('main.py', 'lib/x.py'), ['python', 'main'])
  assert.deepEqual(find('lambda_function.py', 'other.py'), ['python', 'lambda_function'])
  assert.deepEqual(find('report.py'), ['python', 'report'])
  assert.deepEqual(find('README.md'), [undefined, undefined])
})

test('npm runs where there is something to install, and keeps to the lock', () => {
  const plan = (...files: string[]) => nodejsEnvironment.buildPlan(files, { entry: 'index.mjs' })
  assert.deepEqual(plan('index.mjs').dependencySteps, [])
  assert.deepEqual(plan('package.json', 'node_modules/a/index.js').dependencySteps, [])
  const locked = plan('package.json', 'package-lock.json', 'index.mjs')
  assert.deepEqual(locked.lockFiles, ['package.json', 'package-lock.json'])
  assert.equal(locked.dependencyFolder, 'node_modules')
  assert.equal(locked.dependencySteps[0]?.title, 'npm ci')
  assert.equal(plan('package.json', 'index.mjs').dependencySteps[0]?.title, 'npm install')
})

test('pip runs where there is something to install', { skip: needsPython }, () => {
  const plan = (...files: string[]) => pythonEnvironment.buildPlan(files, { entry: 'main' })
  assert.deepEqual(plan('main.py').dependencySteps, [])
  assert.deepEqual(plan('requirements.txt', 'python_packages/a.py').dependencySteps, [])
  assert.equal(plan('requirements.txt').dependencyFolder, 'python_packages')
  assert.deepEqual(plan('requirements.txt').lockFiles, ['requirements.txt'])
})

for (const [environment, file, entry, source, says] of [
  [nodejsEnvironment, 'index.mjs', 'index.mjs', 'export default () => 1', undefined],
  [nodejsEnvironment, 'index.mjs', 'index.mjs#a:web', 'export const a = () => 1', undefined],
  [nodejsEnvironment, 'index.ts', 'index.ts', 'export default (a: string): string => a', undefined],
  [nodejsEnvironment, 'index.mjs', 'index.mjs', 'export default (', /index\.mjs[\s\S]*SyntaxError/],
  [nodejsEnvironment, 'index.ts', 'index.ts', 'enum A { B }', /enum/],
  [nodejsEnvironment, 'index.mjs', 'other.mjs', '', /no such file/],
  [pythonEnvironment, 'main.py', 'main', 'def main(): pass', undefined],
  [pythonEnvironment, 'main.py', 'main:main:plain', 'def main(): pass', undefined],
  [pythonEnvironment, 'main.py', 'main', 'def main(:', /main\.py[\s\S]*SyntaxError/],
  [pythonEnvironment, 'main.py', 'other', '', /no file for it/],
] as const) {
  const outcome = says === undefined ? 'passes' : 'fails'
  test(`the check of ${JSON.stringify(source)} as ${entry} ${outcome} without running it`, {
    skip: environment === pythonEnvironment && needsPython,
  }, t => {
    const folder = temporary(t)
    writeFileSync(join(folder, file), source)
    const { status, output } = check(environment, [file], entry, folder)
    assert.equal(status, says === undefined ? 0 : 1, output)
    if (says !== undefined) assert.match(output, says)
  })
}

test('the check leaves compiled Python in the bundle, also of files that are not the entry', {
  skip: needsPython,
}, t => {
  const folder = temporary(t)
  mkdirSync(join(folder, 'lib'))
  writeFileSync(join(folder, 'main.py'), 'def main(): pass')
  writeFileSync(join(folder, 'lib/old.py'), 'print "of another version"')
  writeFileSync(join(folder, 'lib/new.py'), 'x = 1')
  assert.equal(check(pythonEnvironment, ['main.py'], 'main', folder).status, 0)
  assert.equal(readdirSync(join(folder, '__pycache__')).length, 1)
  assert.equal(readdirSync(join(folder, 'lib/__pycache__')).length, 1)
})

/** Runs the check step as the builder does, with paths outside of a sandbox. */
function check(environment: Environment, files: readonly string[], entry: string, folder: string) {
  const [step] = environment.buildPlan(files, { entry }).checkSteps
  const [program = '', ...args] = (step as BuildStep).command.map(part =>
    outside(step as BuildStep, part, folder),
  )
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

function outside(step: BuildStep, part: string, folder: string): string {
  if (part === '/work') return folder
  const mount = step.mounts?.find(({ target }) => part === target || part.startsWith(`${target}/`))
  return mount === undefined ? part : mount.source + part.slice(mount.target.length)
}

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'atelier-environment-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}
