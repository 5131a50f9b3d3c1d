"""Chooses the broker: yours, an installed Mosquitto, a fetched one, or the one that Python brings."""

import signal
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from tsuji_platform.runtime import debian, mosquitto, mqtt, process
from tsuji_platform.runtime.account import Account
from tsuji_platform.runtime.basics import Progress, SetupError, quiet
from tsuji_platform.runtime.choice import Choice
from tsuji_platform.runtime.files import write
from tsuji_platform.runtime.home import Instance, programs_folder
from tsuji_platform.runtime.mosquitto import MAX_PACKET_BYTES, Mosquitto
from tsuji_platform.runtime.process import Child, Remains
from tsuji_platform.settings import BrokerAddress, BrokerSettings

STANDARD_PORT = 1883
_PORT_FILE = "port"
_RELEASE_S = 20
"""Longer than it takes a broker of ours to end when asked, and when killed."""
_PROGRAM_NAMES = ("mosquitto", "python")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedBroker:
    """The broker of the wheel `iotcore` (rumqttd): it keeps nothing on disk."""

    description: str = "rumqttd of the wheel iotcore, which keeps nothing on disk"

    def configure(self, folder: Path, port: int) -> Path:
        """Write its configuration, loopback only, and return its path."""
        path = folder / "rumqttd.toml"
        write(path, _RUMQTTD.format(port=port, payload=MAX_PACKET_BYTES, inflight=500))
        return path


Program = Mosquitto | EmbeddedBroker


def choose(settings: BrokerSettings, instance: Instance, progress: Progress = quiet) -> Choice:
    """Choose the broker, fetching it where that is needed.

    Args:
        settings: may name a broker, or a port.
        instance: created already and, unless only one process can be here, locked.
        progress: told what takes long.

    Raises:
        SetupError: where no broker can be had, or the port that was asked for is taken.
    """
    if settings.broker_url:
        address = BrokerAddress.parse(settings.broker_url)
        notice = (
            None
            if mqtt.listens(address.port, address.host)
            else f"Nothing answers at TSUJI_BROKER_URL ({address.host}:{address.port}): no message comes in "
            "until it does. Start that broker or mend the address, or unset TSUJI_BROKER_URL for a private "
            "broker."
        )
        return Choice(
            url=settings.broker_url,
            description="the broker of TSUJI_BROKER_URL",
            why="TSUJI_BROKER_URL is set",
            notice=notice,
        )
    program, why, notice = find(progress)
    before = last_port(instance.broker_folder)
    port = choose_port(settings.broker_port, instance.broker_folder)
    if before and port != before and not settings.broker_port:
        moved = f"The broker moved from port {before}, which another program has taken, to {port}."
        notice = f"{notice} {moved}" if notice else moved
    return Choice(
        url=f"mqtt://127.0.0.1:{port}",
        description=program.description,
        why=why,
        notice=notice,
        child=broker_child(program, instance.broker_folder, port, instance.account),
    )


def find(progress: Progress = quiet) -> tuple[Program, str, str | None]:
    """Return the best broker, why it is that one, and a notice where it is not good enough.

    Raises:
        SetupError: where there is none.
    """
    installed = mosquitto.installed()
    if installed and installed.keeps_everything:
        return installed, "it is installed and keeps every message", None
    try:
        return (
            fetch(progress),
            "no installed Mosquitto has SQLite persistence, so one was fetched",
            None,
        )
    except SetupError as error:
        reason = str(error)
    if installed:
        return (
            installed,
            f"it is installed, and none newer could be had ({reason})",
            f"{installed.description} saves messages once in a while only: if it is killed, those that "
            "ingest has not stored yet may be lost. A clean stop loses none. To be safe, install "
            "Mosquitto 2.1 or newer with its SQLite plugin.",
        )
    if find_spec("iotcore"):
        embedded = EmbeddedBroker()
        return (
            embedded,
            f"no Mosquitto is installed and none could be had ({reason})",
            f"The broker is {embedded.description}: if it stops, messages that ingest has not stored "
            "yet are lost. For real data install Mosquitto 2.1 or newer, or set TSUJI_BROKER_URL.",
        )
    raise SetupError(
        f"no broker: {reason}; no mosquitto is installed and the wheel iotcore is missing. "
        "Install mosquitto or set TSUJI_BROKER_URL"
    )


def fetched() -> Mosquitto | None:
    """Return the fetched Mosquitto where it is there already."""
    tree = debian.fetched(debian.MOSQUITTO, programs_folder())
    return _in_tree(tree) if tree else None


def fetch(progress: Progress = quiet) -> Mosquitto:
    """Return the fetched Mosquitto, fetching it where it is not there.

    Raises:
        SetupError: where it cannot be had.
    """
    tree = debian.fetch(debian.MOSQUITTO, programs_folder(), progress)
    found = _in_tree(tree)
    if found is None or not found.keeps_everything:
        raise SetupError(
            f"the Mosquitto in {tree} has no SQLite persistence; remove that folder and try again"
        )
    return found


def _in_tree(tree: Path) -> Mosquitto | None:
    return mosquitto.inspect(
        tree / "usr" / "sbin" / "mosquitto", f"fetched from Debian {debian.MOSQUITTO.suite}"
    )


def choose_port(wanted: int | None, folder: Path, *, standard: int | None = STANDARD_PORT) -> int:
    """Choose the broker's port: the one asked for, the last one, the standard one, or any that is free.

    Devices know the port, so an instance keeps it.

    Raises:
        SetupError: where the port that was asked for is taken, or an earlier broker does not end.
    """
    last = last_port(folder)
    _await_release(folder)
    if wanted:
        if not mqtt.is_free(wanted):
            raise SetupError(
                f"port {wanted} (TSUJI_BROKER_PORT) is taken by another program: stop that one, choose "
                f"another port, or use it as the broker with TSUJI_BROKER_URL=mqtt://127.0.0.1:{wanted}"
            )
        port = wanted
    else:
        candidates = [candidate for candidate in (last, standard) if candidate]
        port = next((one for one in candidates if mqtt.is_free(one)), None) or mqtt.free_port()
    write(folder / _PORT_FILE, f"{port}\n")
    return port


def last_port(folder: Path) -> int | None:
    """Return the port that this instance's broker had last, None where it had none."""
    try:
        return int((folder / _PORT_FILE).read_text())
    except (OSError, ValueError):
        return None


def _await_release(folder: Path) -> None:
    """Wait for the broker of a `tsuji up` that was killed a moment ago; it is on its way out.

    Raises:
        SetupError: where it stays, being another user's.
    """
    remains = _remains(folder)
    deadline = time.monotonic() + _RELEASE_S
    while not remains.are_gone():
        if time.monotonic() > deadline:
            pids = ", ".join(str(one.pid) for one in remains.left())
            raise SetupError(
                f"an earlier broker (process {pids}) still uses {folder} and does not end when asked: "
                "end it as the user that started it, or set TSUJI_HOME to another folder"
            )
        time.sleep(0.05)


def _remains(folder: Path) -> Remains:
    configurations = [str(folder / name) for name in ("mosquitto.conf", "rumqttd.toml")]

    def find() -> list[psutil.Process]:
        found = [one for name in configurations for one in process.with_argument(name)]
        # Somebody may be looking at the file.
        return [one for one in found if process.process_name(one).startswith(_PROGRAM_NAMES)]

    return Remains(find, (signal.SIGTERM, signal.SIGKILL))


def broker_child(program: Program, folder: Path, port: int, account: Account) -> Child:
    """Describe a broker for the supervisor, its configuration and messages in `folder`."""
    if isinstance(program, Mosquitto):
        data = folder / "data"
        data.mkdir(exist_ok=True)
        data.chmod(0o700)
        account.give(data)
        configuration = program.configure(folder, data, port)
        command: tuple[str, ...] = (str(program.program), "-c", str(configuration))
        runs_as = account if account.is_other else None
    else:
        configuration = program.configure(folder, port)
        # Its log has an error line for every packet, so that only the worst is let through.
        command = (sys.executable, "-m", "iotcore", "--log-level", "CRITICAL")
        command += ("--config", str(configuration))
        runs_as = None  # the virtual environment may be closed to others
    return Child(
        name="broker",
        command=command,
        account=runs_as,
        stage=1,
        stop_timeout_s=15,
        death_signal=signal.SIGTERM,
        may_start=_remains(folder).are_gone,
        ready=lambda: mqtt.answers(port),
        ready_timeout_s=120,
    )


_RUMQTTD = """\
# Written by tsuji at every start.
id = 0
[router]
id = 0
max_connections = 2000
max_outgoing_packet_count = 500
max_segment_size = 67108864
max_segment_count = 10
[v4.1]
name = "tsuji"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = {payload}
max_inflight_count = {inflight}
dynamic_filters = true
"""
