// Code that has never run is slow at its first run: by milliseconds, which are the half of a first call. A generic instance has
// time, so it plays a function that is loaded and called, from the first byte read to the last byte written.
import { fileURLToPath } from 'node:url'
import { Call } from './call.mjs'
import { findRunner } from './load.mjs'
import { CALL, END, LOAD, LOADED, Wire } from './wire.mjs'

const ROUNDS = 3
const SPEC = {
  directory: '/function',
  entry: 'rehearsal-function.mjs',
  config: {},
  secrets: {},
  function: { project: 'rehearsal', app: 'rehearsal', name: 'rehearsal', version: 1 },
  instance: 'rehearsal',
  concurrency: 1,
  memoryMiB: 128,
  timeoutMs: 30_000,
}
const CALL_HEAD =
  'GET /rehearsal?a=1\nrehearsal\n9999999999999\nhost: localhost\naccept: */*\nuser-agent: rehearsal'

/** Plays on `stage` with a stream that leads nowhere; nothing of it can be seen by the code that comes later. */
export async function rehearse(stage) {
  let run
  let read
  const { promise: loaded, resolve } = Promise.withResolvers()
  const wire = new Wire(
    (type, flags, number, bytes, start, end) => {
      if (type === CALL) run(new Call(wire, number, flags, bytes, start, end, () => wire.flush()))
      else void load(JSON.parse(bytes.utf8Slice(start, end)))
    },
    () => {},
    onread => {
      read = bytes => {
        onread.buffer.set(bytes)
        onread.callback(bytes.length)
      }
      return NOWHERE
    },
  )
  async function load(spec) {
    run = await findRunner(fileURLToPath(new URL('.', import.meta.url)), spec, stage)
    wire.text(LOADED, 0, 0, JSON.stringify({ initUs: 1 }))
    wire.flush()
    resolve()
  }
  read(frame(LOAD, 0, 0, Buffer.from(JSON.stringify(SPEC))))
  await loaded
  for (let round = 1; round <= ROUNDS; round++) {
    const head = Buffer.from(CALL_HEAD)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(head.length)
    read(frame(CALL, END, round, Buffer.concat([length, head])))
    await new Promise(setImmediate)
  }
}

const NOWHERE = { on() {}, resume() {}, write: () => true, cork() {}, uncork() {} }

function frame(type, flags, number, payload) {
  const head = Buffer.alloc(10)
  head.writeUInt32BE(payload.length, 0)
  head[4] = type
  head[5] = flags
  head.writeUInt32BE(number, 6)
  return Buffer.concat([head, payload])
}
