/** Answers of HTTP/1.1 that must not reach a caller. `ends`: the server closes the connection behind them. */
export const breaches: readonly { readonly name: string; readonly bytes: Buffer; readonly ends?: boolean }[] =
  [
    { name: 'no HTTP at all', bytes: Buffer.from('SSH-2.0-garbage\r\n\r\n') },
    { name: 'binary garbage', bytes: Buffer.from([0, 1, 2, 255, 10, 10, 13, 10, 13, 10]) },
    { name: 'another version', bytes: Buffer.from('HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n') },
    { name: 'a content-length that promises more', bytes: answer('Content-Length: 10', 'short'), ends: true },
    { name: 'a content-length that is no number', bytes: answer('Content-Length: +5', 'hello') },
    { name: 'two content-lengths', bytes: answer('Content-Length: 5\r\nContent-Length: 6', 'hello!') },
    {
      name: 'a length and chunks',
      bytes: answer('Content-Length: 5\r\nTransfer-Encoding: chunked', '5\r\nhello\r\n0\r\n\r\n'),
    },
    { name: 'an unknown coding', bytes: answer('Transfer-Encoding: gzip, chunked', '0\r\n\r\n') },
    { name: 'chunks that are malformed', bytes: answer('Transfer-Encoding: chunked', 'zz\r\nhello\r\n') },
    { name: 'chunks that break off', bytes: answer('Transfer-Encoding: chunked', '5\r\nhel'), ends: true },
    { name: 'a flood of headers', bytes: answer(`${'X-A: 1\r\n'.repeat(300)}Content-Length: 0`, '') },
    { name: 'a head without end', bytes: Buffer.from(`HTTP/1.1 200 OK\r\nX-A: ${'y'.repeat(100_000)}`) },
    { name: 'a lone CR in a header', bytes: answer('X-A: 1\rX-B: 2\r\nContent-Length: 0', '') },
    { name: 'a folded header', bytes: answer('X-A: 1\r\n  more\r\nContent-Length: 0', '') },
    { name: 'a header name that is none', bytes: answer('X A: 1\r\nContent-Length: 0', '') },
    { name: 'interim answers without end', bytes: Buffer.from('HTTP/1.1 103 Early\r\n\r\n'.repeat(40)) },
    { name: 'an upgrade nobody asked for', bytes: answer('Connection: upgrade', '', '101 Switching') },
    { name: 'nothing at all', bytes: Buffer.alloc(0), ends: true },
  ]

function answer(headers: string, body: string, status = '200 OK'): Buffer {
  return Buffer.from(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`)
}
