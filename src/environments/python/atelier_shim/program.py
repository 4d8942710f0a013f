"""The environment `binary`: any executable, started anew for each call.

It finds the body on its standard input and the request in its environment, with the names of CGI. What it prints is the
answer; lines of headers and an empty line may come before (then, as in CGI, one of them is Content-Type, Status or
Location). Its standard error is the call's log. An exit code other than 0 is a failure.
"""

import os
import re
import select
import signal
import subprocess
import sys
import threading

from .answer import head_of
from .call import Cancelled
from .instance import exit_hooks
from .messages import Headers
from .output import current_call
from .runners import ThreadRunner
from .wire import DATA_BYTES_MAX

KILL_AFTER_S = 2.0
PAUSE_S = 0.01
HEAD_BYTES_MAX = 64 * 1024
TAIL_BYTES_MAX = 4_000
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)\r?\n")
CGI_FIELDS = (b"content-type", b"status", b"location")


#: Programs that run now.
running = set()


class Failed(Exception):
    """The program ended with something else than 0."""


def prepare_program(spec, output, directory):
    """What runs the calls of one executable."""
    exit_hooks.append(kill_all)
    path = os.path.join(directory, spec["entry"])
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"The entry {spec['entry']} is no file that can be run.")
    return ThreadRunner(lambda call, context: run(path, call, context), spec, output)


def run(path, call, context):
    try:
        child = subprocess.Popen(
            [path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment_of(call, context),
            start_new_session=True,
        )
    except OSError as error:
        raise Failed(f"{os.path.basename(path)} could not be started: {error.strerror}") from None
    running.add(child)
    call.on_cancel = lambda: end(child)
    if call.cancel_reason is not None:
        end(child)
    tail = bytearray()
    threads = [
        threading.Thread(target=feed, args=(child, call), daemon=True),
        threading.Thread(target=follow, args=(child, tail, call), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        answer = Answer(call)
        while True:
            # A program that pauses has said what it wants to be heard now.
            if not select.select([child.stdout], [], [], PAUSE_S)[0]:
                answer.flush()
            piece = os.read(child.stdout.fileno(), DATA_BYTES_MAX)
            if not piece:
                break
            answer.take(piece)
    except BaseException:
        kill(child)
        raise
    finally:
        code = child.wait()
        kill(child)  # what it has started and left behind
        threads[1].join(KILL_AFTER_S)
        running.discard(child)
    if call.cancel_reason is not None:
        raise Cancelled(call.cancel_reason)
    if code != 0:
        raise failure_of(path, code, tail)
    answer.finish()


def environment_of(call, context):
    path, _, query = call.target.partition("?")
    names = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": call.method,
        "REQUEST_URI": call.target,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SCRIPT_NAME": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "INVOCATION_ID": call.id,
        "DEADLINE_MS": str(call.deadline),
        "FUNCTION_NAME": context.function["name"],
        "FUNCTION_VERSION": str(context.function["version"]),
        "MEMORY_MIB": str(context.memory_mib),
    }
    headers = Headers(line.split(": ", 1) for line in call.header_lines.split("\n") if line)
    for name in headers:
        key = name.upper().replace("-", "_")
        # HTTP_PROXY would be taken for a setting by half of the programs there are.
        if key == "PROXY":
            continue
        value = headers[name].replace("\0", "")
        names[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    own = {name: value for name, value in os.environ.items() if not name.startswith("ATELIER_")}
    return {**own, **names}


def feed(child, call):
    """The request's body into the program, as it comes."""
    try:
        while True:
            part = call.read_part(consume=False)
            if not part:
                break
            child.stdin.write(part)
            child.stdin.flush()
            call.consumed(len(part))
    except (Cancelled, BrokenPipeError, ValueError):
        pass  # it does not want more, or nobody sends more
    finally:
        try:
            child.stdin.close()
        except OSError:
            pass


def follow(child, tail, call):
    """What it says on standard error, to the call's log and into the message of a failure."""
    current_call.set(call)
    for line in iter(child.stderr.readline, b""):
        tail += line
        del tail[:-TAIL_BYTES_MAX]
        sys.stderr.write(line.decode("utf-8", "replace"))


class Answer:
    """Parts the head, where there is one, from the body. Small answers go out whole, when the exit code is known."""

    def __init__(self, call):
        self._call = call
        self._waiting = b""
        self._head = None
        self._begun = False
        self._announced = None

    def take(self, piece):
        self._waiting += piece
        if self._head is None and not self._parse(False):
            return
        if len(self._waiting) > DATA_BYTES_MAX or self._begun:
            self._stream()

    def flush(self):
        """What is there may go out, unless it is a head that is not whole, or all that was announced: then the exit code decides."""
        if self._head is None and self._waiting and FIELD.match(self._waiting) is None:
            self._parse(True)
        if self._head is not None and self._waiting and len(self._waiting) != self._announced:
            self._stream()

    def finish(self):
        if self._head is None:
            self._parse(True)
        if self._begun:
            self._stream()
            self._call.end()
        else:
            self._call.answer(self._head, b"" if self._call.method == "HEAD" or self._empty else self._waiting)

    def _stream(self):
        if not self._begun:
            self._begun = True
            self._call.answer_head(self._head)
        if self._call.method != "HEAD" and not self._empty:
            self._call.write(self._waiting)
        self._waiting = b""

    def _parse(self, complete):
        """Whether it is known where the body begins."""
        pairs, at = [], 0
        while True:
            found = FIELD.match(self._waiting, at)
            if found is None:
                break
            pairs.append((found[1], found[2]))
            at = found.end()
        rest = self._waiting[at : at + 2]
        ended = rest[:1] == b"\n" or rest == b"\r\n"
        if not ended and not complete and self._may_go_on(at):
            return False
        if not ended or not any(name.lower() in CGI_FIELDS for name, _ in pairs):
            pairs, body = [], self._waiting
        else:
            body = self._waiting[at + (1 if rest[:1] == b"\n" else 2) :]
        status, fields = 200, []
        for name, value in pairs:
            if name.lower() == b"status":
                number = value.split(b" ", 1)[0].decode("latin-1")
                status = int(number) if number.isdigit() else 0
            else:
                if name.lower() == b"content-length" and value.isdigit():
                    self._announced = int(value)
                fields.append((name.decode(), value.decode("utf-8", "replace")))
            if name.lower() == b"location" and status == 200:
                status = 302
        if not any(name.lower() == "content-type" for name, _ in fields) and body and status not in (204, 304):
            fields.append(("content-type", "text/plain; charset=utf-8" if is_text(body) else "application/octet-stream"))
        self._head = head_of(status, fields)
        self._empty = status in (204, 304)
        self._waiting = body
        return True

    def _may_go_on(self, at):
        """Whether what has come after the last whole field may still become one."""
        rest = self._waiting[at:]
        if len(self._waiting) > HEAD_BYTES_MAX or b"\n" in rest:
            return False
        return re.match(rb"\r?$|[!#$%&'*+.^_`|~0-9A-Za-z-]+(:.*)?$", rest, re.DOTALL) is not None


def is_text(data):
    try:
        data[:1024].decode()
    except UnicodeDecodeError as error:
        return error.start > 1020  # a character that was cut
    return b"\0" not in data[:1024]


def failure_of(path, code, tail):
    what = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    lines = [line for line in tail.decode("utf-8", "replace").splitlines() if line.strip()]
    message = lines[-1] if lines else f"{os.path.basename(path)} ended with {what}"
    error = Failed(message)
    error.stack = f"{os.path.basename(path)} ended with {what}: {message}\n"
    return error


def end(child):
    """Asks it to end, and insists after a while."""
    signal_group(child, signal.SIGTERM)
    timer = threading.Timer(KILL_AFTER_S, kill, (child,))
    timer.daemon = True
    timer.start()


def kill(child):
    signal_group(child, signal.SIGKILL)


def kill_all():
    """The instance ends: outside of a sandbox nobody else would end them."""
    for child in list(running):
        kill(child)


def signal_group(child, number):
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):
        pass

