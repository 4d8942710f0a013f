"""
The `openstack` command of the system, as it is, with the modules that it loads at each start loaded once.

preloaded.py FOLDER: makes FOLDER/openstack, to be run in the command's place. Each run of it has a process of its own here,
forked for it, with the arguments, variables, folder and open files of who runs it. Ends when its standard input does.
"""

import importlib.metadata
import json
import os
import signal
import socket
import sys

REQUEST_BYTES_MAX = 1 << 20
# What a command finds by its entry point, and loads when it is needed.
GROUPS = (
    'openstack.cli.extension',
    'openstack.common',
    'openstack.identity.v3',
    'openstack.function_engine.v1',
    'keystoneauth1.plugin',
    'cliff.formatter.list',
    'cliff.formatter.show',
)
RUNNER = '''#!/usr/bin/python3 -IS
import json, os, socket, sys
asked = json.dumps({'args': sys.argv[1:], 'env': dict(os.environ), 'folder': os.getcwd()}).encode()
connection = socket.socket(socket.AF_UNIX)
connection.connect(%r)
socket.send_fds(connection, [asked[:1]], [0, 1, 2])
connection.sendall(asked[1:])
connection.shutdown(socket.SHUT_WR)
code = connection.recv(1)
sys.exit(code[0] if code else 'the command was broken off')
'''


def main(folder):
    load()
    address = os.path.join(folder, 'commands.sock')
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(64)
    runner = os.path.join(folder, 'openstack')
    with open(runner, 'w', opener=lambda path, flags: os.open(path, flags, 0o755)) as file:
        file.write(RUNNER % address)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if os.fork() == 0:
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                run(connection)
            connection.close()
    print('ready', flush=True)
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


def load():
    import cliff.command
    import openstackclient.shell  # noqa: F401
    import stevedore._cache

    cliff.command._get_distributions_by_modules()
    for group in GROUPS:
        stevedore._cache.get_group_all(group)
        for point in importlib.metadata.entry_points(group=group):
            try:
                point.load()
            except ImportError:
                pass  # of something that is not installed here


def run(connection):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked, files, _, _ = socket.recv_fds(connection, REQUEST_BYTES_MAX, 3)
    while piece := connection.recv(REQUEST_BYTES_MAX):
        asked += piece
    asked = json.loads(asked)
    for target, file in enumerate(files):
        os.dup2(file, target)
    os.chdir(asked['folder'])
    os.environ.clear()
    os.environ.update(asked['env'])
    sys.argv = ['openstack', *asked['args']]
    try:
        from openstackclient.shell import main as command

        code = command()
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    connection.send(bytes([code if isinstance(code, int) else 0 if code is None else 1]))
    os._exit(0)


main(sys.argv[1])
