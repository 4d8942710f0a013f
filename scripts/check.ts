/**
 * `npm run check`: everything about the code that needs no running. Each check prints one line; what fails is shown
 * whole. Exit code 1 when any fails.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { houseErrors } from './house.ts'

const root = join(import.meta.dirname, '..')

interface Check {
  readonly name: string
  run(): string | undefined
}

const checks: readonly Check[] = [
  { name: 'types', run: () => tool('tsc', ['-p', '.']) },
  { name: 'lint', run: () => tool('oxlint', ['--type-aware', '--deny-warnings']) },
  { name: 'format', run: () => tool('biome', ['check', '.']) },
  { name: 'house (import rules)', run: () => houseErrors(join(root, 'src')).join('\n') || undefined },
  { name: 'unused code', run: () => tool('knip', ['--no-progress']) },
  { name: 'generated docs are fresh', run: docsFresh },
]

let failed = 0
for (const check of checks) {
  const startedAt = performance.now()
  const problem = check.run()
  const ms = Math.round(performance.now() - startedAt)
  console.log(`${problem === undefined ? 'ok    ' : 'FAILED'} ${check.name} (${ms} ms)`)
  if (problem === undefined) continue
  console.log(problem)
  failed++
}
process.exitCode = failed === 0 ? 0 : 1

function tool(name: string, args: readonly string[]): string | undefined {
  const path = join(root, 'node_modules', '.bin')
  const env = { ...process.env, PATH: `${path}:${process.env['PATH'] ?? ''}` }
  const result = spawnSync(join(path, name), args, { cwd: root, encoding: 'utf8', env })
  return result.status === 0
    ? undefined
    : `${result.stdout}${result.stderr}`.trim() || `exit code ${result.status}`
}

function docsFresh(): string | undefined {
  const stale: string[] = []
  for (const script of ['config-docs', 'api-docs', 'cli-docs']) {
    const path = join(root, 'scripts', `${script}.ts`)
    if (!existsSync(path)) continue
    const result = spawnSync(process.execPath, [path, '--check'], { cwd: root, encoding: 'utf8' })
    if (result.status !== 0) stale.push(`node scripts/${script}.ts: ${result.stdout}${result.stderr}`.trim())
  }
  return stale.length === 0 ? undefined : stale.join('\n')
}
