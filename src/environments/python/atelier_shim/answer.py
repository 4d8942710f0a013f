"""What a handler returned, as status, headers and body; and how they are sent."""

import inspect
import json
import re

from .messages import Headers, Response
from .wire import WINDOW_BYTES

TEXT_TYPE = "text/plain; charset=utf-8"
JSON_TYPE = "application/json"
BYTES_TYPE = "application/octet-stream"

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def to_response(value):
    """A Response for anything a handler may return; TypeError for what is none."""
    if isinstance(value, Response):
        return value
    if isinstance(value, tuple):
        return from_tuple(value)
    if hasattr(value, "status_code") and hasattr(value, "iter_encoded"):  # Flask's and Werkzeug's
        headers = [(name, one) for name, one in value.headers.items() if name.lower() != "content-length"]
        return Response(value.iter_encoded(), value.status_code, headers)
    if value is None:
        return Response(None, 204)
    return Response(value)


def from_tuple(value):
    if not 1 <= len(value) <= 3:
        raise TypeError("A tuple is (body, status) or (body, status, headers).")
    body, status, headers = (*value, *(200, ())[len(value) - 1 :])
    if not isinstance(status, int):
        status, headers = 200, status  # (body, headers), as Flask has it
    if isinstance(body, Response):
        return Response(body.body, status, [*body.headers.pairs(), *Headers(headers).pairs()])
    return Response(body, status, headers)


def head_of(status, pairs):
    """The head's bytes. TypeError or ValueError names what is not fit to be sent."""
    status = int(status)
    if not 200 <= status <= 599:
        raise ValueError(f"The status {status} is not from 200 to 599.")
    lines = [str(status)]
    for name, value in pairs:
        value = str(value).strip()
        if NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not a header name.")
        if VALUE.fullmatch(value) is None:
            raise ValueError(f"The value of the header {name} holds characters that no header may hold.")
        lines.append(f"{name.lower()}: {value}")
    return "\n".join(lines).encode()


def encode(response):
    """(head, body): the body is bytes, or something to iterate, or an async iterator."""
    body, default = to_body(response.body)
    pairs = response.headers.pairs()
    if response.status in (204, 205, 304):
        return head_of(response.status, pairs), b""
    if default is not None and "content-type" not in response.headers:
        pairs.append(("content-type", default))
    return head_of(response.status, pairs), body


def to_body(value):
    if value is None:
        return b"", None
    if isinstance(value, str):
        return value.encode(), TEXT_TYPE
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), BYTES_TYPE
    if isinstance(value, (dict, list, int, float, bool)):
        return json.dumps(value).encode(), JSON_TYPE
    if hasattr(value, "read"):
        return iter(lambda: value.read(64 * 1024), b""), BYTES_TYPE
    if hasattr(value, "__next__") or hasattr(value, "__anext__"):
        text = inspect.isgenerator(value) or inspect.isasyncgen(value)
        return value, TEXT_TYPE if text else BYTES_TYPE
    if hasattr(value, "__iter__") or hasattr(value, "__aiter__"):
        return value, BYTES_TYPE
    raise TypeError(f"A handler cannot answer with {type(value).__name__}: return text, bytes, a dict or a Response.")


def piece(chunk):
    if isinstance(chunk, str):
        return chunk.encode()
    if isinstance(chunk, (bytes, bytearray, memoryview)):
        return bytes(chunk)
    raise TypeError(f"A body is made of text or bytes, and this one gave {type(chunk).__name__}.")


def begin(call, head, body):
    """Sends the head, and the body where it is known and asked for; True when the body is still to be iterated."""
    if isinstance(body, bytes):
        if len(body) <= WINDOW_BYTES:
            call.answer(head, body)
        else:
            if b"\ncontent-length: " not in head:
                head += b"\ncontent-length: %d" % len(body)
            call.answer_head(head)
            if call.method != "HEAD":
                call.write(body)
            call.end()
        return False
    call.answer_head(head)
    return not call.over


def send(call, response):
    """Sends an answer from a thread that may wait."""
    head, body = encode(response)
    if hasattr(body, "__anext__") or hasattr(body, "__aiter__"):
        raise TypeError("An async body needs an async handler.")
    if not begin(call, head, body):
        return
    try:
        if call.method != "HEAD":
            for chunk in body:
                call.write(piece(chunk))
    finally:
        if hasattr(body, "close"):
            body.close()
    call.end()


async def send_async(call, response, loop):
    """Sends an answer from the event loop, which must not wait."""
    head, body = encode(response)
    if isinstance(body, bytes) and len(body) > WINDOW_BYTES:
        await loop.run_in_executor(None, begin, call, head, body)
        return
    if not begin(call, head, body):
        return
    if call.method == "HEAD":
        pass
    elif hasattr(body, "__aiter__"):
        async for chunk in body:
            await loop.run_in_executor(None, call.write, piece(chunk))
    else:
        for chunk in body:
            await loop.run_in_executor(None, call.write, piece(chunk))
    call.end()
