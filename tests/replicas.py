"""A private database with a real streaming replica, each to be stopped, killed and started at will."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tsuji_platform.runtime import database
from tsuji_platform.runtime.cluster import NAME, Cluster
from tsuji_platform.runtime.home import Instance
from tsuji_platform.runtime.private import PrivateServer, private_folder
from tsuji_platform.runtime.process import launcher

_SETTINGS = """
wal_level = replica
max_wal_senders = 4
wal_keep_size = 512MB
hot_standby = on
hot_standby_feedback = on
max_standby_streaming_delay = 500ms
wal_receiver_status_interval = 1s
max_connections = 100
"""
"""What a database with replicas needs beside the private one's settings (docs/scaling.md)."""


@dataclass(frozen=True)
class Pair:
    """Both servers; the replica follows the primary."""

    primary: PrivateServer
    replica: PrivateServer


@contextmanager
def pair() -> Iterator[Pair]:
    """Run both, with TimescaleDB."""
    with ExitStack() as stack:
        first = _cluster(stack.enter_context(private_folder()))
        first.prepare()
        _open(first)
        primary = stack.enter_context(_running(first, "primary"))
        second = _cluster(stack.enter_context(private_folder()))
        source = f"host={first.socket_folder} user={NAME}"
        second.folder.mkdir(exist_ok=True)
        second.account.give(second.folder)
        base_backup(second, source, second.data, "--write-recovery-conf")
        second.prepare()
        _open(second)
        yield Pair(primary, stack.enter_context(_running(second, "replica")))


def base_backup(cluster: Cluster, source: str, target: Path, *more: str) -> None:
    """Copy a whole cluster while it runs."""
    subprocess.run(
        [*launcher(cluster.account), str(cluster.programs.bin / "pg_basebackup"), "--dbname", source,
         "--pgdata", str(target), "--checkpoint", "fast", *more],
        check=True, cwd="/",
    )  # fmt: skip


def _cluster(folder: Path) -> Cluster:
    instance = Instance.locate(folder).create()
    return Cluster(
        folder=instance.database_folder,
        socket_folder=instance.socket_folder,
        programs=database.with_timescaledb() or database.fetch(),
        account=instance.account,
        timescaledb=True,
    )


def _open(cluster: Cluster) -> None:
    """Let replicas in; what comes last counts."""
    with (cluster.folder / "postgresql.conf").open("a") as file:
        file.write(_SETTINGS)
    with (cluster.folder / "pg_hba.conf").open("a") as file:
        file.write(f"local replication {NAME} peer map={NAME}\n")
    with (cluster.folder / "pg_ident.conf").open("a") as file:
        file.write(f'{NAME} "{cluster.account.name}" {NAME}\n')


@contextmanager
def _running(cluster: Cluster, name: str) -> Iterator[PrivateServer]:
    log = cluster.folder.parent / f"{name}.log"
    server = PrivateServer(cluster.child(), cluster.url, log, name)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def is_level(pair: Pair) -> bool:
    """Whether a replica shows all that its primary has."""
    with psycopg.connect(pair.primary.url, autocommit=True) as primary:
        written = primary.execute("SELECT pg_current_wal_lsn()").fetchone()
    with psycopg.connect(pair.replica.url, autocommit=True) as replica:
        level = replica.execute("SELECT pg_last_wal_replay_lsn() >= %s", written).fetchone()
    return level == (True,)


def hold_replay(replica: PrivateServer, held: bool) -> None:
    """Let a replica receive and not show what comes, or go on."""
    function = "pg_wal_replay_pause" if held else "pg_wal_replay_resume"
    with psycopg.connect(replica.url, autocommit=True) as connection:
        connection.execute(f"SELECT {function}()")
