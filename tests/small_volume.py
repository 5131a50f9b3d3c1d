"""A database whose data lies on a small volume of its own, so that its disk can really be full.

Root mounts a tmpfs; everybody else does so in a user and mount namespace of their own, which the
server then enters.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from tsuji_platform.runtime import database
from tsuji_platform.runtime.account import Account
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.runtime.cluster import Cluster
from tsuji_platform.runtime.home import Instance
from tsuji_platform.runtime.postgres import Programs
from tsuji_platform.runtime.private import PrivateServer, private_folder
from tsuji_platform.runtime.process import launcher

_MIB = 1024 * 1024
_NEEDED = (
    "the tests of a full disk need a small file system: run them as root that may mount (in a container: "
    "--cap-add SYS_ADMIN), or allow unprivileged user namespaces (sysctl "
    "kernel.unprivileged_userns_clone=1, user.max_user_namespaces > 0)"
)
_IN_NAMESPACE = """
import ctypes, os, shutil, sys, time
source, target, size = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
options = f"size={size},mode=0700".encode()
if libc.mount(b"tmpfs", os.fsencode(target), b"tmpfs", 0, options) != 0:
    sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True)
print("ready", flush=True)
while True:
    time.sleep(3600)
"""


def _tool(name: str) -> str:
    """With its whole path: who switches the user can't search for it afterwards."""
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"the program {name} of util-linux is missing")
    return found


class Volume:
    """A small file system that can be filled and freed.

    Args:
        folder: its place as we see it.
        enter: what goes before a command so that it sees it in its place.
    """

    def __init__(self, folder: Path, enter: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self.enter = enter

    @property
    def _filler(self) -> Path:
        return self._folder / "filler"

    @property
    def free_bytes(self) -> int:
        """What is left of it."""
        status = os.statvfs(self._folder)
        return status.f_bavail * status.f_frsize

    def fill(self) -> None:
        """Leave not a byte."""
        with self._filler.open("ab", buffering=0) as filler, contextlib.suppress(OSError):
            for size in (_MIB, 4096):
                with contextlib.suppress(OSError):
                    while True:
                        filler.write(bytes(size))

    def empty(self) -> None:
        """Give back what was filled."""
        self._filler.unlink(missing_ok=True)


class SmallServer(PrivateServer):
    """A database on a volume that can be filled, and that an operator starts where it has given up."""

    volume: Volume

    @property
    def is_running(self) -> bool:
        """Whether the server's process is there."""
        return self._process is not None and self._process.poll() is None

    def make_serve(self) -> None:
        """Do what an operator does: start the server where it has given up, until it answers."""
        deadline = time.monotonic() + 120
        while True:
            try:
                if not self.is_running:
                    self.start()
                with psycopg.connect(self.url, connect_timeout=3) as connection:
                    connection.execute("SELECT 1")
            except (SetupError, psycopg.Error):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all its processes for a while, as a machine does that has no time for them."""
        server = psutil.Process(self.pid)
        stopped = [server]
        server.suspend()
        for child in server.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.suspend()
                stopped.append(child)
        try:
            yield
        finally:
            for one in reversed(stopped):
                with contextlib.suppress(psutil.Error):
                    one.resume()


@contextmanager
def _mounted(data: Path, mib: int, account: Account) -> Iterator[Volume]:
    """As root: a tmpfs in the place of the data, with the data in it."""
    original = data.with_name("data.original")
    data.rename(original)
    data.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "tmpfs", str(data)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        data.rmdir()
        original.rename(data)
        raise PermissionError(done.stderr.strip())
    try:
        account.give(data)
        subprocess.run(["cp", "-a", f"{original}/.", str(data)], check=True)
        yield Volume(data)
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


@contextmanager
def _in_namespace(data: Path, mib: int, _account: Account) -> Iterator[Volume]:
    """As an ordinary user: the same, visible to those only who enter the namespace."""
    original = data.with_name("data.original")
    shutil.copytree(data, original, symlinks=True)
    holder = subprocess.Popen(
        [
            *launcher(),
            *(_tool("unshare"), "--user", "--map-current-user", "--mount", "--keep-caps"),
            *(sys.executable, "-c", _IN_NAMESPACE, str(original), str(data), f"{mib}m"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert holder.stdout is not None
        said = holder.stdout.readline().strip()
        if said != "ready":
            raise PermissionError(said + " " + holder.stdout.read().strip())
        seen = Path(f"/proc/{holder.pid}/root") / data.relative_to("/")
        target = f"--target={holder.pid}"
        yield Volume(
            seen, (_tool("nsenter"), target, "--user", "--mount", "--preserve-credentials", "--")
        )
    finally:
        holder.kill()
        holder.wait()


@contextmanager
def _volume(data: Path, mib: int, account: Account) -> Iterator[Volume]:
    way = _mounted if os.geteuid() == 0 else _in_namespace
    with contextlib.ExitStack() as stack:
        try:
            volume = stack.enter_context(way(data, mib, account))
        except (OSError, subprocess.SubprocessError) as error:
            pytest.fail(f"{_NEEDED}; here: {error}")
        yield volume


def _programs() -> Programs:
    return database.with_timescaledb() or database.fetch()


@contextmanager
def small_server(mib: int = 384) -> Iterator[SmallServer]:
    """Run a private database with TimescaleDB on a volume of `mib` MiB."""
    with private_folder() as folder:
        instance = Instance.locate(folder).create()
        cluster = Cluster(
            folder=instance.database_folder,
            socket_folder=instance.socket_folder,
            programs=_programs(),
            account=instance.account,
            timescaledb=True,
        )
        cluster.prepare()
        with _volume(cluster.data, mib, instance.account) as volume:
            child = cluster.child()
            child = replace(child, command=(*volume.enter, *child.command))
            log = instance.log_folder / "database.log"
            server = SmallServer(child, cluster.url, log, "a database on a small volume")
            server.volume = volume
            server.start()
            try:
                with psycopg.connect(server.url, autocommit=True) as connection:
                    # What it keeps for its next writes must leave room for data.
                    for setting in ("min_wal_size = '32MB'", "max_wal_size = '96MB'"):
                        connection.execute(f"ALTER SYSTEM SET {setting}")
                    connection.execute("SELECT pg_reload_conf()")
                yield server
            finally:
                volume.empty()
                server.stop()
