"""Runs Tsuji's commands as processes that need not import it first: most of a second less for each.

One process has imported the command line and what commands mostly wait for; it forks for each run, and
the child goes on as `python -m tsuji` does, with its own arguments, surroundings and streams, to an
ordinary end. What is killed, stopped or measured on its way is started as people start it, elsewhere.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

_SERVE = """
import gc, json, os, socket, sys
import pandas, psycopg, pyarrow.parquet, rich.progress, tsuji.cli, tsuji_platform.store.writer

gc.collect()
gc.freeze()  # no child looks through these again, neither while it works nor at its end
server = socket.socket(fileno=int(sys.argv[1]))
while True:
    request, streams, _, _ = socket.recv_fds(server, 1 << 20, 3)
    if not request:
        sys.exit()
    child = os.fork()
    if not child:
        break
    for one in streams:
        os.close(one)
    server.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
server.close()
for place, one in enumerate(streams):
    os.dup2(one, place)
    os.close(one)
arguments, environment, folder = json.loads(request)
sys.argv = ["tsuji", *arguments]
os.environ.clear()
os.environ.update(environment)
os.chdir(folder)
tsuji.cli.main()
"""
_lock = threading.Lock()
_client: socket.socket | None = None


def run(
    *arguments: str, env: Mapping[str, str], cwd: Path | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run `tsuji` with these arguments to its end.

    Args:
        arguments: what follows the command's name.
        env: all of its environment.
        cwd: the folder that it runs in; None takes this process's.
        stdin: what it can read.
    """
    request = json.dumps([arguments, dict(env), str(cwd or Path.cwd())]).encode()
    with (
        _lock,
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as complained,
    ):
        given.write(stdin)
        given.seek(0)
        server = _server()
        socket.send_fds(server, [request], [one.fileno() for one in (given, said, complained)])
        code = int(server.recv(20))
        said.seek(0)
        complained.seek(0)
        return subprocess.CompletedProcess(
            ["tsuji", *arguments], code, said.read(), complained.read()
        )


def run_text(
    *arguments: str, env: Mapping[str, str], stdin: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """The same, with what it said as text."""
    done = run(*arguments, env=env, stdin=stdin)
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def _server() -> socket.socket:
    """The connection to the process that forks; it ends with the connection."""
    global _client
    if _client is None:
        _client, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={k: v for k, v in os.environ.items() if not k.startswith("TSUJI_")},
            )
        atexit.register(process.wait)
        atexit.register(_client.close)
    return _client
