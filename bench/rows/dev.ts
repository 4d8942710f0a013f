import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { end } from '../rivals.ts'
import type { Row } from '../row.ts'
import { percentile } from '../statistics.ts'

const CHANGES = 20
const BETWEEN_MS = 500 // somebody who types saves no faster; the process for the next reload starts meanwhile
const ATELIER = join(import.meta.dirname, '../../bin/atelier.js')

export const dev: Row = {
  name: 'dev',
  title: 'atelier dev: from saving a file to the first answer of the new code',
  async run(bench) {
    const folder = await mkdtemp(join(tmpdir(), 'atelier-bench-dev-'))
    bench.after(() => rm(folder, { recursive: true, force: true }))
    const save = (answer: number) =>
      writeFile(join(folder, 'index.mjs'), `export default () => '${answer}'\n`)
    await save(0)
    const child = spawn(process.execPath, [ATELIER, 'dev', folder, '--port', '0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    bench.after(() => end(child))
    const url = await new Promise<string>((resolve, reject) => {
      let text = ''
      const look = (part: Buffer) => {
        text += part.toString()
        const found = /http:\/\/[\w.:[\]]+/.exec(text)
        if (found) resolve(found[0])
      }
      child.stdout.on('data', look)
      child.stderr.on('data', look)
      child.once('exit', () => reject(new Error(`atelier dev ended: ${text}`)))
    })
    await untilAnswer(url, '0')
    const times: number[] = []
    for (let change = 1; change <= CHANGES; change++) {
      await new Promise(resolve => setTimeout(resolve, BETWEEN_MS))
      await save(change)
      const savedMs = performance.now()
      await untilAnswer(url, String(change))
      times.push(performance.now() - savedMs)
    }
    return [
      {
        what: 'p95',
        value: percentile(times, 0.95),
        unit: 'ms',
        floor: { most: 200 },
        detail: `p50 ${percentile(times, 0.5).toFixed(0)} ms, ${CHANGES} changes`,
      },
    ]
  },
}

async function untilAnswer(url: string, answer: string): Promise<void> {
  const until = performance.now() + 10_000
  while (performance.now() < until) {
    const text = await fetch(url).then(
      response => response.text(),
      () => '',
    )
    if (text === answer) return
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  throw new Error(`${url} did not answer ${answer} within 10 s`)
}
