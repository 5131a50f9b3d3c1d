"""What `tsuji doctor` looks at where a hub runs, first of all in its database, and what to do about it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from tsuji import __version__, checkup_servers, wiring
from tsuji_platform.runtime.doctor import Finding
from tsuji_platform.settings import DatabaseSettings
from tsuji_platform.store import Database, Reader, StoreError
from tsuji_platform.store.alert_outbox import Alerts
from tsuji_platform.store.checkup import Checkup
from tsuji_platform.store.database import connect
from tsuji_platform.store.replica import ReplicaState, ReplicatedDatabase

_CLOCKS_DIFFER_S = 2.0
_LAG_S, _LONG_LAG_S = 5.0, 60.0
_SILENT_AFTER = timedelta(seconds=30)
_NOTHING_NEW = timedelta(minutes=10)
_ROLLUPS_BEHIND_S = 900.0
_DELIVERY_LATE = timedelta(minutes=10)
_BACKUP_OLD = timedelta(days=2)
_LONG_TRANSACTION_S = 3_600.0
_CONNECTIONS_FULL = 0.8
_OLDEST_POSTGRES = 15
_REPLICA_PATIENCE_S = 3.0
_READ = dict.fromkeys(
    ("thing", "datastream", "observation", "latest", "area", "migration"), "SELECT"
)


def examine() -> list[Finding]:
    """Look at a running installation; empty where neither settings nor a running hub name one."""
    try:
        url = wiring.database_url()
    except wiring.NotRunningError:
        return []
    if not DatabaseSettings().database_url and wiring.was_cut_off():
        return [
            Finding(
                what="hub",
                chosen=wiring.CUT_OFF,
                why=f"its data is in {wiring.instance().home}",
                ok=False,
                advice="start it again with `tsuji up`",
            )
        ]
    return [*_database(url), *_replica(url), *checkup_servers.examine()]


def _database(url: str) -> Iterator[Finding]:
    what = "database answers"
    try:
        connect(url, "tsuji doctor").close()
    except StoreError as error:
        yield Finding(
            what=what,
            chosen="no",
            why=" ".join(str(error).split()),
            ok=False,
            advice="start it, or mend TSUJI_DATABASE_URL; until then ingest acknowledges nothing and the "
            "broker keeps what comes",
        )
        return
    with Database(url, size=1, query_s=30) as database:
        checkup = Checkup(database)
        for look in (_clock, _versions, _schema, _rights, _ingest, _rollups, _alerts, _backup):
            try:
                yield from look(database, checkup)
            except StoreError as error:
                yield Finding(
                    what=look.__name__.strip("_"),
                    chosen="can't be told",
                    why=" ".join(str(error).split()),
                    ok=False,
                    advice="run `tsuji migrate`, or give the role the right (docs/database-roles.md)",
                )


def _replica(url: str) -> Iterator[Finding]:
    settings = DatabaseSettings()
    if settings.database_read_url is None:
        return
    most_s = settings.database_read_lag_seconds
    try:
        primary = Database(url, size=1)
        replica = ReplicatedDatabase(primary, settings.database_read_url, size=1, most_lag_s=most_s)
    except StoreError as error:
        yield Finding(
            what="replica",
            chosen="can't be used",
            why=" ".join(str(error).split()),
            ok=False,
            advice="mend TSUJI_DATABASE_READ_URL",
        )
        return
    with replica:
        deadline = time.monotonic() + _REPLICA_PATIENCE_S
        unsure = (ReplicaState.AWAY, ReplicaState.BEHIND)
        while replica.state in unsure and time.monotonic() < deadline:
            time.sleep(0.2)
        ok = replica.state is ReplicaState.USED
        least = "" if ok else "at least "  # longer than we have looked nobody has told us
        lag = "" if replica.lag_s is None else f", {least}{replica.lag_s:.1f} s behind"
        yield Finding(
            what="replica",
            chosen=f"{replica.state.value}{lag}",
            why="the data API reads from it as long as it keeps up, and from the database otherwise",
            ok=ok,
            advice="" if ok else "see that it runs and follows the database (docs/scaling.md)",
        )


def _clock(_: Database, checkup: Checkup) -> Iterator[Finding]:
    before = time.time()
    theirs = checkup.clock().timestamp()
    after = time.time()
    apart = theirs - (before + after) / 2
    ok = abs(apart) <= _CLOCKS_DIFFER_S + (after - before)
    yield Finding(
        what="clock",
        chosen=f"{apart:+.1f} s from the database's",
        why="what comes from the future is refused, and what is late is told by the clock",
        ok=ok,
        advice="" if ok else "let both machines keep time by NTP (`timedatectl set-ntp true`)",
    )


def _versions(database: Database, _: Checkup) -> Iterator[Finding]:
    edition = database.edition()
    major = int("".join(takewhile(str.isdecimal, edition.postgres)) or 0)  # there is 18beta1
    ok = major >= _OLDEST_POSTGRES
    yield Finding(
        what="versions",
        chosen=f"Tsuji {__version__}, {edition}",
        why=f"PostgreSQL {_OLDEST_POSTGRES} or newer is needed; TimescaleDB makes long history quicker",
        ok=ok,
        advice="" if ok else f"move to PostgreSQL {_OLDEST_POSTGRES} or newer",
    )


def _schema(_: Database, checkup: Checkup) -> Iterator[Finding]:
    lacking, unknown = checkup.schema()
    advice = ""
    if unknown:
        advice = f"the database is of a newer Tsuji ({unknown[-1]}): use that one"
    elif lacking:
        advice = f"run `tsuji migrate`: {', '.join(lacking)}"
    yield Finding(
        what="schema",
        chosen=f"{len(lacking)} migrations are lacking" if lacking else "up to date",
        why="services of one version need the schema of that version",
        ok=not advice,
        advice=advice,
    )


def _rights(_: Database, checkup: Checkup) -> Iterator[Finding]:
    role, lacking = checkup.role(), checkup.lacking_rights(_READ)
    full = role.connections >= _CONNECTIONS_FULL * role.most_connections
    advice = ""
    if lacking:
        advice = f"grant it {', '.join(lacking)}, or use the login of `tsuji roles` (docs/database-roles.md)"
    elif full:
        advice = "raise max_connections, run fewer workers (TSUJI_API_WORKERS), or put a pooler before it"
    hint = "; it may do anything: give each service a login of its own" if role.superuser else ""
    yield Finding(
        what="permissions",
        chosen=f"role {role.name}; {role.connections} of {role.most_connections} connections",
        why=f"it may read what there is{hint}" if not lacking else f"it lacks {', '.join(lacking)}",
        ok=not advice,
        advice=advice,
    )
    oldest_s = checkup.longest_transaction_s()
    if oldest_s > _LONG_TRANSACTION_S:
        yield Finding(
            what="transactions",
            chosen=f"one has been open for {oldest_s / 3600:.1f} h",
            why="while it lasts, nothing that is deleted makes room",
            ok=False,
            advice="find it in pg_stat_activity (order by xact_start) and end it",
        )


def _ingest(database: Database, _: Checkup) -> Iterator[Finding]:
    now, reader = datetime.now(UTC), Reader(database)
    counters, ingests = reader.counters(), reader.ingests()
    if not ingests:
        yield Finding(
            what="ingest",
            chosen="none has shown itself for a day",
            why="without it nothing is stored",
            ok=False,
            advice="start `tsuji ingest`; its log says what is in its way",
        )
    for one in ingests:
        silent_for = now - one.seen_at
        lag_s = one.state.lag_s or 0.0
        advice = ""
        if silent_for > _SILENT_AFTER:
            advice = (
                "start it again, or, if it is gone for good, let it leave: "
                f"`TSUJI_INGEST_ID={one.ingest_id} tsuji ingest --leave` (docs/ingest.md)"
            )
        elif lag_s > _LAG_S:
            advice = (
                "more comes than one ingest stores: add another to its group (docs/ingest.md), and look "
                "at the database's disk"
            )
        yield Finding(
            what=f"ingest {one.ingest_id}",
            chosen=f"silent for {_short(silent_for)}"
            if silent_for > _SILENT_AFTER
            else f"95 % committed within {lag_s:.2f} s, {one.state.waiting:,} values waiting",
            why=f"{one.tally.stored:,} stored, {one.tally.rejected:,} rejected",
            ok=silent_for <= _SILENT_AFTER and lag_s <= _LONG_LAG_S,
            advice=advice,
        )
    if counters.last_stored_at is not None and now - counters.last_stored_at > _NOTHING_NEW:
        yield Finding(
            what="newest observation",
            chosen=f"stored {_short(now - counters.last_stored_at)} ago",
            why="things that report should be heard",
            advice="look whether things publish (`tsuji record - | head`), and what is rejected "
            "(`tsuji rejected list --summary`)",
        )


def _rollups(_: Database, checkup: Checkup) -> Iterator[Finding]:
    log = checkup.rollup_log()
    ok = log.lag_s <= _ROLLUPS_BEHIND_S
    yield Finding(
        what="rollups",
        chosen=f"{_short(timedelta(seconds=log.lag_s))} behind, {log.new_rows + log.late_rows:,} rows to do",
        why="sums follow within seconds; what an import brings in may take hours",
        ok=ok,
        advice=""
        if ok
        else "ingest makes them: see that one runs, and that the database's disk keeps up",
    )


def _alerts(database: Database, _: Checkup) -> Iterator[Finding]:
    found, now = Alerts(database), datetime.now(UTC)
    evaluator = found.evaluator(_SILENT_AFTER)
    if evaluator is None:
        return
    late = [
        one
        for one in found.targets()
        if one.oldest_at is not None and now - one.oldest_at > _DELIVERY_LATE
    ]
    advice = ""
    if not evaluator["alive"]:
        advice = "start an ingest with TSUJI_ALERTS: nobody evaluates the rules"
    elif late:
        advice = f"{late[0].target}: {late[0].problem or 'nobody takes it'} (docs/alerts.md)"
    yield Finding(
        what="alerts",
        chosen=f"{found.count_on()} on; {sum(one.waiting for one in found.targets())} messages waiting",
        why=f"evaluated by {evaluator['holder']}",
        ok=not advice,
        advice=advice,
    )


def _backup(_: Database, checkup: Checkup) -> Iterator[Finding]:
    last = checkup.last_backup()
    age = None if last is None else datetime.now(UTC) - last.ended
    yield Finding(
        what="last backup",
        chosen="none is noted"
        if last is None or age is None
        else f"{_short(age)} ago, to {last.target}",
        why="a disk that dies takes with it what is nowhere else",
        advice=""
        if age is not None and age <= _BACKUP_OLD
        else "make one: `tsuji backup FILE` (docs/backup.md)",
    )


def _short(length: timedelta) -> str:
    seconds = max(0.0, length.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
