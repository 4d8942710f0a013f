"""Where calls run: sync handlers on threads, the first of them the main one; async handlers on one event loop."""

import queue
import threading

from .answer import send, send_async, to_response
from .call import Cancelled
from .context import Context
from .output import current_call


class ThreadRunner:
    def __init__(self, handle, spec, output):
        self._handle = handle
        self._spec = spec
        self._output = output
        self._waiting = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 1
        self._free = 1  # threads without a call, less the calls that wait

    def start(self, call):
        """Called on the reading thread."""
        with self._lock:
            if self._free <= 0 and self._threads < self._spec["concurrency"]:
                self._threads += 1
                self._free += 1
                threading.Thread(target=self.serve, daemon=True, name="atelier-call").start()
            self._free -= 1
        self._waiting.put(call)

    def serve(self):
        while True:
            self._run(self._waiting.get())
            with self._lock:
                self._free += 1

    def _run(self, call):
        prepare(call, self._spec, self._output)
        token = current_call.set(call)
        try:
            result = self._handle(call, call.context)
            if call.socket is not None:
                call.socket.close()
            else:
                send(call, to_response(result))
        except BaseException as error:  # also a SystemExit: it ends the call, not the instance
            call.fail(error)
        finally:
            current_call.reset(token)


def prepare(call, spec, output):
    call.context = Context(call, spec)
    call.before_end = lambda: output.end_of_call(call.number)


class AsyncRunner:
    def __init__(self, handle, spec, output):
        import asyncio

        self._handle = handle
        self._spec = spec
        self._output = output
        self._tasks = set()
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    def start(self, call):
        """Called on the reading thread."""
        self._loop.call_soon_threadsafe(self._create, call)

    def serve(self):
        self._loop.run_forever()

    def _create(self, call):
        prepare(call, self._spec, self._output)
        current_call.set(call)  # the task copies the loop's context, this callback's own
        task = self._loop.create_task(self._run(call))
        self._tasks.add(task)

        def over(_):
            self._tasks.discard(task)
            if task.cancelled():  # before its first step: then nothing of _run has run
                call.fail(Cancelled(call.cancel_reason))

        task.add_done_callback(over)
        call.on_cancel = lambda: self._loop.call_soon_threadsafe(task.cancel)
        if call.cancel_reason is not None:
            task.cancel()

    async def _run(self, call):
        try:
            result = await self._handle(call, call.context)
            if call.socket is not None:
                call.socket.close()
            else:
                await send_async(call, to_response(result), self._loop)
        except BaseException as error:  # a CancelledError ends the call as well
            call.fail(error)
