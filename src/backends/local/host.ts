import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { NAME_SERVER } from './network.ts'
import type { HostSystem } from './policy.ts'
import type { UidRange } from './uids.ts'

/** What programs read in /etc and that tells nothing about the host's users, services or secrets. */
const COPIED = [
  'ld.so.cache',
  'ld-musl-x86_64.path',
  'ld-musl-aarch64.path',
  'localtime',
  'timezone',
  'os-release',
  'mime.types',
  'services',
  'protocols',
  'gai.conf',
  'ssl/openssl.cnf',
]
/** Folders of settings that Debian's runtimes keep in /etc and do not start without: Java's and Mono's. */
const COPIED_FOLDERS = /^(java-\d+-openjdk|mono)$/
const LEFT_OUT = /^\/etc\/java-\d+-openjdk\/management$/ // may hold passwords
const CERTIFICATES = ['/etc/ssl/certs', '/etc/pki/tls/certs', '/etc/pki/ca-trust/extracted']
const ROOTS = ['/bin', '/sbin', '/lib', '/lib64', '/lib32', '/libx32']

/** Looks at the host's system folders and writes the made-up /etc into `runPath`. */
export function prepareHostSystem(runPath: string, uids: UidRange | undefined): HostSystem {
  const etcPath = join(runPath, 'etc')
  rmSync(etcPath, { recursive: true, force: true })
  folder(etcPath)
  const file = (name: string, text: string) => {
    writeFileSync(join(etcPath, name), text)
    chmodSync(join(etcPath, name), 0o444)
  }
  file('passwd', passwd(uids))
  file('group', group(uids))
  file('hosts', '127.0.0.1 localhost\n::1 localhost\n')
  file('nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n')
  file('resolv.conf', `nameserver ${NAME_SERVER}\noptions timeout:5 attempts:2\n`)
  for (const name of COPIED) {
    const source = join('/etc', name)
    if (!existsSync(source)) continue
    folder(dirname(join(etcPath, name)))
    copyFileSync(source, join(etcPath, name))
    chmodSync(join(etcPath, name), 0o444)
  }
  // Debian's /usr/bin points through here for programs of which there are several.
  if (existsSync('/etc/alternatives'))
    cpSync('/etc/alternatives', join(etcPath, 'alternatives'), { recursive: true, verbatimSymlinks: true })
  for (const name of readdirSync('/etc').filter(each => COPIED_FOLDERS.test(each)))
    cpSync(join('/etc', name), join(etcPath, name), {
      recursive: true,
      verbatimSymlinks: true,
      filter: source => !LEFT_OUT.test(source),
    })
  const certificatePaths = CERTIFICATES.filter(path => existsSync(path))
  for (const path of certificatePaths) folder(join(etcPath, path.slice('/etc/'.length)))
  return { etcPath, certificatePaths, roots: ROOTS.filter(isThere).map(rootOf) }
}

function folder(path: string): void {
  mkdirSync(path, { recursive: true })
  chmodSync(path, 0o755)
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

function rootOf(target: string): HostSystem['roots'][number] {
  return { target, linkTo: lstatSync(target).isSymbolicLink() ? readlinkSync(target) : undefined }
}

/** Every user a sandbox may be has a name, since programs fail in odd ways for users without one. */
function passwd(uids: UidRange | undefined): string {
  const lines = ['root:x:0:0:root:/tmp:/bin/sh', 'nobody:x:65534:65534:nobody:/:/bin/false']
  for (let n = 0; n < (uids?.count ?? 0); n++) {
    const uid = (uids?.first ?? 0) + n
    lines.push(`function${n}:x:${uid}:${uid}::/tmp:/bin/sh`)
  }
  return `${lines.join('\n')}\n`
}

function group(uids: UidRange | undefined): string {
  const lines = ['root:x:0:', 'nogroup:x:65534:']
  for (let n = 0; n < (uids?.count ?? 0); n++) lines.push(`function${n}:x:${(uids?.first ?? 0) + n}:`)
  return `${lines.join('\n')}\n`
}
