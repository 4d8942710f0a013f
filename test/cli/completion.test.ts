import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { BIN, bareEnvironment } from '../support/command.ts'
import { atelier, freshHome, json, playApi } from './fixture.ts'

/** What Tab offers in a real bash that has read the completion script, for each line of words; the last is being typed. */
async function offered(
  t: TestContext,
  lines: readonly string[],
  env: Record<string, string>,
): Promise<string[][]> {
  const home = await freshHome(t)
  await writeFile(join(home, 'atelier'), `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`)
  await chmod(join(home, 'atelier'), 0o755)
  const script = `
eval "$(atelier completion bash)"
compopt() { :; } # bash has it only while Tab is being answered
[[ $(complete -p atelier) =~ -F\\ ([^ ]+) ]] && answer=\${BASH_REMATCH[1]}
while IFS= read -r line; do
  IFS=' ' read -ra COMP_WORDS <<< "$line"
  [[ $line == *' ' ]] && COMP_WORDS+=('')
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=\${#line} COMPREPLY=()
  $answer atelier "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}"
  echo "\${COMPREPLY[*]}"
done`
  const bash = spawn('bash', ['--norc', '-c', script], {
    env: bareEnvironment({ PATH: `${home}:${process.env['PATH']}`, HOME: home, ...env }),
  })
  bash.stdin.end(lines.map(line => `${line}\n`).join(''))
  const [stdout, stderr] = await Promise.all([text(bash.stdout), text(bash.stderr)])
  assert.equal(stderr, '')
  return stdout
    .trimEnd()
    .split('\n')
    .map(line => line.split(' '))
}

test('bash completes commands, nouns and verbs, options, their values, and the names of functions', {
  skip: spawnSync('bash', ['--version']).status !== 0 && 'bash is not installed',
}, async t => {
  const { url } = await playApi(t, {
    'GET /v1/topics': json({ items: [{ name: 'orders' }] }),
    'GET /v1/functions': json({
      items: [
        { name: 'hello', appName: 'default' },
        { name: 'thumb', appName: 'shop' },
      ],
    }),
  })
  const [commands, verbs, options, values, functions, topics] = await offered(
    t,
    [
      'atelier de',
      'atelier version ',
      'atelier deploy --pub',
      'atelier status -o j',
      'atelier invoke ',
      'atelier topic show ',
    ],
    { ATELIER_URL: url, ATELIER_TOKEN: 'a.token' },
  )
  assert.deepEqual(commands, ['dev', 'deploy'])
  assert.deepEqual(verbs, ['list', 'show', 'delete'])
  assert.deepEqual(options, ['--public', '--publish-only'])
  assert.deepEqual(values, ['json'])
  assert.deepEqual(functions?.toSorted(), ['hello', 'shop/thumb'])
  assert.deepEqual(topics, ['orders'])
})

for (const shell of ['zsh', 'fish'])
  test(`the script for ${shell} is understood by ${shell}`, {
    skip: spawnSync(shell, ['--version']).status !== 0 && `${shell} is not installed`,
  }, async t => {
    const home = await freshHome(t)
    const { stdout } = await atelier(home, ['completion', shell])
    assert.equal(spawnSync(shell, ['-n', '-c', stdout]).status, 0)
  })

test('a shell that there is no script for is told which there are', async t => {
  const { code, stderr } = await atelier(await freshHome(t), ['completion', 'tcsh'])
  assert.equal(code, 2)
  assert.match(stderr, /bash, zsh, fish/)
})
