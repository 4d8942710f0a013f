import { type Machine, SYSCALL_NUMBER_MAX, type SyscallName, syscallNumber } from './syscalls.ts'

/**
 * The system call filter of a sandbox, as a classic BPF program. It takes away what a function never needs and what has
 * opened sandboxes before: mounts and namespaces, tracing, keys, kernel modules, io_uring, odd socket families. It is a
 * list of denials, as container engines have; what is allowed is still bounded by the namespaces and the lack of
 * capabilities. Filters survive exec and fork, and cannot be taken off.
 */
export function seccompFilter(machine: Machine, options: { readonly memoryIsWatched: boolean }): Uint8Array {
  const rules = [...denials(machine, options.memoryIsWatched), ...argumentRules(machine)]
  return encode([
    load(ARCHITECTURE_OFFSET),
    jumpIfEqual(AUDIT_ARCHITECTURE[machine], 1, 0),
    answer(KILL_PROCESS),
    load(NUMBER_OFFSET),
    // x32 calls bear this bit: a second table of the same calls, which a filter of numbers would not know.
    ...(machine === 'x64' ? [jumpIfAtLeast(X32_BIT, 0, 1), answer(KILL_PROCESS)] : []),
    jumpIfAtLeast(SYSCALL_NUMBER_MAX + 1, 0, 1),
    answer(errno(ENOSYS)),
    ...rules.flat(),
    answer(ALLOW),
  ])
}

const EPERM = 1
const ENOSYS = 38
const EAFNOSUPPORT = 97

const NOT_PERMITTED: readonly SyscallName[] = [
  // the file system's shape and namespaces
  ...([
    'mount',
    'umount2',
    'mount_setattr',
    'move_mount',
    'open_tree',
    'fsopen',
    'fsconfig',
    'fsmount',
  ] as const),
  ...(['fspick', 'pivot_root', 'chroot', 'unshare', 'setns', 'statmount', 'listmount'] as const),
  ...(['name_to_handle_at', 'open_by_handle_at', 'fanotify_init', 'fanotify_mark'] as const),
  // other processes
  ...(['ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_getfd', 'kcmp'] as const),
  ...(['migrate_pages', 'move_pages'] as const),
  // the kernel, the machine, its clock
  ...(['bpf', 'perf_event_open', 'kexec_load', 'kexec_file_load', 'init_module', 'finit_module'] as const),
  ...([
    'delete_module',
    'create_module',
    'get_kernel_syms',
    'query_module',
    'reboot',
    'swapon',
    'swapoff',
  ] as const),
  ...([
    'acct',
    'quotactl',
    'quotactl_fd',
    'syslog',
    'lookup_dcookie',
    'nfsservctl',
    'sysfs',
    'sysctl',
  ] as const),
  ...([
    'ustat',
    'uselib',
    'vhangup',
    'ioperm',
    'iopl',
    'modify_ldt',
    'sethostname',
    'setdomainname',
  ] as const),
  ...(['settimeofday', 'clock_settime', 'clock_adjtime'] as const),
  // keys belong to users, not to namespaces
  ...(['add_key', 'request_key', 'keyctl'] as const),
  'userfaultfd',
]

const NOT_THERE: readonly SyscallName[] = [
  // io_uring does what this filter forbids on another way; programs fall back when it does not exist.
  ...(['io_uring_setup', 'io_uring_enter', 'io_uring_register'] as const),
  // Its flags lie in memory, where a filter cannot look; C libraries then use clone.
  'clone3',
  // Contexts for this are counted for the whole machine: one tenant could use them all up.
  'io_setup',
  'memfd_secret',
]

/** Memory that belongs to no process: a watchdog that adds up processes would not see it. */
const UNSEEN_BY_WATCHDOG: readonly SyscallName[] = ['memfd_create', 'shmget']

function denials(machine: Machine, memoryIsWatched: boolean): Instruction[][] {
  return [
    ...NOT_PERMITTED.map(name => deny(machine, name, EPERM)),
    ...NOT_THERE.map(name => deny(machine, name, ENOSYS)),
    ...(memoryIsWatched ? UNSEEN_BY_WATCHDOG.map(name => deny(machine, name, ENOSYS)) : []),
  ]
}

function deny(machine: Machine, name: SyscallName, error: number): Instruction[] {
  const number = syscallNumber(machine, name)
  return number === undefined ? [] : [jumpIfEqual(number, 0, 1), answer(errno(error))]
}

// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
const CLONE_NAMESPACES = 0x7e020000
const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
const AF_NETLINK = 16
const NETLINK_ROUTE = 0
const TIOCSTI = 0x5412 // types into the terminal of whoever started us
const TIOCLINUX = 0x541c
const PERSONALITY_QUERY = 0xffffffff

/** Calls that are judged by their arguments. Each block leaves the call's number loaded when it does not apply. */
function argumentRules(machine: Machine): Instruction[][] {
  return [
    when(machine, 'clone', [
      load(argumentOffset(0)),
      jumpIfAnyBit(CLONE_NAMESPACES, 0, 1),
      answer(errno(EPERM)),
      answer(ALLOW),
    ]),
    when(machine, 'ioctl', [
      load(argumentOffset(1)),
      jumpIfEqual(TIOCSTI, 1, 0),
      jumpIfEqual(TIOCLINUX, 0, 1),
      answer(errno(EPERM)),
      answer(ALLOW),
    ]),
    when(machine, 'personality', [
      load(argumentOffset(0)),
      jumpIfEqual(0, 1, 0),
      jumpIfEqual(PERSONALITY_QUERY, 0, 1),
      answer(ALLOW),
      answer(errno(EPERM)),
    ]),
    when(machine, 'socket', [
      load(argumentOffset(0)),
      jumpIfEqual(AF_UNIX, 5, 0),
      jumpIfEqual(AF_INET, 4, 0),
      jumpIfEqual(AF_INET6, 3, 0),
      jumpIfEqual(AF_NETLINK, 0, 3),
      load(argumentOffset(2)),
      jumpIfEqual(NETLINK_ROUTE, 0, 1), // what getifaddrs asks
      answer(ALLOW),
      answer(errno(EAFNOSUPPORT)),
    ]),
  ]
}

/** Runs `body`, which answers in every case, when the call is `name`. */
function when(machine: Machine, name: SyscallName, body: readonly Instruction[]): Instruction[] {
  const number = syscallNumber(machine, name)
  return number === undefined ? [] : [jumpIfEqual(number, 0, body.length), ...body]
}

// The program's input is struct seccomp_data: number, architecture, instruction pointer, six arguments of 64 bits.
const NUMBER_OFFSET = 0
const ARCHITECTURE_OFFSET = 4
const AUDIT_ARCHITECTURE: Readonly<Record<Machine, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 }
const X32_BIT = 0x40000000
const KILL_PROCESS = 0x80000000
const ALLOW = 0x7fff0000

/** Of an argument's 64 bits the lower 32: the kernel itself looks at no more of those that are judged here. */
function argumentOffset(index: number): number {
  return 16 + 8 * index
}

function errno(number: number): number {
  return 0x00050000 | number
}

interface Instruction {
  readonly code: number
  readonly ifTrue: number
  readonly ifFalse: number
  readonly k: number
}

function load(offset: number): Instruction {
  return { code: 0x20, ifTrue: 0, ifFalse: 0, k: offset }
}

function jumpIfEqual(k: number, ifTrue: number, ifFalse: number): Instruction {
  return { code: 0x15, ifTrue, ifFalse, k }
}

function jumpIfAtLeast(k: number, ifTrue: number, ifFalse: number): Instruction {
  return { code: 0x35, ifTrue, ifFalse, k }
}

function jumpIfAnyBit(k: number, ifTrue: number, ifFalse: number): Instruction {
  return { code: 0x45, ifTrue, ifFalse, k }
}

function answer(k: number): Instruction {
  return { code: 0x06, ifTrue: 0, ifFalse: 0, k }
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(program.length * 8))
  program.forEach(({ code, ifTrue, ifFalse, k }, index) => {
    bytes.setUint16(index * 8, code, true)
    bytes.setUint8(index * 8 + 2, ifTrue)
    bytes.setUint8(index * 8 + 3, ifFalse)
    bytes.setUint32(index * 8 + 4, k >>> 0, true)
  })
  return new Uint8Array(bytes.buffer)
}
