"""The Python shim: speaks frames (docs/frames.md) for one instance. Standard library only, Python 3.9 or newer.

`python3 shim.py` finds its stream as descriptor 3, or connects where ATELIER_CONNECT says. The zygote imports this file,
calls `preload()`, forks, and calls `main(channel)` in the child.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
if HERE not in sys.path:
    sys.path.insert(0, HERE)

from atelier_shim.instance import Instance  # noqa: E402

FRAMES_DESCRIPTOR = 3


def preload():
    """Imports what functions commonly use, so that a forked instance shares it instead of reading it again."""
    import importlib
    import pkgutil

    import atelier_shim

    # All of the shim: a forked instance does not see these files any more.
    for module in pkgutil.iter_modules(atelier_shim.__path__):
        importlib.import_module(f"atelier_shim.{module.name}")
    for name in (
        "asyncio",
        "base64",
        "collections.abc",
        "concurrent.futures",
        "csv",
        "dataclasses",
        "datetime",
        "decimal",
        "email.message",
        "functools",
        "hashlib",
        "http.client",
        "importlib.util",
        "inspect",
        "io",
        "itertools",
        "json",
        "logging",
        "pathlib",
        "random",
        "re",
        "socket",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "traceback",
        "typing",
        "urllib.parse",
        "urllib.request",
        "uuid",
    ):
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # a Python built without it


def main(channel):
    """Serves the stream until it ends; does not return."""
    if HERE in sys.path:
        sys.path.remove(HERE)  # its modules are loaded, and the code's own may have the same names
    sys.path_importer_cache.pop(HERE, None)
    Instance(channel).serve()


def connect():
    import socket

    target = os.environ.pop("ATELIER_CONNECT", None)
    if target is None:
        return socket.socket(fileno=FRAMES_DESCRIPTOR)
    host, _, port = target.removeprefix("tcp://").rpartition(":")
    channel = socket.create_connection((host.strip("[]"), int(port)))
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return channel


if __name__ == "__main__":
    main(connect())
