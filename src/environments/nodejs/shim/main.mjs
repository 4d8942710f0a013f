// The Node shim: speaks frames (docs/frames.md) for one instance. Little happens before HELLO, since somebody waits; only
// where ATELIER_GENERIC says that nobody does, all is read and tried first.
import { createRequire } from 'node:module'
import { Call, failureText } from './call.mjs'
import { Calls } from './calls.mjs'

import { CALL, DRAIN, HELLO, LOAD, LOAD_FAILED, LOADED, PING, PONG, Wire } from './wire.mjs'

const calls = new Calls()
let draining = false
/** Runs one call; there once LOAD is done. */
let run

const wire = new Wire(onFrame, () => process.exit(0))
const hello = JSON.stringify({
  protocol: 1,
  shim: 'nodejs',
  runtime: process.version,
  pid: process.pid,
  secret: process.env.ATELIER_SECRET,
})
const generic = process.env.ATELIER_GENERIC !== undefined
for (const name of ['SECRET', 'CONNECT', 'GENERIC']) delete process.env[`ATELIER_${name}`]

// What LOAD will need is read while nobody waits for it; required, since `import` takes a turn of the loop for each file.
const require = createRequire(import.meta.url)
if (!generic) sayHello()
const { makeStage, prepare } = require('./load.mjs')
const stage = makeStage(wire, calls)
if (generic) {
  await require('./rehearsal.mjs').rehearse(stage)
  sayHello()
}

function sayHello() {
  wire.text(HELLO, 0, 0, hello)
  wire.flush()
}

function onFrame(type, flags, number, bytes, start, end) {
  if (type === CALL) {
    const call = new Call(wire, number, flags, bytes, start, end, onCallEnd)
    calls.add(call)
    run(call)
  } else if (number !== 0) calls.get(number)?.receive(type, flags, bytes, start, end)
  else if (type === PING) {
    wire.frame(PONG, 0, 0, bytes.subarray(start, end))
    wire.flush()
  } else if (type === LOAD) void load(JSON.parse(bytes.utf8Slice(start, end)))
  else if (type === DRAIN) {
    draining = true
    exitWhenDrained()
  }
}

function onCallEnd(call) {
  calls.delete(call)
  if (calls.size === 0) {
    wire.flushAtRest()
    exitWhenDrained()
  } else wire.flushSoon()
}

function exitWhenDrained() {
  if (draining && calls.size === 0) wire.end()
}

async function load(spec) {
  const before = process.hrtime.bigint() // `performance` is made at its first touch, which costs a millisecond
  try {
    run = await prepare(spec, stage)
    const initUs = Number((process.hrtime.bigint() - before) / 1000n)
    wire.text(LOADED, 0, 0, JSON.stringify({ initUs }))
    wire.flush()
  } catch (error) {
    wire.text(LOAD_FAILED, 0, 0, failureText(error))
    wire.end()
  }
}
