"""Functions of Qinling: `function(**input)`, each execution in a process of its own, as its Python runtime has it.

A process without threads is made when the code is loaded, before anything of the code has run; executions are its children. So
they share what the interpreter has in memory, start within a millisecond, and find their modules as fresh as in a new worker.
"""

import codecs
import errno
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback

from .call import Cancelled
from .instance import exit_hooks
from .messages import Response
from .runners import ThreadRunner

CONVENTION = ":qinling"
FILE_BYTES_MAX = 524_288_000
OPEN_FILES_MAX = 1024
HEAD_BYTES_MAX = 1024
OUTPUT_BYTES_MAX = 6 * 1024 * 1024  # what the platform keeps of an answer
PIECE_BYTES = 64 * 1024
TICK_S = 0.1  # between looks at whether somebody still waits, and whether the child lives
CHANNEL = 3

TOO_MUCH = "Function execution failed because of too much resource consumption"
TIMEOUT = "Function execution timeout."


def prepare_qinling(spec, output):
    """What runs the executions of one function."""
    module, _, name = spec["entry"][: -len(CONVENTION)].rpartition(":")
    mother = start_mother(module, name)
    exit_hooks.append(kill_all)
    return ThreadRunner(lambda call, context: execute(mother, call, spec), spec, output)


def execute(mother, call, spec):
    request = {
        "id": call.header("qinling-execution-id") or call.id,
        "input": json.loads(call.read_all() or b"null"),
        "token": call.header("atelier-auth-token"),
        "auth_url": call.header("atelier-auth-url"),
        "project_id": call.header("atelier-project-id"),
    }
    timeout_s = int(call.header("qinling-timeout-ms") or spec["timeoutMs"]) / 1000
    channel, theirs = socket.socketpair()
    output, written = os.pipe()
    try:
        try:
            socket.send_fds(mother, [b"x"], [theirs.fileno(), written])
        except OSError:
            os._exit(1)  # the code has ended it: nothing can be run here any more
        finally:
            theirs.close()
            os.close(written)
        return Execution(call, channel, output).run(request, timeout_s)
    finally:
        channel.close()
        os.close(output)


#: Executions that run now.
running = set()


def kill_all():
    """The instance ends: outside of a sandbox nobody else would end them."""
    for execution in list(running):
        execution.kill()


class Execution:
    """One child, seen from the instance."""

    def __init__(self, call, channel, output):
        self._call = call
        self._channel = channel
        self._output = output
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._received = b""
        self._pid = None

    def run(self, request, timeout_s):
        started = time.monotonic()
        running.add(self)
        try:
            self._channel.sendall(json.dumps(request).encode())
            self._channel.shutdown(socket.SHUT_WR)
            result = self._follow(started + timeout_s)
        except (BrokenPipeError, ConnectionResetError):
            result = None  # it could not even be started
        finally:
            running.discard(self)
            self.kill()
            self._drain()
        duration = round(time.monotonic() - started, 3)
        if result is False:
            return answer(False, max(duration, timeout_s), json.dumps(TIMEOUT).encode())
        if result is None:
            return answer(False, duration, json.dumps(TOO_MUCH).encode())
        return answer(*result)

    def _follow(self, until):
        """What the child says of its end: None when it says nothing, False when it takes too long."""
        reading = [self._channel, self._output]
        while True:
            if self._call.cancel_reason is not None:
                raise Cancelled(self._call.cancel_reason)
            left = until - time.monotonic()
            if left <= 0:
                return False
            ready = select.select(reading, [], [], min(left, TICK_S))[0]
            if self._output in ready and not self._say():
                reading.remove(self._output)
            if self._channel in ready:
                piece = self._channel.recv(PIECE_BYTES)
                self._received += piece
                result = self._result()
                if result is not None:
                    return result
                if not piece:
                    return None
            elif not ready and not self._lives():
                return None

    def _result(self):
        """(ok, duration, output), once it is here: lines with the number of the process and the head, and the output."""
        first, line_end, rest = self._received.partition(b"\n")
        if line_end and self._pid is None:
            self._pid = int(first)
        head, line_end, body = rest.partition(b"\n")
        if not line_end:
            if len(rest) > HEAD_BYTES_MAX:
                raise ValueError("The execution broke its contract.")
            return None
        ok, duration, size = json.loads(head)
        if size > OUTPUT_BYTES_MAX:
            text = f"The function returned {size} bytes, and {OUTPUT_BYTES_MAX} is the most."
            return False, duration, json.dumps(text).encode()
        return (ok, duration, body) if len(body) >= size else None

    def _say(self):
        """Passes on what was printed; False after the last of it."""
        piece = os.read(self._output, PIECE_BYTES)
        text = self._decoder.decode(piece, final=not piece)
        if text:
            sys.stdout.write(text)
        return bool(piece)

    def _drain(self):
        os.set_blocking(self._output, False)
        try:
            while self._say():
                pass
        except BlockingIOError:
            pass  # somebody who left its group still holds it

    def _lives(self):
        if self._pid is None:
            return True
        try:
            os.kill(self._pid, 0)
            return True
        except OSError:
            return False

    def kill(self):
        """The child, and what it has started and left behind."""
        if self._pid is not None and self._pid > 1:
            try:
                os.killpg(self._pid, signal.SIGKILL)
            except OSError:
                pass


def answer(ok, duration, body):
    return Response(body, 200 if ok else 500, {"content-type": "application/json", "qinling-duration": str(duration)})


# The process that executions are made of.


def start_mother(module, name):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        try:
            serve(theirs.detach(), module, name)
        finally:
            os._exit(1)
    theirs.close()
    return ours


def serve(control, module, name):
    # The instance's own descriptors, the way to the platform among them, are nobody's here.
    os.dup2(control, CHANNEL)
    os.closerange(CHANNEL + 1, os.sysconf("SC_OPEN_MAX"))
    control = socket.socket(fileno=CHANNEL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended children leave nothing behind
    while True:
        _, fds, _, _ = socket.recv_fds(control, 1, 2)
        if len(fds) != 2:
            os._exit(0)
        try:
            if os.fork() == 0:
                control.close()
                child(*fds, module, name)
        except OSError:
            pass  # too many processes: whoever waits sees the channel end
        for fd in fds:
            os.close(fd)


def child(channel, output, module, name):
    """Does not return."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        channel = socket.socket(fileno=channel)
        channel.sendall(b"%d\n" % os.getpid())
        sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
        sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
        limit(resource.RLIMIT_NOFILE, OPEN_FILES_MAX)
        limit(resource.RLIMIT_FSIZE, FILE_BYTES_MAX)
        request = json.loads(b"".join(iter(lambda: channel.recv(PIECE_BYTES), b"")))
        print(f"Start execution: {request['id']}")
        started = time.monotonic()
        ok, output = call_function(module, name, request)
        duration = round(time.monotonic() - started, 3)
        print(f"Finished execution: {request['id']}")
        sys.stdout.flush()
        sys.stderr.flush()
        body = output.encode()
        channel.sendall(json.dumps([ok, duration, len(body)]).encode() + b"\n" + body)
        os._exit(0)
    except BaseException:  # sys.exit among them: Qinling takes it for a process that was ended
        traceback.print_exc()
    finally:
        os._exit(1)


def call_function(module, name, request):
    """(whether it returned, the output as JSON)"""
    try:
        function = getattr(importlib.import_module(module), name)
        named = dict(request["input"] or {})
        text = named.pop("__function_input", None)
        named["context"] = context_of(request)
        return True, json.dumps(function(*([text] if text else []), **named))
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        return False, json.dumps(TOO_MUCH if is_refusal(error) else str(error))


def context_of(request):
    """A session of keystoneauth1, where the package or the machine has that, and what it is made of."""
    token, auth_url = request["token"], request["auth_url"]
    lent = {name: request[name] for name in ("token", "auth_url", "project_id")} if token else {}
    return {"os_session": session_of(token, auth_url) if token else None, **lent}


def session_of(token, auth_url):
    try:
        from keystoneauth1 import access, session
        from keystoneauth1.identity import base
    except ImportError:
        return None

    class LentToken(base.BaseIdentityPlugin):
        """A token that is used as it is, since Keystone makes no other one from it. What it is good for is asked when that is needed first."""

        def get_auth_ref(self, session, **_):
            url = f"{self.auth_url.rstrip('/')}/auth/tokens"
            headers = {"Accept": "application/json", "X-Auth-Token": token, "X-Subject-Token": token}
            return access.create(resp=session.get(url, headers=headers, authenticated=False), auth_token=token)

    return session.Session(auth=LentToken(auth_url=auth_url))


def is_refusal(error):
    """Whether a limit has stopped it: no more memory, or no more processes."""
    if isinstance(error, RuntimeError):
        return str(error) == "can't start new thread"
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in (errno.EAGAIN, errno.ENOMEM))


def limit(what, most):
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
