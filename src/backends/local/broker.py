"""Makes sockets inside sandboxes for the server (see broker.ts), and hands them over: from then on nobody is in between.

Speaks Node's channel for child processes on descriptor NODE_CHANNEL_FD: a line of JSON for each message; a descriptor
travels with a message NODE_HANDLE. Each order is carried out by a child of its own, which enters the namespaces of the
sandbox, makes one socket, and ends. What runs in a sandbox is hostile: it sees nothing of that child but a connection.
"""

import array
import ctypes
import errno
import json
import os
import select
import selectors
import signal
import socket
import sys
import time

CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWUSER = 0x00020000, 0x40000000, 0x10000000
PR_SET_DUMPABLE = 4
IP_FREEBIND = 15
BACKLOG = 511
ORDERS_MAX = 256  # at once; what comes beyond waits in the channel
LINE_BYTES_MAX = 64 * 1024
CONNECT_S_MAX = 2.0
SPARE_S = 3  # beyond an order's own time
PAUSE_S_MIN, PAUSE_S_MAX = 0.002, 0.02
# The last two: the loopback interface is not up yet.
NOBODY = {errno.ENOENT, errno.ECONNREFUSED, errno.ENETUNREACH, errno.EADDRNOTAVAIL}

libc = ctypes.CDLL(None, use_errno=True)


def start_time(pid):
    with open(f"/proc/{pid}/stat", encoding="latin1") as stat:
        return stat.read().rpartition(")")[2].split()[19]


def enter(order):
    """Into the namespaces of the process, which is known by its number and the time it started. Returns a handle of it."""
    pid = order["pid"]
    pidfd = os.pidfd_open(pid)
    if start_time(pid) != order["since"]:
        raise ProcessLookupError("the sandbox is gone")
    namespaces = CLONE_NEWNET
    if "path" in order:
        namespaces |= CLONE_NEWNS
    if order["uid"] is None:
        namespaces |= CLONE_NEWUSER
    # Nobody in a sandbox may look into this process, whatever rights it has made up for itself there.
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.setns(pidfd, namespaces) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")
    if "path" in order:
        os.chdir("/")
    if order["uid"] is not None:
        # From here on paths mean what they mean to the sandbox's own user.
        os.setgroups([])
        os.setresgid(order["uid"], order["uid"], order["uid"])
        os.setresuid(order["uid"], order["uid"], order["uid"])
        libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    return pidfd


def place(order):
    if "path" in order:
        return socket.AF_UNIX, order["path"]
    return socket.AF_INET, ("127.0.0.1", order["port"])


def connect(order, process):
    family, address = place(order)
    until = time.monotonic() + order["patienceMs"] / 1000
    pause = PAUSE_S_MIN
    while True:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.settimeout(CONNECT_S_MAX)
        try:
            made.connect(address)
            # A port of our own choosing that happens to be the one we look for is a connection to ourselves.
            if family == socket.AF_UNIX or made.getsockname() != made.getpeername():
                break
        except OSError as error:
            if error.errno not in NOBODY:
                raise
        made.close()
        if time.monotonic() + pause > until:
            return None
        if select.select([process], [], [], pause)[0]:
            raise ProcessLookupError("the sandbox has ended")
        pause = min(PAUSE_S_MAX, pause * 1.5)
    if family == socket.AF_INET:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def listen(order):
    family, address = place(order)
    made = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET:
        # Before the command runs, the loopback interface may not be up yet.
        made.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    made.bind(address)
    made.listen(BACKLOG)
    return made


def carry_out(order, report):
    """In a child: one socket, and an answer with or without it."""
    signal.alarm(int(order["patienceMs"] / 1000 + CONNECT_S_MAX) + SPARE_S)
    number = order["id"]
    try:
        process = enter(order)
        made = connect(order, process) if order["op"] == "connect" else listen(order)
    except Exception as error:  # whatever it is, the server must hear of it
        report.send(json.dumps({"id": number, "error": str(error)}).encode())
        return
    if made is None:
        report.send(json.dumps({"id": number, "nobody": True}).encode())
        return
    made.setblocking(False)
    kind = "net.Socket" if order["op"] == "connect" else "net.Server"
    text = json.dumps({"cmd": "NODE_HANDLE", "type": kind, "msg": {"id": number}})
    report.sendmsg(
        [text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [made.fileno()]))]
    )


class Broker:
    def __init__(self, channel):
        self.channel = channel
        self.selector = selectors.DefaultSelector()
        self.selector.register(channel, selectors.EVENT_READ)
        self.rest = b""
        self.orders = []
        self.running = {}

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.channel:
                    self.receive()
                else:
                    self.finish(key.fileobj)
            while self.orders and len(self.running) < ORDERS_MAX:
                self.begin(self.orders.pop(0))

    def receive(self):
        piece = self.channel.recv(65536)
        if not piece:
            sys.exit(0)  # the server has ended; children end by their alarm
        *lines, self.rest = (self.rest + piece).split(b"\n")
        if len(self.rest) > LINE_BYTES_MAX:
            sys.exit(1)
        for line in lines:
            order = json.loads(line)
            if "op" in order:  # else it is Node's receipt for a descriptor
                self.orders.append(order)

    def begin(self, order):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            try:
                kept = theirs.detach()
                if kept != 3:
                    os.dup2(kept, 3, inheritable=False)
                os.closerange(4, 65536)
                carry_out(order, socket.socket(fileno=3))
            finally:
                os._exit(0)
        theirs.close()
        self.running[ours] = order["id"]
        self.selector.register(ours, selectors.EVENT_READ)

    def finish(self, report):
        data, control, _, _ = report.recvmsg(65536, socket.CMSG_SPACE(4))
        number = self.running.pop(report)
        self.selector.unregister(report)
        report.close()
        made = array.array("i")
        for level, kind, held in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                made.frombytes(held[: len(held) - len(held) % made.itemsize])
        if not data:
            data = json.dumps({"id": number, "error": "it took too long"}).encode()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, made)] if made else []
        self.channel.sendmsg([data + b"\n"], rights)
        for descriptor in made:
            os.close(descriptor)


signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are nobody's to wait for
Broker(socket.socket(fileno=int(os.environ.pop("NODE_CHANNEL_FD")))).run()
