"""Mosquitto wherever it is, and the private configuration with which it keeps every message."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from tsuji_platform.runtime.files import write

PERSISTENT_SINCE = (2, 1)
"""From here on the SQLite plugin saves every message before it is acknowledged."""
MAX_INFLIGHT = 8_000
"""Messages that a subscriber may leave unacknowledged; ingest's queue holds at least as many."""
MAX_INFLIGHT_BYTES = 64 * 1024 * 1024
"""Likewise in bytes: what ingest holds in memory at the most."""
MAX_PACKET_BYTES = 1_048_576
"""Larger than what the contract allows: what is too large shall reach us and be refused visibly."""
_EXPIRY = "30d"
_PLUGIN = "mosquitto_persist_sqlite.so"
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Mosquitto:
    """An installation of Mosquitto.

    Attributes:
        program: the broker.
        version: such as (2, 1, 2).
        plugin: the SQLite persistence plugin, None without.
        origin: where it is from, for people.
    """

    program: Path
    version: tuple[int, ...]
    plugin: Path | None
    origin: str

    @property
    def keeps_everything(self) -> bool:
        """Whether kill -9 loses no acknowledged message."""
        return self.plugin is not None and self.version >= PERSISTENT_SINCE

    @property
    def description(self) -> str:
        """Version, persistence and origin in one line."""
        how = " with SQLite persistence" if self.keeps_everything else ""
        return f"Mosquitto {'.'.join(map(str, self.version))}{how}, {self.origin}"

    def configure(self, folder: Path, data: Path, port: int) -> Path:
        """Write the configuration and return its path.

        Args:
            folder: where the configuration goes.
            data: where messages are kept, writable for the account.
            port: of the loopback listener.
        """
        cap = min(max(psutil.virtual_memory().total // 8, 256 * _MIB), 1024 * _MIB)
        lines = [
            "# Written by tsuji at every start.",
            f"listener {port} 127.0.0.1",
            "allow_anonymous true",
            "log_dest stdout",
            "log_type error",
            "log_type warning",
            "log_type notice",
            "connection_messages false",
            "set_tcp_nodelay true",
            f"max_packet_size {MAX_PACKET_BYTES}",
            f"max_inflight_messages {MAX_INFLIGHT}",
            f"max_inflight_bytes {MAX_INFLIGHT_BYTES}",
            "max_queued_messages 0",
            f"max_queued_bytes {cap}",
            f"persistent_client_expiration {_EXPIRY}",
            f"persistence_location {data}/",
        ]
        if self.keeps_everything:
            lines += [
                f"global_plugin {self.plugin}",
                f"plugin_opt_db_file {data / 'mosquitto.sqlite3'}",
                "plugin_opt_sync full",
                "plugin_opt_flush_period 0",
            ]
        else:
            lines += ["persistence true", "autosave_on_changes true", "autosave_interval 1000"]
        path = folder / "mosquitto.conf"
        write(path, "\n".join(lines) + "\n")
        return path


def inspect(program: Path, origin: str) -> Mosquitto | None:
    """Return what the program is; None where it does not run."""
    try:
        # It prints its help and fails; without -h it would start.
        out = subprocess.run(
            [program, "-h"], capture_output=True, text=True, check=False, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"mosquitto version (\d+(?:\.\d+)*)", out)
    if found is None:
        return None
    version = tuple(int(part) for part in found[1].split("."))
    return Mosquitto(program=program, version=version, plugin=_plugin(program), origin=origin)


def _plugin(program: Path) -> Path | None:
    prefix = program.resolve().parent.parent  # /usr of /usr/sbin/mosquitto
    for library in ("lib", "lib64"):
        for pattern in (f"*/mosquitto/{_PLUGIN}", f"mosquitto/{_PLUGIN}", f"*/{_PLUGIN}", _PLUGIN):
            for found in sorted((prefix / library).glob(pattern)):
                return found
    return None


def installed() -> Mosquitto | None:
    """Return the Mosquitto that the machine has."""
    found = shutil.which("mosquitto") or shutil.which(
        "mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/opt/mosquitto/sbin"
    )
    return inspect(Path(found), "installed") if found else None
