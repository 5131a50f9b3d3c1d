"""`tsuji retention`: how long history is kept, and drop now what is old enough."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tsuji import wiring
from tsuji.durations import duration_s
from tsuji_platform.settings import RetentionSettings

if TYPE_CHECKING:
    from tsuji_platform.store.history_retention import HistoryRetention, Outlook

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="How long observations and rollups are kept: show it, drop now what is old enough.",
)

_MIB = 2**20


@app.command()
def show() -> None:
    """Show what is kept since when, and what would be dropped now."""
    retention = _open()
    try:
        for one in retention.outlook(datetime.now(UTC)):
            for line in _described(one):
                typer.echo(line)
    finally:
        retention.close()
    typer.echo("rollups of a Tokyo day: kept for ever")


@app.command()
def apply(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be dropped.")
    ] = False,
) -> None:
    """Drop now what the settings (TSUJI_RAW_DAYS, …) say is old enough; ingest does it by itself.

    Exit code 1 where something is old enough and could not be dropped.
    """
    retention = _open()
    try:
        if dry_run:
            _print_outlook(retention)
        else:
            _drop(retention)
    finally:
        retention.close()


@app.command()
def columnstore(
    after: Annotated[
        str | None,
        typer.Option(help="Have observations go there at this age, such as 30d.", metavar="LENGTH"),
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Let no more go there.")] = False,
) -> None:
    """Show or set at what age observations go to the columnstore of TimescaleDB's community edition.

    Exit code 1 where the database has none.
    """
    from tsuji_platform.store.columnstore import Columnstore, NoColumnstoreError

    if off and after is not None:
        raise typer.BadParameter("--off and --after exclude each other")
    age = None if after is None else timedelta(seconds=duration_s(after))
    store = Columnstore(wiring.database_url())
    try:
        if off:
            store.disable()
        elif age is not None:
            store.enable(age)
        held = store.after()
    except NoColumnstoreError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        store.close()
    typer.echo(
        "no observations go to the columnstore"
        if held is None
        else f"observations go to the columnstore once they are {held.total_seconds() / 86_400:g} days old"
    )


def _open() -> "HistoryRetention":
    from tsuji_platform.store.history_retention import HistoryRetention, ages

    return HistoryRetention(wiring.database_url(), ages(RetentionSettings()))


def _print_outlook(retention: "HistoryRetention") -> None:
    found = [one for one in retention.outlook(datetime.now(UTC)) if one.until is not None]
    for one in found:
        typer.echo(f"{one.what}: would drop {_extent(one)}")
        if one.obstacle is not None:
            typer.echo(f"  waits: {one.obstacle}")
    if not found:
        typer.echo("nothing is old enough to be dropped")


def _drop(retention: "HistoryRetention") -> None:
    dropped = False
    while True:
        done = retention.drop_some(datetime.now(UTC))
        for one in done:
            if one.until is not None:
                dropped = True
                amount = f"{one.chunks} chunks" if one.chunks else f"{one.rows} rows"
                typer.echo(f"{one.what}: dropped {amount}, up to {_time(one.until)}")
                if one.too_late:
                    typer.echo(f"  {one.too_late} of them had come too late for any rollup")
        if not any(one.until for one in done):
            break
    for one in done:
        typer.echo(f"{one.what}: something is old enough, but waits: {one.obstacle}", err=True)
    if done:
        raise typer.Exit(1)
    if not dropped:
        typer.echo("nothing is old enough to be dropped")


def _described(one: "Outlook") -> list[str]:
    days = "for ever" if one.age is None else f"for {one.age.total_seconds() / 86_400:g} days"
    lines = [f"{one.what}: kept {days}"]
    if one.horizon is not None:
        since, at = _time(one.horizon.since), _time(one.horizon.dropped_at)
        lines.append(
            f"  there are those after {since}; dropped {one.horizon.drops} times, last {at}"
        )
        if one.horizon.too_late:
            lines.append(f"  {one.horizon.too_late} came too late, are in no rollup and gone")
    elif one.oldest is not None:
        lines.append(f"  there are all, the oldest of {_time(one.oldest)}")
    if one.late:
        lines.append(
            f"  {one.late} came after those of their time were dropped, {one.too_late} of them too "
            "late for any rollup"
        )
    if one.until is not None:
        lines.append(f"  the next run drops {_extent(one)}")
        if one.obstacle is not None:
            lines.append(f"  it waits: {one.obstacle}")
    return lines


def _extent(one: "Outlook") -> str:
    amount = (
        f"{one.chunks} chunks, {one.octets / _MIB:.1f} MiB" if one.chunks else f"{one.rows} rows"
    )
    return f"{amount}, up to {_time(one.until)}"


def _time(time: datetime | None) -> str:
    return "" if time is None else f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
