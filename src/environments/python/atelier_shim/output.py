"""print and logging of the code, sent as LOG with the number of the call that wrote."""

import contextvars
import io
import sys
import threading

from .wire import LOG

PIECE_CHARACTERS_MAX = 64 * 1024
CALL_CHARACTERS_MAX = 2 * 1024 * 1024  # the platform keeps less; a flood is stopped where it starts

#: The call that runs now, in this thread or task.
current_call = contextvars.ContextVar("atelier_call", default=None)


class CapturedStream(io.TextIOBase):
    """Takes the place of sys.stdout or sys.stderr."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, wire, stream, descriptor):
        self._wire = wire
        self._stream = stream
        self._descriptor = descriptor
        self._unfinished = {}
        self._written = {}
        self._lock = threading.Lock()

    def writable(self):
        return True

    def isatty(self):
        return False

    def fileno(self):
        return self._descriptor

    @property
    def buffer(self):
        return _Bytes(self)

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        call = current_call.get()
        number = 0 if call is None or call.over else call.number
        with self._lock:
            whole = self._unfinished.pop(number, "") + text
            end = whole.rfind("\n") + 1
            if end < len(whole) < PIECE_CHARACTERS_MAX:
                self._unfinished[number] = whole[end:]
                whole = whole[:end]
        if whole:
            self._send(number, whole)
        return len(text)

    @property
    def busy(self):
        return bool(self._unfinished or self._written)

    def end_of_call(self, number):
        """What was written without a line break at its end goes out before the answer does."""
        with self._lock:
            rest = self._unfinished.pop(number, "")
        if rest:
            self._send(number, rest + "\n")
        self._written.pop(number, None)

    def _send(self, number, text):
        if number != 0:
            before = self._written.get(number, 0)
            self._written[number] = before + len(text)
            if before > CALL_CHARACTERS_MAX:
                return
        for at in range(0, len(text), PIECE_CHARACTERS_MAX):
            piece = text[at : at + PIECE_CHARACTERS_MAX].encode("utf-8", "replace")
            self._wire.send(LOG, 0, number, bytes((self._stream,)) + piece)


class _Bytes:
    """The `buffer` of a captured stream."""

    def __init__(self, text):
        self._text = text

    def write(self, data):
        self._text.write(bytes(data).decode("utf-8", "replace"))
        return len(data)

    def flush(self):
        pass


class Output:
    """Both streams of the process."""

    def __init__(self, wire):
        self._streams = (CapturedStream(wire, 1, 1), CapturedStream(wire, 2, 2))
        sys.stdout, sys.stderr = self._streams

    def end_of_call(self, number):
        for stream in self._streams:
            if stream.busy:
                stream.end_of_call(number)
