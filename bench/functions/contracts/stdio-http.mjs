let said = ''
process.stdin.setEncoding('latin1').on('data', piece => {
  said += piece
  // None of the calls has a body.
  for (let end = said.indexOf('\r\n\r\n'); end >= 0; end = said.indexOf('\r\n\r\n')) {
    said = said.slice(end + 4)
    process.stdout.write('HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!')
  }
})
process.stdin.on('end', () => process.exit(0))
