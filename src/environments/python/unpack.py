"""A step of builds: puts what is in package.zip, as Qinling's clients send it, in its place.

python3 -I -S unpack.py <folder>
"""

import compileall
import os
import py_compile
import sys
import zipfile

ARCHIVE = "package.zip"


def main():
    folder = sys.argv[1]
    path = os.path.join(folder, ARCHIVE)
    if not os.path.isfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            os.unlink(path)
            archive.extractall(folder)
            print(f"unpacked {len(archive.namelist())} files")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        sys.exit(f"package.zip cannot be unpacked: {error}")
    # Each execution imports the code anew: what can be compiled is compiled here, once.
    compileall.compile_dir(folder, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


main()
