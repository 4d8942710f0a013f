"""The Python zygote: a trusted process that forks ready instances.

Booting Python and importing what a first call needs costs tens of milliseconds; forking a process that has done so
costs about two. The server starts one zygote outside of any sandbox. It runs no tenant's code: for each line of JSON on
its standard input it makes a child in fresh namespaces, and that child builds its own file system, gives up every
privilege and only then becomes the shim (`shim.main`). When standard input ends, the zygote exits and the kernel kills
its children.

One request:  {"id", "socket", "token", "mounts", "identity", "rlimits", "seccomp", "hostname", "env", "directory"}
Answers:      {"id", "pid"}, then {"id", "code"} or {"id", "signal"} when the child has ended; {"id", "error"} when it
              could not be made.

The child connects three times to `socket` (a Unix socket of the server) before it leaves the host's file system: for the
channel, for its standard output and for its standard error; it introduces each with "<token> <kind>\\n". Then it waits
for one byte on the channel, so that the server can put it into its cgroup first.

The mounts are those of `Mount` in src/backends/local/launcher.ts; what is done here is what bubblewrap does there.
"""

import ctypes
import fcntl
import gc
import json
import os
import random
import resource
import select
import signal
import socket
import stat
import struct
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 32, 4096, 16384, 1 << 19
MS_NOATIME, MS_NODIRATIME, MS_RELATIME = 1024, 2048, 1 << 21
ST_NOATIME, ST_NODIRATIME, ST_RELATIME = 1024, 2048, 4096  # statvfs(3) has other numbers than mount(2)
MNT_DETACH = 2
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION_3 = 0x20080522
CAPABILITY_LAST = 63  # the kernel refuses what it does not know, which is fine

SYS_CLONE, SYS_PIVOT_ROOT, SYS_MOUNT_SETATTR = (
    (220, 41, 442) if os.uname().machine == "aarch64" else (56, 155, 442)
)
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
FRAMES_DESCRIPTOR = 3
OUTER_UID, OUTER_GID = os.getuid(), os.getgid()  # a child in a new user namespace no longer knows

libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL keeps the interpreter's lock: a fork in between would lose it
libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
libc.syscall.restype = ctypes.c_long


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import shim

    shim.preload()
    gc.collect()
    gc.freeze()  # children would otherwise copy every page at their first collection
    children = {}
    wake_in, wake_out = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_out, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    waiting = b""
    while True:
        ready, _, _ = select.select([0, wake_in], [], [])
        if wake_in in ready:
            os.read(wake_in, 4096)
            reap(children)
        if 0 in ready:
            chunk = os.read(0, 65536)
            if not chunk:
                os._exit(0)
            *lines, waiting = (waiting + chunk).split(b"\n")
            for line in lines:
                serve(json.loads(line), children, shim)


def serve(request, children, shim):
    """Makes one child and tells its number."""
    try:
        pid = clone(request)
    except OSError as error:
        say({"id": request["id"], "error": f"clone: {error.strerror}"})
        return
    if pid == 0:
        become(request, shim)
    children[pid] = request["id"]
    say({"id": request["id"], "pid": pid})


def reap(children):
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        name = children.pop(pid, None)
        if name is None:
            continue
        if os.WIFSIGNALED(status):
            say({"id": name, "signal": signal.Signals(os.WTERMSIG(status)).name})
        else:
            say({"id": name, "code": os.WEXITSTATUS(status)})


def say(answer):
    data = json.dumps(answer).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def clone(request):
    """A fork into fresh namespaces. The interpreter's own hooks are called as os.fork() calls them."""
    flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
    if request["identity"]["kind"] == "mapped":
        flags |= CLONE_NEWUSER
    ctypes.pythonapi.PyOS_BeforeFork()
    # The last two arguments stand in another order on each machine; they are zero on all.
    pid = libc.syscall(SYS_CLONE, ctypes.c_ulong(flags | signal.SIGCHLD), 0, 0, 0, 0)
    number = ctypes.get_errno()
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, os.strerror(number))
    return pid


def become(request, shim):
    """The child's whole life, as the first process of its namespace. Does not return."""
    stderr = None
    try:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        channel = connect(request, "channel")
        stdout = connect(request, "stdout")
        stderr = connect(request, "stderr")
        if channel.recv(1) == b"":
            os._exit(0)
        if request["identity"]["kind"] == "mapped":
            map_user()
        program = seccomp_program(request["seccomp"])
        build_root(request["mounts"])
        socket.sethostname(request["hostname"])
        raise_loopback()
        os.setsid()
        take_descriptors(channel, stdout, stderr)
        stderr = None
        give_up_privileges(request["identity"])
        set_rlimits(request["rlimits"])
        os.chdir(request["directory"])
        os.environ.clear()
        os.environ.update(request["env"])
        if program is not None:
            check(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program[0]), 0, 0), "seccomp")
        pid = os.fork()
    except BaseException as error:  # whatever it is, the server must hear why
        text = f"the sandbox could not be made: {error}\n".encode()
        if stderr is not None:
            stderr.send(text)
        else:
            os.write(2, text)
        os._exit(70)
    if pid == 0:
        random.seed()
        try:
            shim.main(socket.socket(fileno=FRAMES_DESCRIPTOR))
        finally:
            os._exit(1)
    wait_as_init(pid)


def wait_as_init(shim_pid):
    """The first process of a namespace inherits its orphans: it reaps them, and ends with the shim."""
    os.close(FRAMES_DESCRIPTOR)
    os.close(1)
    os.close(2)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == shim_pid:
            os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


def connect(request, kind):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(request["socket"])
    connection.sendall(f"{request['token']} {kind}\n".encode())
    return connection


def map_user():
    """We are user 0 in a user namespace of our own, and our old self outside."""
    for path, text in (
        ("/proc/self/setgroups", "deny"),
        ("/proc/self/uid_map", f"0 {OUTER_UID} 1"),
        ("/proc/self/gid_map", f"0 {OUTER_GID} 1"),
    ):
        with open(path, "w") as file:
            file.write(text)


def build_root(mounts):
    """A new root from the list, as bubblewrap does it: a tmpfs becomes the root, the host lies under /oldroot for a while."""
    sources = [os.path.realpath(each["source"]) if each["kind"] == "bind" else "" for each in mounts]
    mount(None, "/", None, MS_SLAVE | MS_REC)
    base = "/tmp"
    mount("tmpfs", base, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    os.mkdir(f"{base}/newroot", 0o755)
    os.mkdir(f"{base}/oldroot", 0o755)
    check(libc.syscall(SYS_PIVOT_ROOT, base.encode(), f"{base}/oldroot".encode()), "pivot_root")
    os.chdir("/")
    mount("/newroot", "/newroot", None, MS_BIND | MS_REC)
    os.umask(0o022)
    for each, source in zip(mounts, sources):
        add(each, source)
    check(libc.umount2(b"/oldroot", MNT_DETACH), "umount of the host")
    os.chdir("/newroot")
    check(libc.syscall(SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
    check(libc.umount2(b".", MNT_DETACH), "umount of the scaffold")
    os.chdir("/")


def add(each, source):
    kind = each["kind"]
    target = f"/newroot{each['target']}".rstrip("/")
    if kind == "bind":
        bind(f"/oldroot{source}", target, each["writable"])
    elif kind == "tmpfs":
        os.makedirs(target, exist_ok=True)
        mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, f"size={each['bytesMax']},mode={each['mode']:o}")
    elif kind == "device":
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "w").close()
        mount(f"/oldroot{each['target']}", target, None, MS_BIND)
    elif kind == "proc":
        os.makedirs(target, exist_ok=True)
        mount("proc", target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        for name in ("sys", "sysrq-trigger", "irq", "bus"):
            if os.path.exists(f"{target}/{name}"):
                bind(f"{target}/{name}", f"{target}/{name}", False)
    elif kind == "symlink":
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(each["source"], target)
    elif kind == "seal":
        mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | flags_of(target))
    else:
        raise ValueError(f"unknown mount {kind}")


class MountAttr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def bind(source, target, writable):
    """A bind mount with everything below it, nosuid and nodev, read-only unless `writable`."""
    if source != target:
        if stat.S_ISDIR(os.stat(source).st_mode):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if not os.path.exists(target):
                open(target, "w").close()
    mount(source, target, None, MS_BIND | MS_REC)
    wanted = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (0 if writable else MOUNT_ATTR_RDONLY)
    attr = MountAttr(attr_set=wanted)
    size = ctypes.c_size_t(ctypes.sizeof(attr))
    if libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, target.encode(), AT_RECURSIVE, ctypes.byref(attr), size) == 0:
        return
    # Before Linux 5.12: only one mount at a time can be changed, so nothing below it is shown.
    check(libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")
    mount(source, target, None, MS_BIND)
    mount(None, target, None, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | flags_of(target) | (0 if writable else MS_RDONLY))


def flags_of(path):
    """The flags that a mount has already: in a user namespace none of them may be taken away."""
    has = os.statvfs(path).f_flag
    flags = has & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for theirs, ours in ((ST_NOATIME, MS_NOATIME), (ST_NODIRATIME, MS_NODIRATIME), (ST_RELATIME, MS_RELATIME)):
        if has & theirs:
            flags |= ours
    return flags


def mount(source, target, kind, flags, data=None):
    encoded = [None if each is None else each.encode() for each in (source, target, kind, data)]
    check(libc.mount(encoded[0], encoded[1], encoded[2], flags, encoded[3]), f"mount {target}")


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH22x", b"lo", 0)
        flags = struct.unpack("16sH22x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | IFF_UP))


def take_descriptors(channel, stdout, stderr):
    """Standard input is empty, 1 and 2 go to the server, 3 is the channel; nothing else stays open."""
    moved = [fcntl.fcntl(each.detach(), fcntl.F_DUPFD, 100) for each in (channel, stdout, stderr)]
    nothing = fcntl.fcntl(os.open("/dev/null", os.O_RDONLY), fcntl.F_DUPFD, 100)
    for source, target in ((nothing, 0), (moved[1], 1), (moved[2], 2), (moved[0], FRAMES_DESCRIPTOR)):
        os.dup2(source, target, inheritable=target < FRAMES_DESCRIPTOR)
    os.closerange(FRAMES_DESCRIPTOR + 1, max(256, max(moved) + 2))


class CapHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


def give_up_privileges(identity):
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(CAPABILITY_LAST + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    if identity["kind"] == "own":
        os.setgroups([])
        os.setresgid(identity["uid"], identity["uid"], identity["uid"])
        os.setresuid(identity["uid"], identity["uid"], identity["uid"])
    header = CapHeader(CAPABILITY_VERSION_3, 0)
    check(libc.capset(ctypes.byref(header), (ctypes.c_uint32 * 6)()), "capset")
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    # A change of user clears both: without the first /proc/self would not be ours, the second ends us with the zygote.
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def set_rlimits(limits):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits["openFiles"], limits["openFiles"]))
    resource.setrlimit(resource.RLIMIT_NPROC, (limits["processes"], limits["processes"]))
    if limits.get("fileBytes") is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits["fileBytes"], limits["fileBytes"]))


class SockFprog(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def seccomp_program(path):
    """The program in the file, read while the host's files are still there; kept together with its bytes."""
    if path is None:
        return None
    with open(path, "rb") as file:
        data = file.read()
    buffer = ctypes.create_string_buffer(data, len(data))
    return SockFprog(len(data) // 8, ctypes.cast(buffer, ctypes.c_void_p)), buffer


def check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
