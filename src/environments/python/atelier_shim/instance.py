"""The life of an instance: HELLO, LOAD, calls, DRAIN. One thread reads the stream; the main thread runs the code."""

import json
import os
import queue
import sys
import threading
import time

from .call import Call, failure
from .wire import CALL, DRAIN, HELLO, LOAD, LOAD_FAILED, LOADED, PING, PONG, Wire

#: Called when the stream has ended, before the process does.
exit_hooks = []


class Instance:
    def __init__(self, channel):
        self._wire = Wire(channel)
        self._calls = {}
        self._draining = False
        self._runner = None
        self._loads = queue.SimpleQueue()

    def serve(self):
        """Does not return."""
        os.environ.pop("ATELIER_GENERIC", None)  # whatever it could do ahead, importing has done
        hello = {
            "protocol": 1,
            "shim": "python",
            "runtime": sys.version.split()[0],
            "pid": os.getpid(),
            "secret": os.environ.pop("ATELIER_SECRET", None),
        }
        self._wire.send(HELLO, 0, 0, json.dumps(hello).encode())
        threading.Thread(target=self._read, daemon=True, name="atelier-wire").start()
        self._load(self._loads.get())
        self._runner.serve()

    def _read(self):
        try:
            for kind, flags, number, payload in self._wire.frames():
                if kind == CALL:
                    call = Call(self._wire, number, flags, payload, self._on_call_end)
                    self._calls[number] = call
                    self._runner.start(call)
                elif number != 0:
                    call = self._calls.get(number)
                    if call is not None:
                        call.receive(kind, flags, payload)
                elif kind == PING:
                    self._wire.send(PONG, 0, 0, payload)
                elif kind == LOAD:
                    self._loads.put(json.loads(payload))
                elif kind == DRAIN:
                    self._draining = True
                    self._exit_when_drained()
        except OSError:
            pass  # the platform has gone
        finally:
            for hook in exit_hooks:
                hook()
            os._exit(0)  # the code may hold threads that never end

    def _on_call_end(self, call):
        self._calls.pop(call.number, None)
        self._exit_when_drained()

    def _exit_when_drained(self):
        if self._draining and not self._calls:
            self._wire.close()
            os._exit(0)

    def _load(self, spec):
        before = time.perf_counter()
        try:
            from .load import prepare

            self._runner = prepare(spec, self._wire)
        except BaseException as error:  # also a SystemExit of the code
            self._wire.send(LOAD_FAILED, 0, 0, failure(error))
            self._wire.close()
            os._exit(1)
        took = int((time.perf_counter() - before) * 1_000_000)
        self._wire.send(LOADED, 0, 0, json.dumps({"initUs": took}).encode())
