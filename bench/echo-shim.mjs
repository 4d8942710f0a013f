// The least that speaks frames (docs/frames.md): answers every call with the same 13 bytes. Measures the platform, not a language.
import { Socket } from 'node:net'

const [HELLO, LOAD, LOADED, CALL, RESULT] = [1, 2, 3, 16, 17]
const END = 1
const socket = new Socket({ fd: 3 })
const head = Buffer.from('200\ncontent-type: text/plain')
const body = Buffer.from('Hello, World!')
let rest = Buffer.alloc(0)
let out = []

function frame(type, flags, call, payload) {
  const bytes = Buffer.allocUnsafe(10 + payload.length)
  bytes.writeUInt32BE(payload.length, 0)
  bytes[4] = type
  bytes[5] = flags
  bytes.writeUInt32BE(call, 6)
  payload.copy(bytes, 10)
  out.push(bytes)
}

const answer = Buffer.alloc(4 + head.length + body.length)
answer.writeUInt32BE(head.length, 0)
head.copy(answer, 4)
body.copy(answer, 4 + head.length)

socket.on('data', chunk => {
  let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
  while (bytes.length >= 10) {
    const length = bytes.readUInt32BE(0)
    if (bytes.length < 10 + length) break
    if (bytes[4] === LOAD) frame(LOADED, 0, 0, Buffer.from('{"initUs":1}'))
    else if (bytes[4] === CALL) frame(RESULT, END, bytes.readUInt32BE(6), answer)
    bytes = bytes.subarray(10 + length)
  }
  rest = bytes
  if (out.length > 0) socket.write(out.length === 1 ? out[0] : Buffer.concat(out))
  out = []
})
socket.on('close', () => process.exit(0))
frame(HELLO, 0, 0, Buffer.from('{"protocol":1,"shim":"echo","runtime":"none","pid":1}'))
socket.write(Buffer.concat(out))
out = []
