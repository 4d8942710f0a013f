"""The code's end of a WebSocket. The platform speaks the protocol; here are whole messages.

    ws = context.upgrade_websocket()
    for message in ws:
        ws.send(message)

In an async handler: `async for message in ws` and `await ws.asend(message)`.
"""

import queue

from .wire import MESSAGE_COST_BYTES, PAYLOAD_BYTES_MAX

NORMAL = 1000


class Closed(Exception):
    """The other side has closed the socket, or is gone."""


class WebSocket:
    def __init__(self, call, protocol):
        self.protocol = protocol
        self.close_code = None
        self._call = call
        self._messages = queue.SimpleQueue()
        self._ended = False

    def send(self, data):
        """Sends text or bytes, at most 1 MiB, waiting while the other side is behind."""
        text = isinstance(data, str)
        data = data.encode() if text else bytes(data)
        if len(data) > PAYLOAD_BYTES_MAX:
            raise ValueError(f"A message may hold {PAYLOAD_BYTES_MAX} bytes.")
        if self._ended or self._call.over:
            raise Closed("The socket is closed.")
        self._call.write_message(data, text)

    def receive(self):
        """The next message, str or bytes; raises Closed when there will be none."""
        if self._ended:
            raise Closed("The socket is closed.")
        item = self._messages.get()
        if item is None:
            self._ended = True
            raise Closed("The socket is closed.")
        message, size = item
        self._call.consumed(size + MESSAGE_COST_BYTES)
        return message

    def close(self, code=NORMAL, reason=""):
        self._ended = True
        self._call.end(code.to_bytes(2, "big") + reason.encode()[:123])

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self.receive()
        except Closed:
            raise StopIteration from None

    async def asend(self, data):
        await self._wait(self.send, data)

    async def areceive(self):
        return await self._wait(self.receive)

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return await self.areceive()
        except Closed:
            raise StopAsyncIteration from None

    async def _wait(self, function, *arguments):
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

    # Called on the reading thread

    def deliver(self, message, size):
        self._messages.put((message, size))

    def closed_by_peer(self, payload):
        """`payload` is that of the close frame, or None when the other side is just gone."""
        if payload is not None and len(payload) >= 2:
            self.close_code = int.from_bytes(payload[:2], "big")
        self._messages.put(None)


def accept(call, protocol):
    if call.header("upgrade") != "websocket":
        raise RuntimeError('This call offers no WebSocket: it has no "upgrade: websocket".')
    call.socket = WebSocket(call, protocol)
    call.answer_head(b"101" if protocol is None else b"101\nsec-websocket-protocol: " + protocol.encode())
    return call.socket
