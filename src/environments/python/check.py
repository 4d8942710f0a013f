"""The build's last step: is there an entry module, and can it be compiled? Nothing of the code runs.

python3 -I -S check.py <folder> <entry>

Compiled files are kept in the bundle, valid whatever their dates: a start then reads no source.
"""

import compileall
import os
import py_compile
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from atelier_shim.entry import file_of, parse_entry  # noqa: E402

MODE = py_compile.PycInvalidationMode.UNCHECKED_HASH


def main():
    folder, entry = sys.argv[1:3]
    try:
        module, _, _ = parse_entry(folder, entry)
        path = file_of(folder, module)
        py_compile.compile(path, doraise=True, quiet=0, invalidation_mode=MODE, dfile=os.path.relpath(path, folder))
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
    except py_compile.PyCompileError as error:
        sys.exit(error.msg)
    print(f"{os.path.relpath(path, folder)}: syntax is right")
    # The rest may hold files for other versions of Python; what does not compile is reported when it is imported.
    compileall.compile_dir(folder, quiet=2, invalidation_mode=MODE)


main()
