"""ASGI applications (version 3, HTTP): FastAPI, Starlette, Quart and their kind."""

import asyncio
from urllib.parse import unquote

from .answer import head_of
from .messages import Request
from .wire import WINDOW_BYTES

lifespans = {}


async def run(application, call, context):
    loop = asyncio.get_running_loop()
    if application not in lifespans:
        lifespans[application] = loop.create_task(start_lifespan(application))
    await lifespans[application]
    ended = asyncio.Event()
    answer = Answer(call, loop)

    async def receive():
        if answer.request_over:
            await ended.wait()
            return {"type": "http.disconnect"}
        ready = call.body_ready
        part = call.read_part() if ready else await loop.run_in_executor(None, call.read_part)
        answer.request_over = not part
        return {"type": "http.request", "body": part, "more_body": bool(part)}

    try:
        await application(scope_of(call, context), receive, answer.send)
    finally:
        ended.set()
    if not call.over:
        raise RuntimeError("The application returned before its answer was complete.")
    return None


async def start_lifespan(application):
    """Tells the application that it starts; one that knows nothing of lifespans goes without."""
    started = asyncio.Event()
    messages = [{"type": "lifespan.startup"}]

    async def receive():
        if messages:
            return messages.pop()
        await asyncio.Event().wait()  # there is no shutdown to tell: instances are killed

    async def send(message):
        if message["type"] == "lifespan.startup.failed":
            raise RuntimeError(f"The application did not start: {message.get('message', '')}")
        started.set()

    running = asyncio.ensure_future(application({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))
    running.add_done_callback(lambda task: started.set() if task.cancelled() else (task.exception(), started.set()))
    await started.wait()
    return running


class Answer:
    def __init__(self, call, loop):
        self.request_over = False
        self._call = call
        self._loop = loop
        self._head = None

    async def send(self, message):
        call = self._call
        if message["type"] == "http.response.start":
            pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
            self._head = head_of(message["status"], pairs)
        elif message["type"] == "http.response.body":
            if self._head is None and not call.answered:
                raise RuntimeError("The application sent a body before its head.")
            body = bytes(message.get("body", b""))
            more = message.get("more_body", False)
            if not call.answered and not more and len(body) <= WINDOW_BYTES:
                call.answer(self._head, body)
                return
            if not call.answered:
                call.answer_head(self._head)
            if body and call.method != "HEAD":
                await self._loop.run_in_executor(None, call.write, body)
            if not more:
                call.end()


def scope_of(call, context):
    request = Request(call)
    path, _, query = call.target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "https" if request.headers.get("x-forwarded-proto", "").startswith("https") else "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.pairs()],
        "client": (request.headers.get("x-forwarded-for", "127.0.0.1").split(",")[0].strip(), 0),
        "server": None,
        "atelier.context": context,
    }
