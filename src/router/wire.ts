import type { Duplex } from 'node:stream'
import { type AtelierError, newId, nodeHttp } from '../core/index.ts'
import { problemOf } from './problem.ts'

const { STATUS_CODES } = nodeHttp()

/** Refuses on a bare socket: a problem document, and the end of the connection. */
export function refuseOn(socket: Duplex, error: AtelierError, nowMs: number): void {
  const { status, headers, body } = problemOf(error, newId(nowMs))
  endWith(socket, status, headers, body)
}

/** Writes a whole answer on a bare socket and ends it. `headers` hold no framing. */
export function endWith(socket: Duplex, status: number, headers: readonly string[], body: Uint8Array): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const fields = [...headers, 'content-length', String(body.length), 'connection', 'close']
  socket.write(headText(status, fields), 'latin1')
  socket.end(body)
}

/** Status line and header fields, with the empty line. The caller has checked every name and value. */
export function headText(status: number, headers: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
  let isDated = false
  for (let i = 0; i < headers.length; i += 2) {
    text += `${headers[i]}: ${headers[i + 1]}\r\n`
    if (headers[i] === 'date') isDated = true
  }
  return isDated ? `${text}\r\n` : `${text}date: ${httpDate()}\r\n\r\n`
}

let dateText = ''
let dateSecond = 0

/** The time as HTTP writes it; made once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(second * 1000).toUTCString()
  }
  return dateText
}
