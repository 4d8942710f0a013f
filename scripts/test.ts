/**
 * `npm test`: the whole suite with the Node that the repository brings. What needs a program that is missing is
 * installed first where that is possible (root on Debian or Ubuntu), and said so; otherwise those tests skip by name.
 *
 * What failed in a few files is run once more, alone, and told at the end.
 *
 * `--fast`: without `*.slow.test.ts`, and one process for all files of a folder that loads much (`test-groups.ts`).
 * `--timings`: the slowest files and tests at the end. Other arguments are parts of file names: only files that contain one.
 */
import { globSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { inGroups } from './test-groups.ts'
import { installMissing } from './test-programs.ts'
import { TestReport } from './test-report.ts'
import { TestTimes } from './test-times.ts'

const SLOW = '.slow.test.ts'
const FILES_AT_ONCE = availableParallelism() + 1 // one more than cores: many tests wait for a process or a timer
const FILE_TIMEOUT_MS = 600_000 // one of them waits for a C++ compiler
const FILES_AGAIN_MAX = 3 // more than these have failed for a reason
const COMPILED_FILES_MAX = 10_000
const OPTIONS = ['--fast', '--timings']

const root = join(import.meta.dirname, '..')
const kept = join('node_modules', '.cache', 'atelier')
const cache = join(root, kept)
const compiled = join(cache, 'compile')
const options = process.argv.slice(2).filter(each => each.startsWith('-'))
const wanted = process.argv.slice(2).filter(each => !each.startsWith('-'))
const unknown = options.find(each => !OPTIONS.includes(each))
if (unknown !== undefined) fail(`there is no option ${unknown}; there are ${OPTIONS.join(' and ')}`)

const files = globSync('test/**/*.test.ts', { cwd: root })
  .filter(file => !(options.includes('--fast') && file.endsWith(SLOW)))
  .filter(file => wanted.length === 0 || wanted.some(part => file.includes(part)))
if (files.length === 0) fail(`no test file matches ${wanted.join(' ') || 'test/**/*.test.ts'}`)

installMissing({ slow: !options.includes('--fast') })

process.chdir(root)
forgetMuchCompiledCode()
process.exitCode = 1 // until the end says otherwise
const times = TestTimes.read(join(cache, 'test-times.json'))
const started = options.includes('--fast') ? inGroups(files, root, join(kept, 'together')) : files
const report = await runFiles(times.longestFirst(started), FILES_AT_ONCE)
times.update(report.fileMs())
for (const line of report.summary({ timings: options.includes('--timings') })) console.log(line)
process.exitCode = report.success || (await passAlone(report)) ? 0 : 1

async function runFiles(files: readonly string[], concurrency: number): Promise<TestReport> {
  const events = run({
    files: files.map(file => join(root, file)),
    concurrency,
    timeout: FILE_TIMEOUT_MS,
    env: {
      ...process.env,
      PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}`,
      // Types are taken away and code is compiled once for all the processes that tests start, not once for each.
      NODE_COMPILE_CACHE: compiled,
    },
  })
  const report = new TestReport(root)
  report.watch(events)
  const output = events.compose(new spec())
  output.pipe(process.stdout, { end: false })
  await finished(output)
  return report
}

/**
 * Whether the few files in which something failed pass when nothing else runs. A machine that is too busy for a real broker
 * or database to keep its own time-outs is no fault of the code; what failed is told all the same, so that it is looked at.
 */
async function passAlone(first: TestReport): Promise<boolean> {
  const again = first.filesFailed
  const isFew = files.length > FILES_AGAIN_MAX && again.length > 0 && again.length <= FILES_AGAIN_MAX
  let pass = false
  if (isFew) {
    console.log(`\nonce more, one after the other: ${again.join(', ')}`)
    pass = (await runFiles(again, 1)).success
  }
  console.log(`\n${pass ? 'failed beside others and passed alone, which is worth a look' : 'failed'}:`)
  for (const line of first.failures()) console.log(line)
  return pass
}

/** Modules that tests write into temporary folders leave their compiled code too, under names that never come again. */
function forgetMuchCompiledCode(): void {
  if (globSync('*/*', { cwd: compiled }).length > COMPILED_FILES_MAX) rmSync(compiled, { recursive: true })
}

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}
