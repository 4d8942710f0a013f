"""Frames to bytes and back, for the shim's end of the stream."""

import struct
import threading

HELLO, LOAD, LOADED, LOAD_FAILED = 1, 2, 3, 4
CALL, RESULT, DATA, WINDOW, CANCEL, FAIL, MESSAGE, LOG = 16, 17, 18, 19, 20, 21, 22, 23
PING, PONG, DRAIN = 32, 33, 34
END, TEXT = 1, 2

DATA_BYTES_MAX = 64 * 1024
WINDOW_BYTES = 262_144
MESSAGE_COST_BYTES = 64  # what a WebSocket message takes of the window beside its payload
PAYLOAD_BYTES_MAX = 1024 * 1024
READ_BYTES = 64 * 1024

HEAD = struct.Struct(">IBBI")
RESULT_HEAD = struct.Struct(">IBBII")
NUMBER = struct.Struct(">I")


class Wire:
    """Frames out under one lock, from any thread; frames in to one visitor."""

    def __init__(self, channel):
        self._channel = channel
        self._lock = threading.Lock()

    def send(self, kind, flags, call, payload=b""):
        data = HEAD.pack(len(payload), kind, flags, call) + payload
        with self._lock:
            self._channel.sendall(data)

    def result(self, flags, call, head, body=b""):
        data = RESULT_HEAD.pack(4 + len(head) + len(body), RESULT, flags, call, len(head)) + head + body
        with self._lock:
            self._channel.sendall(data)

    def frames(self):
        """Every frame as (kind, flags, call, payload) until the stream ends."""
        receive = self._channel.recv
        unpack = HEAD.unpack_from
        waiting = b""
        while True:
            chunk = receive(READ_BYTES)
            if not chunk:
                return
            data = waiting + chunk if waiting else chunk
            at, size = 0, len(data)
            while size - at >= 10:
                length, kind, flags, call = unpack(data, at)
                if length > PAYLOAD_BYTES_MAX:
                    return
                end = at + 10 + length
                if end > size:
                    waiting = self._rest(data, at, end)
                    if waiting is None:
                        return
                    yield kind, flags, call, waiting
                    at = size
                    break
                yield kind, flags, call, data[at + 10 : end]
                at = end
            waiting = data[at:]

    def _rest(self, data, at, end):
        """The payload of a frame that has come in part, read to its end."""
        payload = bytearray(end - at - 10)
        filled = len(data) - at - 10
        payload[:filled] = data[at + 10 :]
        view = memoryview(payload)
        while filled < len(payload):
            read = self._channel.recv_into(view[filled:])
            if read == 0:
                return None
            filled += read
        return bytes(payload)

    def close(self):
        with self._lock:
            self._channel.close()
