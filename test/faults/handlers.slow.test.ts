import assert from 'node:assert/strict'
import { after, before, describe } from 'node:test'
import { processesOfInstance } from '../support/leftovers.ts'
import { faultTest } from '../support/neighbour.ts'
import { ServerProcess, until } from '../support/server-process.ts'

const TIMEOUT_MS = 3_000
const PROCESSES_MAX = 32

/** The same misdeeds in both languages, chosen by `?do=`. */
const NODE = `
import { spawn } from 'node:child_process'
import { openSync, writeSync } from 'node:fs'
const megabyte = Buffer.alloc(1024 * 1024, 1)
const deeds = {
  nothing: () => 'fine',
  throw: () => { throw new Error('the cupboard is bare') },
  never: () => new Promise(() => {}),
  spin: () => { for (;;); },
  exit: () => process.exit(3),
  forks: () => { spawn('/bin/sh', ['-c', 'while :; do sleep 60 & done']).on('error', () => {}); return new Promise(() => {}) },
  memory: () => { const kept = []; for (;;) kept.push(Buffer.alloc(1024 * 1024, 1)) },
  heap: () => { const kept = []; for (;;) kept.push(new Array(10_000).fill(kept.length + 0.5)) },
  disk: () => { const file = openSync('/tmp/fill', 'w'); for (;;) writeSync(file, megabyte) },
  flood: () => { for (let i = 0; i < 20_000; i++) console.log('x'.repeat(1000)); return 'done' },
}
export default request => deeds[new URL(request.url).searchParams.get('do')]()
`

const PYTHON = `
import os, subprocess, time
def throw(): raise RuntimeError("the cupboard is bare")
def never():
    while True: time.sleep(1)
def spin():
    while True: pass
def forks():
    subprocess.Popen(["/bin/sh", "-c", "while :; do sleep 60 & done"])
    never()
def memory():
    kept = []
    while True: kept.append(b"x" * (1024 * 1024 + len(kept)))
def disk():
    with open("/tmp/fill", "wb", buffering=0) as file:
        while True: file.write(b"x" * (1024 * 1024))
def flood():
    for _ in range(20_000): print("x" * 1000)
    return "done"
deeds = {"nothing": lambda: "fine", "throw": throw, "never": never, "spin": spin, "exit": lambda: os._exit(3),
         "forks": forks, "memory": memory, "disk": disk, "flood": flood}
def main(request, context): return deeds[request.args["do"]]()
`

const LANGUAGES = [
  { name: 'nodejs', files: { 'index.mjs': NODE }, memoryDeeds: ['memory', 'heap'] },
  { name: 'python', files: { 'main.py': PYTHON }, memoryDeeds: ['memory'] },
]

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start()
})
after(() => server.dispose())

for (const { name: language, files, memoryDeeds } of LANGUAGES)
  describe(`a ${language} handler`, () => {
    const name = `bad-${language}`
    const limits = { timeoutMs: TIMEOUT_MS, processesMax: PROCESSES_MAX, memoryMiB: 192, tmpMiB: 16 }

    before(() => server.deploy(name, files, { limits }))
    const misbehave = (deed: string) => server.call(`${name}?do=${deed}`)

    /** Misbehaves and checks the answer, the record and that the next call is answered. */
    async function failsWith(
      deed: string,
      want: { readonly status: number; readonly code: string; readonly detail: RegExp },
    ) {
      const answer = await misbehave(deed)
      const id = answer.headers.get('atelier-invocation-id')
      assert.equal(answer.status, want.status, answer.text)
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      assert.equal(answer.json.code, want.code)
      assert.match(answer.json.detail, want.detail)
      const record = await server.record(id)
      assert.equal(record.fault, 'function')
      assert.equal(record.errorCode, want.code)
      assert.equal(record.httpStatus, want.status)
      assert.equal(record.status, want.code === 'FUNCTION_TIMEOUT' ? 'timeout' : 'error')
      const next = await misbehave('nothing')
      assert.equal(`${next.status} ${next.text}`, '200 fine', 'the next call of the same function')
      return record
    }

    const crashed = { status: 502, code: 'FUNCTION_CRASHED' }
    const late = {
      status: 504,
      code: 'FUNCTION_TIMEOUT',
      detail: new RegExp(`"default/${name}".* ${TIMEOUT_MS} ms`),
    }

    faultTest(
      'that throws gives 500, and its words stand in the log alone',
      () => server,
      async () => {
        const detail = new RegExp(`"default/${name}" failed; the log of invocation [0-9a-z]+ tells why`)
        const record = await failsWith('throw', { status: 500, code: 'FUNCTION_FAILED', detail })
        assert.match(await logOf(record.id), /the cupboard is bare/)
        assert.match(await logOf(record.id), /index\.mjs:\d|main\.py", line \d/)
      },
    )

    for (const deed of ['never', 'spin'])
      faultTest(
        `that never answers (${deed}) gives 504, and its instance is killed`,
        () => server,
        async () => {
          const record = await failsWith(deed, late)
          await until(
            'the instance is gone',
            () => processesOfInstance(server.home, record.instanceId!).length === 0,
          )
          await until('it is listed no more', async () =>
            (await server.instances(name)).every(each => each.id !== record.instanceId),
          )
        },
      )

    faultTest(
      'that exits gives 502 with its exit code',
      () => server,
      async () => {
        await failsWith('exit', {
          ...crashed,
          detail: new RegExp(`"default/${name}" ended without an answer .*3`),
        })
      },
    )

    faultTest(
      'that forks without end is held at its limit, and all its processes go',
      () => server,
      async () => {
        const warm = (await server.instances(name)).find(each => each.state === 'idle')
        assert.ok(warm, 'the call before left a warm instance')
        let most = 0
        const counting = setInterval(() => {
          most = Math.max(most, processesOfInstance(server.home, warm.id).length)
        }, 50)
        try {
          await failsWith('forks', late)
        } finally {
          clearInterval(counting)
        }
        assert.ok(most > 2, `${most} processes were seen`)
        assert.ok(most <= PROCESSES_MAX + 2, `${most} processes were seen`)
        await until('its processes are gone', () => processesOfInstance(server.home, warm.id).length === 0)
      },
    )

    for (const deed of memoryDeeds)
      faultTest(
        `that eats memory (${deed}) gives 502 that names the limit`,
        () => server,
        async () => {
          const detail = new RegExp(`"default/${name}" used more than its 192 MiB; raise limits.memoryMiB`)
          await failsWith(deed, { status: 502, code: 'FUNCTION_OUT_OF_MEMORY', detail })
        },
      )

    faultTest(
      'that fills its disk hits the end of its own /tmp',
      () => server,
      async () => {
        const record = await failsWith('disk', {
          status: 500,
          code: 'FUNCTION_FAILED',
          detail: /log of invocation/,
        })
        assert.match(await logOf(record.id), /no space left on device/i)
      },
    )

    faultTest(
      'that floods its log is answered, and its log ends with a mark',
      () => server,
      async () => {
        const answer = await misbehave('flood')
        assert.equal(`${answer.status} ${answer.text}`, '200 done')
        const record = await server.record(answer.headers.get('atelier-invocation-id'))
        assert.equal(record.status, 'ok')
        await until('the log is there', async () =>
          (await logOf(record.id)).includes('what follows is left out'),
        )
        const log = await logOf(record.id)
        assert.ok(log.length > 500_000 && log.length < 1.2 * 1024 ** 2, `${log.length} characters are kept`)
      },
    )

    faultTest(
      'whose instance is killed from outside in mid-call gives 502',
      () => server,
      async () => {
        assert.equal((await misbehave('nothing')).status, 200)
        const call = misbehave('never')
        let busy: string | undefined
        await until('the call runs', async () => {
          busy = (await server.instances(name)).find(each => each.state === 'busy')?.id
          return busy !== undefined
        })
        for (const pid of processesOfInstance(server.home, busy!)) killIfThere(pid)
        const answer = await call
        assert.equal(answer.status, 502, answer.text)
        assert.equal(answer.json.code, 'FUNCTION_CRASHED')
        const record = await server.record(answer.headers.get('atelier-invocation-id'))
        assert.equal(record.fault, 'function')
        assert.equal((await misbehave('nothing')).text, 'fine')
      },
    )
  })

/** The end of one process may be that of the next. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function logOf(id: string): Promise<string> {
  type Lines = { items: readonly { readonly text: string }[] }
  const { json } = await server.api<Lines>('GET', `/v1/invocations/${id}/logs?limit=10000`)
  return json.items.map(line => line.text).join('\n')
}
