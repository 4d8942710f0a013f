"""LOAD: prepares the process for one version's code, finds the handler, and gives back what runs its calls."""

import logging
import os
import sys
import types

from .conventions import convention_for
from .entry import find_handler
from .messages import Request, Response
from .output import Output, current_call
from .runners import AsyncRunner, ThreadRunner

PACKAGES_FOLDER = "python_packages"


def prepare(spec, wire):
    output = Output(wire)
    # Without a sandbox there is no /function: the backend says where the bundle is instead.
    directory = os.environ.get("ATELIER_DIRECTORY", spec["directory"])
    os.environ.update(spec["config"])
    os.environ.update(spec["secrets"])
    os.chdir(directory)
    if os.environ.pop("ATELIER_PROGRAM", None):
        from .program import prepare_program

        return prepare_program(spec, output, directory)
    packages = os.path.join(directory, PACKAGES_FOLDER)
    sys.path[:0] = [directory]
    if os.path.isdir(packages):
        add_packages(packages)
    sys.argv = [spec["entry"]]
    if spec["entry"].endswith(":qinling"):
        from .qinling import prepare_qinling

        return prepare_qinling(spec, output)
    set_up_logging()
    offer_module()
    target, name, convention = find_handler(directory, spec["entry"])
    handle = convention_for(target, name, convention)
    runner = AsyncRunner if handle.is_async else ThreadRunner
    return runner(handle, spec, output)


def add_packages(folder):
    sys.path.insert(1, folder)
    if any(name.endswith(".pth") for name in os.listdir(folder)):
        import site

        site.addsitedir(folder)


def set_up_logging():
    """Records from INFO up go to standard error, as long as the code sets up nothing else."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


def offer_module():
    """`from atelier import Response, context`."""
    module = types.ModuleType("atelier", "What functions may import of the platform.")
    module.Request = Request
    module.Response = Response
    module.context = current_context
    sys.modules["atelier"] = module


def current_context():
    """The context of the call that runs now, or None."""
    call = current_call.get()
    return None if call is None else call.context
