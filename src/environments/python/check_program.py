"""The build's last step for executables: can this machine run it? python3 -I -S check_program.py <folder> <entry>"""

import os
import shutil
import struct
import sys

MACHINES = {3: "x86", 40: "ARM", 62: "x86_64", 183: "aarch64", 243: "RISC-V", 21: "ppc64", 22: "s390x"}
SELF = {"x86_64": 62, "aarch64": 183}
PT_INTERP = 3


def main():
    folder, entry = sys.argv[1:3]
    path = os.path.join(folder, entry)
    inside = os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)
    if not inside or not os.path.isfile(path):
        sys.exit(f"The entry names the file {entry}, and the package has no such file.")
    with open(path, "rb") as file:
        start = file.read(64)
        if start[:4] == b"\x7fELF":
            kind = check_elf(entry, file, start)
        elif start[:2] == b"#!":
            file.seek(0)
            kind = check_script(entry, file.readline(4096), folder)
        else:
            sys.exit(f'{entry} is neither a program for Linux nor a script: a script begins with a line like "#!/bin/sh".')
    if not os.stat(path).st_mode & 0o100:
        sys.exit(f'{entry} may not be executed: run "chmod +x {entry}" and deploy again.')
    print(f"{entry}: {kind}")


def check_elf(entry, file, start):
    (machine,) = struct.unpack_from("<H" if start[5] == 1 else ">H", start, 18)
    here = os.uname().machine
    if start[4] != 2 or machine != SELF.get(here, machine):
        built = MACHINES.get(machine, f"machine {machine}")
        sys.exit(f"{entry} is built for {built}, and this server is {here}: build it for linux/{here}.")
    (headers,) = struct.unpack_from("<Q", start, 32)
    size, count = struct.unpack_from("<HH", start, 54)
    for i in range(count):
        file.seek(headers + i * size)
        header = file.read(size)
        if struct.unpack_from("<I", header)[0] != PT_INTERP:
            continue
        offset, length = struct.unpack_from("<Q", header, 8)[0], struct.unpack_from("<Q", header, 32)[0]
        file.seek(offset)
        loader = file.read(min(length, 4096)).rstrip(b"\0").decode("utf-8", "replace")
        if not os.path.exists(loader):
            sys.exit(f"{entry} needs {loader}, which is not on this server: link it statically, or against this system's libraries.")
        return "a program that is linked dynamically"
    return "a static program"


def check_script(entry, line, folder):
    if line.rstrip(b"\n").endswith(b"\r"):
        sys.exit(f"The first line of {entry} ends as on Windows: save the file with line ends of Unix.")
    words = line[2:].decode("utf-8", "replace").split()
    interpreter = words[0] if words else ""
    # Where it will be is /function, and here it is the folder.
    where = interpreter.replace("/function/", folder + "/", 1) if interpreter.startswith("/function/") else interpreter
    if not os.access(where, os.X_OK):
        sys.exit(f'{entry} is run by "{interpreter}", which is not on this server: install it, or name another in its first line.')
    if os.path.basename(interpreter) == "env":
        name = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
        if shutil.which(name) is None:
            sys.exit(f'{entry} is run by "{name}", which is not on this server: install it, or name another in its first line.')
    return f"a script for {' '.join(words)}"


main()
