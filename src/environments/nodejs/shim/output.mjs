// console and process.stdout/stderr of the code, sent as LOG with the number of the call that wrote.
import { Console } from 'node:console'
import { LOG } from './wire.mjs'

const PIECE_CHARACTERS_MAX = 64 * 1024
const CALL_CHARACTERS_MAX = 2 * 1024 * 1024 // the platform keeps less; a flood is stopped where it starts

/** `currentCall` gives the call that runs now, if one does. */
export function captureOutput(wire, currentCall) {
  const unfinished = new Map() // call number * 4 + stream, to text without a line break at its end
  const written = new Map() // call number, to characters

  function write(call, stream, text) {
    const number = call === undefined || call.over ? 0 : call.number
    const key = number * 4 + stream
    const whole = (unfinished.get(key) ?? '') + text
    const end = whole.lastIndexOf('\n') + 1
    if (end < whole.length && whole.length < PIECE_CHARACTERS_MAX) {
      unfinished.set(key, whole.slice(end))
      if (end > 0) send(number, stream, whole.slice(0, end))
    } else {
      unfinished.delete(key)
      send(number, stream, whole)
    }
  }

  function send(number, stream, text) {
    if (number !== 0) {
      const before = written.get(number) ?? 0
      written.set(number, before + text.length)
      if (before > CALL_CHARACTERS_MAX) return
    }
    for (let at = 0; at < text.length; at += PIECE_CHARACTERS_MAX) {
      const piece = text.slice(at, at + PIECE_CHARACTERS_MAX)
      const payload = Buffer.allocUnsafe(1 + Buffer.byteLength(piece))
      payload[0] = stream
      payload.write(piece, 1)
      wire.frame(LOG, 0, number, payload)
    }
    wire.flushSoon()
  }

  function sink(stream) {
    return {
      write(text) {
        write(currentCall(), stream, text)
        return true
      },
      on() {},
      once() {},
      removeListener() {},
    }
  }

  const captured = new Console({ stdout: sink(1), stderr: sink(2), colorMode: false, ignoreErrors: false })
  for (const [name, method] of Object.entries(captured)) {
    if (typeof method === 'function') console[name] = method
  }
  captureStream('stdout', 1)
  captureStream('stderr', 2)

  /** Writes of a call go to it; writes outside any call go where they always went. */
  function captureStream(name, stream) {
    const { get } = Object.getOwnPropertyDescriptor(process, name)
    let patched
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get() {
        if (patched === undefined) {
          patched = get.call(process)
          patched.write = (chunk, encoding, callback) => {
            const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
            write(currentCall(), stream, text)
            const done = typeof encoding === 'function' ? encoding : callback
            if (typeof done === 'function') process.nextTick(done)
            return true
          }
        }
        return patched
      },
    })
  }

  return {
    /** A whole line from the shim itself. */
    line: (call, stream, text) => write(call, stream, `${text}\n`),
    /** What was written without a line break at its end goes out before the answer does. */
    endOfCall(call) {
      if (unfinished.size > 0) {
        for (const stream of [1, 2]) {
          const text = unfinished.get(call.number * 4 + stream)
          unfinished.delete(call.number * 4 + stream)
          if (text !== undefined) send(call.number, stream, `${text}\n`)
        }
      }
      if (written.size > 0) written.delete(call.number)
    },
  }
}
