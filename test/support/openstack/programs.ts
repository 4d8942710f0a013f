import { existsSync } from 'node:fs'

/** What each service needs from Debian, as a path that its package brings. `scripts/test.ts` installs them. */
const NEEDED = {
  keystone: ['/usr/bin/keystone-manage', '/usr/lib/python3/dist-packages/waitress'],
  swift: [
    '/usr/bin/swift-proxy-server',
    '/usr/bin/swift-account-server',
    '/usr/bin/swift-container-server',
    '/usr/bin/swift-object-server',
    '/usr/lib/python3/dist-packages/keystonemiddleware',
    '/usr/lib/python3/dist-packages/ceilometermiddleware',
  ],
  rabbitmq: ['/usr/lib/rabbitmq/bin/rabbitmq-server', '/usr/bin/epmd'],
  aodh: ['/usr/share/aodh-common/api-paste.ini', '/usr/bin/aodh-notifier'],
  ceilometer: ['/usr/bin/ceilometer-agent-notification'],
} as const

export type OpenStackService = keyof typeof NEEDED

/** Why tests that need these services cannot run here; `false` when they can. Made for `{ skip }` of `node:test`. */
export function missing(...services: readonly OpenStackService[]): string | false {
  const absent = services.flatMap(each => NEEDED[each]).filter(path => !existsSync(path))
  return absent.length > 0 && `not installed: ${absent.join(', ')}`
}
