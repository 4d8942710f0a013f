"""One call: what has come of the request, what may still be sent, and how it ends."""

import json
import threading
import time
import traceback

from .wire import CANCEL, DATA, DATA_BYTES_MAX, END, FAIL, MESSAGE, MESSAGE_COST_BYTES, NUMBER, TEXT
from .wire import WINDOW, WINDOW_BYTES

WINDOW_STEP_BYTES = WINDOW_BYTES // 2
MESSAGE_CHARACTERS_MAX = 4_000
STACK_CHARACTERS_MAX = 32_000


class Cancelled(Exception):
    """The caller has left, the deadline has passed, or the instance is going; raised on the next read or write."""


class Call:
    def __init__(self, wire, number, flags, payload, on_end):
        (size,) = NUMBER.unpack_from(payload)
        self.number = number
        self.head = payload[4 : 4 + size].decode()
        first, _, rest = self.head.partition("\n")
        self.id, _, rest = rest.partition("\n")
        deadline, _, self.header_lines = rest.partition("\n")
        self.method, _, self.target = first.partition(" ")
        self.deadline = int(deadline)
        self.context = None
        self.socket = None
        self.cancel_reason = None
        self.over = False
        self.answered = False
        self.on_cancel = None
        self.before_end = lambda: None
        body = payload[4 + size :]
        self._wire = wire
        self._on_end = on_end
        self._parts = [body] if body else []
        self._complete = bool(flags & END)
        self._consumed = 0
        self._credit = WINDOW_BYTES
        # Reads and writes wait on it for what the reading thread brings.
        self._changed = threading.Condition()

    def remaining_ms(self):
        return max(0, self.deadline - int(time.time() * 1000))

    def header(self, name):
        """The first value of a header, without making a dictionary of all."""
        prefix = f"{name}: "
        for line in self.header_lines.split("\n"):
            if line.startswith(prefix):
                return line[len(prefix) :]
        return None

    # The request's body

    @property
    def body_ready(self):
        return self._complete or bool(self._parts)

    def read_part(self, consume=True):
        """The next piece of the body; b"" after the last. Without `consume` the reader says itself when it is done with it."""
        with self._changed:
            while not self._parts:
                if self.cancel_reason is not None:
                    raise Cancelled(self.cancel_reason)
                if self._complete:
                    return b""
                self._changed.wait()
            part = self._parts.pop(0)
        if consume:
            self.consumed(len(part))
        return part

    def read_all(self):
        if self._complete and len(self._parts) <= 1:
            return self._parts.pop() if self._parts else b""
        parts = []
        while True:
            part = self.read_part()
            if not part:
                return b"".join(parts)
            parts.append(part)

    def consumed(self, size):
        """Lets the platform send as much again as has been read."""
        if self._complete or self.over:
            return
        self._consumed += size
        if self._consumed >= WINDOW_STEP_BYTES:
            self._wire.send(WINDOW, 0, self.number, NUMBER.pack(self._consumed))
            self._consumed = 0

    # The answer

    def answer(self, head, body):
        """The whole answer, when its body fits the window."""
        if self._begin():
            self.before_end()
            self._wire.result(END, self.number, head, body)
            self._finish()

    def answer_head(self, head):
        """The head; the body follows through `write` and `end`."""
        if self._begin():
            self._wire.result(0, self.number, head)

    def write(self, data):
        """Sends a piece of the body, waiting for the window where it is used up."""
        at, size = 0, len(data)
        while at < size:
            with self._changed:
                self._wait_for_credit()
                piece = data[at : at + min(DATA_BYTES_MAX, self._credit)]
                self._credit -= len(piece)
            self._wire.send(DATA, 0, self.number, piece)
            at += len(piece)

    def write_message(self, data, text):
        """Sends a WebSocket message, which may take the window below zero."""
        with self._changed:
            self._wait_for_credit()
            self._credit -= len(data) + MESSAGE_COST_BYTES
        self._wire.send(MESSAGE, TEXT if text else 0, self.number, data)

    def end(self, close=b""):
        if self.over:
            return
        self.before_end()
        if self.cancel_reason is None:
            self._wire.send(DATA, END, self.number, close)
        else:
            self._wire.send(FAIL, 0, self.number)
        self._finish()

    def fail(self, error):
        """The code has failed."""
        if self.over:
            return
        self.before_end()
        self._wire.send(FAIL, 0, self.number, failure(error) if self.cancel_reason is None else b"")
        self._finish()

    def receive(self, kind, flags, payload):
        """A frame of this call, on the reading thread."""
        if kind == DATA:
            if self.socket is not None:
                self.socket.closed_by_peer(payload)
                return
            with self._changed:
                if payload:
                    self._parts.append(payload)
                if flags & END:
                    self._complete = True
                self._changed.notify_all()
        elif kind == WINDOW:
            with self._changed:
                self._credit += NUMBER.unpack(payload)[0]
                self._changed.notify_all()
        elif kind == MESSAGE:
            if self.socket is not None:
                self.socket.deliver(payload.decode() if flags & TEXT else payload, len(payload))
        elif kind == CANCEL:
            with self._changed:
                self.cancel_reason = payload.decode()
                self._changed.notify_all()
            if self.socket is not None:
                self.socket.closed_by_peer(None)
            if self.on_cancel is not None:
                self.on_cancel()

    def _wait_for_credit(self):
        while True:
            if self.cancel_reason is not None:
                raise Cancelled(self.cancel_reason)
            if self._credit > 0:
                return
            self._changed.wait()

    def _begin(self):
        """Whether an answer may begin; a cancelled call ends here instead."""
        if self.over:
            return False
        self.answered = True
        if self.cancel_reason is None:
            return True
        self.fail(Cancelled(self.cancel_reason))
        return False

    def _finish(self):
        self.over = True
        self._on_end(self)


def failure(error):
    """The payload of FAIL and LOAD_FAILED."""
    if isinstance(error, SystemExit):
        message = f"The function called sys.exit({error.code!r})."
    else:
        message = str(error) or type(error).__name__
    stack = getattr(error, "stack", None) or "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return json.dumps(
        {"message": message[:MESSAGE_CHARACTERS_MAX], "stack": stack[-STACK_CHARACTERS_MAX:].rstrip("\n")}
    ).encode()
