"""From `module:name:convention` to the handler; the rules are in docs/environments.md."""

import importlib
import os
import types

from .conventions import CONVENTIONS

COMMON_NAMES = ("handler", "main", "app", "application", "lambda_handler")


def find_handler(directory, entry):
    """Imports the code; (handler, its name, convention or None)."""
    module_name, name, convention = parse_entry(directory, entry)
    module = importlib.import_module(module_name)
    if name is None:
        name, target = pick(module, entry)
    else:
        target = module
        for part in name.split("."):
            target = getattr(target, part, None)
        if not callable(target):
            raise AttributeError(f'The entry {entry} names "{name}", and there is no such function in {module_name}.{found(module)}')
    return target, name, convention


def parse_entry(directory, entry):
    path, name, convention = (*entry.split(":"), None, None)[:3]
    if entry.count(":") > 2:
        raise ValueError(f"The entry {entry!r} is not of the form module:function:convention.")
    if convention is not None and convention not in CONVENTIONS:
        raise ValueError(f'There is no convention "{convention}" (in the entry {entry}): use {", ".join(CONVENTIONS)}.')
    module_name = (path[:-3] if path.endswith(".py") else path).replace("/", ".")
    if file_of(directory, module_name) is not None:
        return module_name, name or None, convention
    # As in Lambda: `lambda_function.lambda_handler`.
    outer, _, last = module_name.rpartition(".")
    if name is None and outer and file_of(directory, outer) is not None:
        return outer, last, convention or "lambda"
    raise FileNotFoundError(f"The entry names the module {module_name}, and the package has no file for it.")


def file_of(directory, module_name):
    base = os.path.join(directory, *module_name.split("."))
    for path in (f"{base}.py", os.path.join(base, "__init__.py")):
        if os.path.isfile(path):
            return path
    return None


def pick(module, entry):
    for name in COMMON_NAMES:
        target = getattr(module, name, None)
        if callable(target):
            return name, target
    own = own_functions(module)
    if len(own) == 1:
        return own[0], getattr(module, own[0])
    raise AttributeError(f"{entry} has no handler: name it handler, or say which, as in {entry}:main.{found(module)}")


def own_functions(module):
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, types.FunctionType) and value.__module__ == module.__name__ and not name.startswith("_")
    ]


def found(module):
    names = own_functions(module)
    return f" It has: {', '.join(names[:20])}." if names else ""
