import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sandbox } from '../../src/backends/index.ts'
import { IN_GVISOR, inside, pythonInside, SHELL } from './inside.ts'
import { openLocal, unavailable } from './local-fixture.ts'

const never = new AbortController().signal

describe('what code in a local sandbox can see and do', { skip: unavailable() }, () => {
  let fixture: Awaited<ReturnType<typeof openLocal>>
  let sandbox: Sandbox

  before(async () => {
    process.env['ATELIER_TEST_SECRET'] = 'not for tenants'
    fixture = await openLocal({})
    sandbox = await fixture.backend.start({ id: 'tenant', launch: SHELL }, never)
    await sandbox.attach(fixture.grant)
  })
  after(async () => {
    delete process.env['ATELIER_TEST_SECRET']
    await fixture?.backend.close()
    await fixture?.dispose()
  })

  test('it sees its own bundle as /function, read-only', async () => {
    assert.equal((await inside(sandbox, 'cat /function/name.txt')).text, 'bundle-one')
    assert.notEqual((await inside(sandbox, 'touch /function/mine')).code, 0)
    assert.notEqual((await inside(sandbox, 'rm -f /function/name.txt')).code, 0)
    assert.ok(existsSync(join(fixture.grant.bundlePath, 'name.txt')))
  })

  test('it reaches no other bundle, by no way we know', async () => {
    for (const attempt of [
      'find /function -maxdepth 1 | grep -v name.txt; cat /function/bundle-two/name.txt',
      'umount /function; find /function/bundle-two -maxdepth 1',
      'umount -l /function; find /function/bundle-two -maxdepth 1',
      'umount /function; umount /function; cat /function/bundle-two/name.txt',
      'mount --bind / /tmp; find /tmp/function/bundle-two -maxdepth 1',
      'mount --move /function /tmp; cat /function/bundle-two/name.txt',
      'unshare -Urm /bin/sh -c "umount /function; find /function/bundle-two -maxdepth 1"',
      'unshare -Urm /bin/sh -c "mount --bind / /tmp; find /tmp/function/bundle-two -maxdepth 1"',
      'unshare -U /bin/sh -c "find /function/bundle-two -maxdepth 1"',
      'cat /proc/1/root/function/bundle-two/name.txt',
      'cat /proc/self/root/function/bundle-two/name.txt',
      'for fd in /proc/[0-9]*/fd/*; do find "$fd/bundle-two" "$fd/../bundle-two" -maxdepth 1; done',
      'cat /function/../bundle-two/name.txt /function/../function/bundle-two/name.txt',
      'cd /function/.. && cat function/bundle-two/name.txt',
      `cat ${fixture.other.bundlePath}/name.txt`,
      'for cwd in /proc/[0-9]*/cwd; do cat "$cwd/bundle-two/name.txt"; done',
      'nsenter -t 1 -m /bin/sh -c "find /function/bundle-two -maxdepth 1"',
      'find / -xdev -path /usr -prune -o -name name.txt -not -path "/function/*" 2>/dev/null; find / -path /usr -prune -o -name bundle-two -print 2>/dev/null',
    ]) {
      const { text } = await inside(sandbox, `( ${attempt} ) 2>/dev/null`)
      assert.doesNotMatch(text, /bundle-two/, attempt)
    }
  })

  test('it sees nothing of the host beside the system folders', async () => {
    const { text } = await inside(sandbox, 'find / -mindepth 1 -maxdepth 1 -printf "%f\\n"')
    const allowed = [
      'bin',
      'dev',
      'etc',
      'function',
      'lib',
      'lib32',
      'lib64',
      'libx32',
      'proc',
      'sbin',
      'tmp',
      'usr',
      ...(IN_GVISOR ? ['sys'] : []), // of its own kernel
    ]
    assert.deepEqual(
      text
        .trim()
        .split('\n')
        .filter(name => !allowed.includes(name)),
      [],
    )
    for (const path of ['/root', '/home', '/etc/shadow', '/var/run', fixture.home])
      assert.notEqual((await inside(sandbox, `find ${path} -maxdepth 0 2>&1`)).code, 0, path)
    assert.doesNotMatch((await inside(sandbox, 'cat /etc/passwd')).text, /daemon/)
  })

  test('its environment is what the manifest says, and nothing of ours', async () => {
    const { text } = await inside(sandbox, 'env; cat /proc/*/environ 2>/dev/null')
    assert.match(text, /FROM_THE_MANIFEST=yes/)
    assert.doesNotMatch(text, /ATELIER_TEST_SECRET|not for tenants/)
  })

  test('it holds no descriptor but its standard streams and its channel', async () => {
    const { text } = await pythonInside(
      sandbox,
      'import os\nprint(sorted(map(int, os.listdir("/proc/self/fd"))))',
    )
    // Python's own listing opens one, and the shell kept 3.
    assert.match(text, /^\[0, 1, 2, 3, (4|10)(, 10)?\]\n$/)
  })

  test('it has no capabilities, cannot get any, and is filtered', async () => {
    const { text } = await inside(sandbox, 'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status')
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', ...(IN_GVISOR ? [] : ['CapAmb'])])
      assert.match(text, new RegExp(`${set}:\\s+0{16}\\n`))
    if (IN_GVISOR) return // its kernel says no more of itself, and the filter is around it
    assert.match(text, /NoNewPrivs:\s+1/)
    if (fixture.backend.capabilities().seccomp) assert.match(text, /Seccomp:\s+2/)
  })

  test('on the host it is a user of its own', { skip: process.getuid?.() !== 0 && 'not root' }, async () => {
    const other = await fixture.backend.start({ id: 'neighbour', launch: SHELL }, never)
    await inside(other, 'true')
    const uidOf = async (box: Sandbox) => Number((await inside(box, 'id -u')).text)
    const [mine, theirs] = [await uidOf(sandbox), await uidOf(other)]
    assert.ok(mine > 10_000 && theirs > 10_000 && mine !== theirs)
    await other.kill()
  })

  test('it sees only its own processes and cannot touch the one that keeps them', async t => {
    const { text } = await inside(sandbox, 'for each in /proc/[0-9]*; do echo $each; done | wc -l')
    assert.ok(Number(text) > 0 && Number(text) < 10, `${text} processes`)
    if (IN_GVISOR) return t.diagnostic('the first process in gVisor is the code’s own')
    await inside(sandbox, 'kill -9 1; kill -TERM 1; kill -STOP 1')
    assert.equal((await inside(sandbox, 'echo alive')).text, 'alive\n')
  })

  test('it cannot write anywhere but /tmp and /dev/shm', async () => {
    for (const path of ['/', '/usr', '/etc', '/dev', '/function', '/proc/sys/kernel'])
      assert.notEqual((await inside(sandbox, `touch ${path}/mine 2>&1`)).code, 0, path)
    for (const path of ['/tmp', '/dev/shm'])
      assert.equal((await inside(sandbox, `touch ${path}/mine`)).code, 0, path)
    assert.notEqual((await inside(sandbox, 'echo 1 > /proc/sys/kernel/core_pattern')).code, 0)
    assert.notEqual((await inside(sandbox, 'echo c > /proc/sysrq-trigger')).code, 0)
  })

  const answered = IN_GVISOR && 'the kernel that answers them is gVisor’s'
  test('dangerous system calls are refused for real', { skip: answered }, async () => {
    const { text } = await pythonInside(
      sandbox,
      `import ctypes, platform, errno, socket
libc = ctypes.CDLL(None, use_errno=True)
arm = platform.machine() == "aarch64"
calls = {"mount": (165, 40), "unshare": (272, 97), "setns": (308, 268), "ptrace": (101, 117), "keyctl": (250, 219),
  "add_key": (248, 217), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "chroot": (161, 51),
  "open_by_handle_at": (304, 265), "process_vm_readv": (310, 270), "pidfd_getfd": (438, 438), "open_tree": (428, 428),
  "fsopen": (430, 430), "io_uring_setup": (425, 425), "clone3": (435, 435), "io_setup": (206, 0)}
for name, (x64, a64) in calls.items():
  ctypes.set_errno(0)
  answer = libc.syscall(a64 if arm else x64, 0, 0, 0, 0, 0)
  print(name, answer, errno.errorcode.get(ctypes.get_errno()))
for flag in (0x10000000, 0x20000000, 0x00020000, 0x40000000):
  ctypes.set_errno(0)
  print("clone", libc.syscall(220 if arm else 56, flag | 17, 0, 0, 0, 0), errno.errorcode.get(ctypes.get_errno()))
for family in (17, 38, 40, 44):
  try:
    socket.socket(family, socket.SOCK_DGRAM); print("socket", family, "OPEN")
  except OSError as e: print("socket -1", errno.errorcode.get(e.errno))
socket.socket(socket.AF_UNIX); socket.socket(socket.AF_INET6); print("ordinary sockets work")`,
    )
    const lines = text.trim().split('\n')
    assert.equal(lines.pop(), 'ordinary sockets work')
    assert.equal(lines.length, 18 + 4 + 4)
    for (const line of lines) assert.match(line, / -1 (EPERM|ENOSYS|EAFNOSUPPORT)$/, line)
  })

  test('without a network there is only its own loopback', async () => {
    const attached = await fixture.backend.start({ id: 'alone', launch: SHELL }, never)
    await attached.attach(fixture.grant)
    for (const address of ['1.1.1.1', '10.0.2.2', '10.0.2.3', '169.254.169.254', '2606:4700:4700::1111']) {
      const { text } = await pythonInside(
        attached,
        `import socket\ntry: socket.create_connection(("${address}", 53), 2); print("OPEN")\nexcept OSError as e: print(e.strerror)`,
      )
      assert.match(text, /unreachable|Cannot assign/i, address)
    }
    if (!IN_GVISOR) assert.equal((await inside(attached, 'find /sys/class/net 2>/dev/null')).text, '')
    // An interface that was there while nobody used it takes the kernel a moment to remove.
    for (let tries = 0; ; tries++) {
      const { text } = await inside(attached, 'grep -c : /proc/net/dev')
      if (text.trim() === '1') break
      assert.ok(tries < 100, text)
      await sleep(20)
    }
    await attached.kill()
  })

  test('its first process on the host bears nothing of ours', () => {
    const environ = readFileSync(`/proc/${sandbox.pid}/environ`, 'latin1')
    assert.doesNotMatch(environ, /ATELIER_TEST_SECRET/)
  })
})
