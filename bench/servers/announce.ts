import type { AddressInfo, Server } from 'node:net'

/** Says on stdout where a server listens: one line, read by `startServer`. */
export function announce(server: Server): void {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}
