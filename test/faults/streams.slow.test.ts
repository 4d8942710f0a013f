import assert from 'node:assert/strict'
import { type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, before, describe } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { faultTest } from '../support/neighbour.ts'
import { ServerProcess, until } from '../support/server-process.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
/** What the server may grow by while it passes on any amount of data: buffers and the garbage between two collections. */
const GROWTH_BYTES_MAX = 160 * MIB

const NODE = `
import { setTimeout as sleep } from 'node:timers/promises'
const megabyte = new Uint8Array(1024 * 1024)
async function* pieces(count) { for (let n = 0; n < count; n++) yield megabyte }
const deeds = {
  big: count => new Response(pieces(count)),
  late: async () => { await sleep(2000); console.log('it went on'); return 'late' },
  count: async (_, request) => { let bytes = 0; for await (const piece of request.body) bytes += piece.length; return String(bytes) },
}
export default request => {
  const query = new URL(request.url).searchParams
  return deeds[query.get('do')](Number(query.get('count')), request)
}
`
const PYTHON = `
import time
megabyte = bytes(1024 * 1024)
def main(request, context):
    if request.args["do"] == "late":
        time.sleep(2)
        return "late"
    if request.args["do"] == "count": return str(len(request.body))
    return (megabyte for _ in range(int(request.args["count"])))
`
const LANGUAGES = [
  { language: 'nodejs', files: { 'index.mjs': NODE }, bytes: GIB },
  { language: 'python', files: { 'main.py': PYTHON }, bytes: GIB },
]

let server: ServerProcess
let hesitant: HesitantClient
before(async () => {
  server = await ServerProcess.start()
  hesitant = clientWithoutEnd() // its time runs while the others stream
})
after(() => server.dispose())

for (const { language, files, bytes } of LANGUAGES)
  describe(`a ${language} function`, () => {
    const name = `streams-${language}`
    before(() => server.deploy(name, files, { limits: { timeoutMs: 120_000, memoryMiB: 192 } }))
    const open = (query: string) => get(`${server.routerUrl}/default/default/${name}?${query}`)

    faultTest(
      'that answers 1 GB is passed on whole, in flat memory',
      () => server,
      async () => {
        const watch = watchMemory()
        const answer = await open(`do=big&count=${bytes / MIB}`)
        assert.equal(answer.statusCode, 200)
        let received = 0
        for await (const chunk of answer as AsyncIterable<Buffer>) received += chunk.length
        assert.equal(received, bytes)
        watch.endsFlat()
        const record = await server.record(String(answer.headers['atelier-invocation-id']))
        assert.equal(record.bytesOut, bytes)
      },
    )

    faultTest(
      'whose reader stops reading waits for it, in flat memory',
      () => server,
      async () => {
        const watch = watchMemory()
        const answer = await open('do=big&count=256')
        let received = 0
        for await (const chunk of answer as AsyncIterable<Buffer>) {
          const before = received
          received += chunk.length
          // Three long pauses, in which a server without back-pressure would take everything in.
          if (Math.floor(received / (16 * MIB)) > Math.floor(before / (16 * MIB)) && received < 64 * MIB)
            await sleep(1000)
        }
        assert.equal(received, 256 * MIB)
        watch.endsFlat()
      },
    )

    faultTest(
      'that answers after the caller left is cancelled, and serves the next caller',
      () => server,
      async () => {
        const gone = request(`${server.routerUrl}/default/default/${name}?do=late`)
        gone.on('error', () => {})
        gone.end()
        await until('the call runs', async () =>
          (await server.instances(name)).some(each => each.state === 'busy'),
        )
        gone.destroy()
        type Records = {
          items: readonly { readonly status: string; readonly httpStatus: number; readonly fault?: string }[]
        }
        let found: Records['items'] = []
        await until('the call is recorded', async () => {
          const { json } = await server.api<Records>(
            'GET',
            `/v1/invocations?app=default&function=${name}&status=cancelled`,
          )
          found = json.items
          return found.length > 0
        })
        assert.equal(found.length, 1)
        assert.equal(found[0]?.httpStatus, 0)
        assert.equal(found[0]?.fault, 'caller')
        assert.equal((await server.call(`${name}?do=late`)).text, 'late')
      },
    )

    faultTest(
      'gets a body that is uploaded slowly, whole',
      () => server,
      async () => {
        const { hostname, port } = new URL(server.routerUrl)
        const socket = connect(Number(port), hostname)
        let text = ''
        socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
        socket.write(
          `POST /default/default/${name}?do=count HTTP/1.1\r\nhost: x\r\ncontent-length: 40\r\nconnection: close\r\n\r\n`,
        )
        for (let n = 0; n < 40; n++) {
          socket.write('x')
          await sleep(50)
        }
        await until('it is answered', () => socket.readableEnded)
        assert.match(text, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n40$/)
      },
    )
  })

faultTest(
  'a client that never ends its request head is sent away with 408',
  () => server,
  async () => {
    await until('it is sent away', () => hesitant.socket.readableEnded, 60_000)
    assert.match(hesitant.text, /^HTTP\/1\.1 408 [\s\S]*REQUEST_TIMEOUT/)
  },
)

interface HesitantClient {
  readonly socket: Socket
  text: string
}

function clientWithoutEnd(): HesitantClient {
  const { hostname, port } = new URL(server.routerUrl)
  const client = { socket: connect(Number(port), hostname), text: '' }
  client.socket.setEncoding('latin1').on('data', (chunk: string) => (client.text += chunk))
  client.socket.write('GET /default/default/neighbour HTTP/1.1\r\nx-slow: ')
  return client
}

function get(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => request(url, resolve).on('error', reject).end())
}

/** Looks at the server's memory until told; then it must not have grown. */
function watchMemory(): { endsFlat(): void } {
  const atFirst = server.residentBytes
  let most = atFirst
  const timer = setInterval(() => {
    most = Math.max(most, server.residentBytes)
  }, 50)
  return {
    endsFlat() {
      clearInterval(timer)
      assert.ok(most - atFirst < GROWTH_BYTES_MAX, `it grew by ${Math.round((most - atFirst) / MIB)} MiB`)
    },
  }
}
