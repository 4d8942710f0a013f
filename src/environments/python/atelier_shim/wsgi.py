"""WSGI applications (PEP 3333): Flask, Django, Bottle and their kind."""

import io
import sys
from urllib.parse import unquote_to_bytes

from .messages import Request, Response


def run(application, call, context):
    state = {}

    def start_response(status, headers, exc_info=None):
        if exc_info is not None and call.answered:
            raise exc_info[1].with_traceback(exc_info[2])
        state["response"] = Response(None, int(status.split(" ", 1)[0]), headers)
        return state.setdefault("written", []).append

    body = application(environ_of(call, context), start_response)
    chunks = iterate(body, state)
    first = next(chunks, b"")  # an application may call start_response as late as its first piece
    if "response" not in state:
        raise RuntimeError("The application never called start_response.")
    response = state["response"]
    if isinstance(body, (list, tuple)):
        response.body = b"".join([first, *chunks])
    else:
        response.body = rest(first, chunks)
    return response


def iterate(body, state):
    try:
        for chunk in body:
            while state.get("written"):
                yield state["written"].pop(0)
            yield chunk
        while state.get("written"):
            yield state["written"].pop(0)
    finally:
        if hasattr(body, "close"):
            body.close()


def rest(first, chunks):
    yield first
    yield from chunks


class Input(io.RawIOBase):
    """The request's body as a file that reads as it comes."""

    def __init__(self, call):
        self._parts = Request(call).stream()
        self._left = b""

    def readable(self):
        return True

    def readinto(self, into):
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._left = part
        size = min(len(into), len(self._left))
        into[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


def environ_of(call, context):
    request = Request(call)
    path, _, query = call.target.partition("?")
    host, _, port = request.headers.get("host", "localhost").partition(":")
    scheme = "https" if request.headers.get("x-forwarded-proto", "").startswith("https") else "http"
    environ = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": host,
        "SERVER_PORT": port or ("443" if scheme == "https" else "80"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.headers.get("x-forwarded-for", "127.0.0.1").split(",")[0].strip(),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BufferedReader(Input(call)),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "atelier.context": context,
    }
    for name in request.headers:
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = request.headers[name]
    return environ
