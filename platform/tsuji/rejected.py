"""`tsuji rejected`: look at what was not believed, take it in after all, or throw it away.

Topics, details and payloads come from strangers: all of them are printed by `terminal`.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import structs

from tsuji import wiring
from tsuji.mistakes import NotThereError
from tsuji.terminal import dump, printable
from tsuji_platform.contract import Reason
from tsuji_platform.contract.lengths import EXAMPLES, parse_length
from tsuji_platform.contract.messages import FUTURE_TOLERANCE
from tsuji_platform.settings import IngestSettings

if TYPE_CHECKING:
    from tsuji_platform.store import Database
    from tsuji_platform.store.records import (
        Received,
        RejectedCount,
        RejectedFilter,
        RejectedRow,
        Retried,
        Retryable,
    )
    from tsuji_platform.store.retry import RetryWriter

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Rejected messages: list and show them, retry them, purge them.",
)

_SHOWN_BYTES = 4096

ReasonOption = Annotated[Reason | None, typer.Option(help="Only those of this reason.")]
ThingOption = Annotated[str | None, typer.Option(help="Only those of this thing.")]


def _moment(text: str | datetime) -> datetime:
    """Read `2h` (ago) or an RFC 3339 time with offset."""
    if isinstance(text, datetime):
        return text
    length = parse_length(text)
    if length is not None:
        with suppress(OverflowError):
            return datetime.now(UTC) - length
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise typer.BadParameter(
            f"{text!r} is neither a time with offset, such as 2026-04-01T09:00:00+09:00, nor a length "
            f"of time until now, such as {EXAMPLES}"
        )
    return time


SinceOption = Annotated[
    datetime | None,
    typer.Option(parser=_moment, metavar="TIME", help="Only those that last came since: 2h, 7d, …"),
]
BeforeOption = Annotated[
    datetime | None,
    typer.Option(parser=_moment, metavar="TIME", help="Only those that last came before: 30d, …"),
]
AllOption = Annotated[bool, typer.Option("--all", help="All that there are.")]


@app.command("list")
def list_(
    reason: ReasonOption = None,
    thing: ThingOption = None,
    since: SinceOption = None,
    before: BeforeOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at the most.")] = 20,
    summary: Annotated[
        bool, typer.Option("--summary", help="Counts by reason and thing instead.")
    ] = False,
) -> None:
    """List rejected messages, the newest first."""
    from tsuji_platform.store import Reader, Rejected

    which = _which(reason, thing, since, before)
    with wiring.database() as database:
        if summary:
            rejected = Rejected(database)
            ever = Reader(database).counters().tally.rejected
            forgotten = rejected.forgotten().value_count
            in_files = rejected.in_files()
            _print_summary(rejected.summary(which), which, ever, forgotten, in_files)
            return
        rows = Rejected(database).find(which, limit=limit, payload_bytes=0)
    for row in rows:
        repeated = f" ×{row.seen}" if row.seen > 1 else ""
        typer.echo(
            f"{row.rejected_id}  {_time(row.last_received_at)}  {row.reason}{repeated}  "
            f"{printable(row.topic)}\n    {printable(row.detail)}"
        )
    if not rows:
        typer.echo("no rejected message fits", err=True)
    elif len(rows) == limit:
        typer.echo(f"the newest {limit}; --limit shows more", err=True)


@app.command()
def show(
    rejected_id: Annotated[int, typer.Argument(metavar="ID", help="As `list` shows it.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Only the payload, byte for byte, into a file or pipe.")
    ] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help=f"All of a payload over {_SHOWN_BYTES} bytes.")
    ] = False,
) -> None:
    """Show one rejected message, its payload as text or as a hex dump."""
    from tsuji_platform.store import Rejected

    with wiring.database() as database:
        row = Rejected(database).get(rejected_id)
    if row is None:
        raise _missing([rejected_id])
    if raw:
        if sys.stdout.isatty():
            raise typer.BadParameter(
                "a terminal might obey what is in the payload; send it into a file or a pipe"
            )
        sys.stdout.buffer.write(row.payload)
        return
    for line in _described(row, len(row.payload) if whole else _SHOWN_BYTES):
        typer.echo(line)


@app.command()
def retry(
    rejected_ids: Annotated[
        list[int] | None, typer.Argument(metavar="ID...", help="As `list` shows them.")
    ] = None,
    reason: ReasonOption = None,
    thing: ThingOption = None,
    since: SinceOption = None,
    before: BeforeOption = None,
    everything: AllOption = False,
) -> None:
    """Read rejected messages again, by today's rules, clock and mappings.

    What is believed now is stored, unless a newer value has taken its place; what is refused as before
    stays untouched.
    """
    from tsuji_platform.store import Rejected
    from tsuji_platform.store.records import Retried
    from tsuji_platform.store.retry import RetryWriter

    which = _which(reason, thing, since, before)
    _need_choice(bool(rejected_ids) or _is_choice(which), everything)
    writer = RetryWriter(wiring.database_url(), IngestSettings().ingest_id)
    with wiring.database(size=2) as database:
        rejected = Rejected(database)
        if rejected_ids:
            absent = [one for one in rejected_ids if rejected.get(one) is None]
            if absent:
                raise _missing(absent)
        outcome = Retried()
        try:
            for page in rejected.to_retry(which, rejected_ids or None):
                outcome.add(_retry(writer, page))
        finally:
            writer.close()
            _print_outcome(outcome)
            if outcome.things_changed:
                _assign(database)


@app.command()
def purge(
    reason: ReasonOption = None,
    thing: ThingOption = None,
    since: SinceOption = None,
    before: BeforeOption = None,
    everything: AllOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Delete rejected messages for good; what was counted stays counted as rejected."""
    from tsuji_platform.store import Rejected

    which = _which(reason, thing, since, before)
    _need_choice(_is_choice(which), everything)
    if not yes and before is None:  # what comes while the question is asked was not meant
        which = replace(which, before=datetime.now(UTC))
    with wiring.database() as database:
        rejected = Rejected(database)
        if not yes:
            counts = rejected.summary(which)
            if not counts:
                typer.echo("no rejected message fits", err=True)
                return
            for text in sorted({one.reason for one in counts}):
                messages = sum(one.messages for one in counts if one.reason == text)
                typer.echo(f"{messages} × {text}")
            if any(Reason(one.reason).may_heal for one in counts):
                typer.echo("among them are some that wait for their thing, and would come in then")
            typer.confirm("Delete them for good?", abort=True)
        messages, values = rejected.purge(which)
    typer.echo(f"deleted {messages} messages with {values} values")


def _which(
    reason: Reason | None, thing: str | None, since: datetime | None, before: datetime | None
) -> "RejectedFilter":
    from tsuji_platform.store.records import RejectedFilter

    return RejectedFilter(
        reason=None if reason is None else reason.value, thing_id=thing, since=since, before=before
    )


def _is_choice(which: "RejectedFilter") -> bool:
    return any(one is not None for one in (which.reason, which.thing_id, which.since, which.before))


def _need_choice(chosen: bool, everything: bool) -> None:
    if chosen == everything:
        raise typer.BadParameter(
            "--all and a choice exclude each other"
            if chosen
            else "say which: by --reason, --thing, --since, --before (retry: or by ID), or --all"
        )


def _missing(ids: Sequence[int]) -> NotThereError:
    shown = ", ".join(map(str, ids))
    return NotThereError(f"there is no rejected message {shown}; see `tsuji rejected list`")


def _retry(writer: "RetryWriter", page: "Sequence[Retryable]") -> "Retried":
    numbers = {(message.topic, message.payload): message.rejected_id for message in page}

    def tell(message: "Received", why: str) -> None:
        number = numbers[message.topic, message.payload]
        typer.echo(f"{number}: the database refuses it: {printable(why)}")

    return writer.retry_apart([_read_again(message) for message in page], tell)


def _read_again(message: "Retryable") -> "Received":
    """Decode by today's clock, which may have reached a time that was in the future.

    When it came may have been read from a wrong clock: what is believed now must be believed again, too,
    should it have to wait for its thing.
    """
    from tsuji_ingest.decoders import decode
    from tsuji_ingest.packet import Packet

    received = decode(
        Packet(topic=message.topic, payload=message.payload, received_at=datetime.now(UTC))
    )
    earliest = (one.phenomenon_time - FUTURE_TOLERANCE for one in received.observations)
    return structs.replace(received, received_at=max((message.last_received_at, *earliest)))


def _assign(database: "Database") -> None:
    """Things have registered: say in which areas they stand."""
    from tsuji.area_sets import assign_all
    from tsuji_platform.store import Areas

    assign_all(Areas(database))


def _print_outcome(outcome: "Retried") -> None:
    messages = outcome.settled + outcome.changed + outcome.untouched
    if not messages:
        typer.echo("no rejected message fits", err=True)
        return
    tally = outcome.tally
    typer.echo(
        f"{messages} messages read again: {outcome.settled} settled, {outcome.changed} in part or for "
        f"another reason, {outcome.untouched} refused as before; {tally.stored} values stored, "
        f"{tally.duplicate} there already"
    )


def _print_summary(
    counts: "Sequence[RejectedCount]",
    which: "RejectedFilter",
    ever: int,
    forgotten: int,
    in_files: int,
) -> None:
    for one in counts:
        typer.echo(
            f"{one.messages}  {one.reason}  {printable(one.thing_id or '-')}  "
            f"{one.value_count} values  last {_time(one.last_received_at)}"
        )
    kept = sum(one.value_count for one in counts)
    messages = sum(one.messages for one in counts)
    typer.echo(f"{messages} messages with {kept} values are kept", nl=False)
    typer.echo(
        ""
        if _is_choice(which)
        else f"; {ever} values are counted as rejected, {forgotten} of them were forgotten, "
        f"{ever - kept - forgotten - in_files} purged"
        + (f", {in_files} are in the files of imports' rejected rows" if in_files else "")
    )


def _described(row: "RejectedRow", limit: int) -> Iterator[str]:
    yield f"id           {row.rejected_id}"
    yield f"topic        {printable(row.topic)}"
    yield f"thing        {printable(row.thing_id or '-')}"
    yield f"reason       {row.reason}"
    yield f"detail       {printable(row.detail)}"
    yield f"values       {row.value_count}"
    times = f"{row.seen} times, first {_time(row.first_received_at)}, last "
    yield f"received     {times if row.seen > 1 else ''}{_time(row.last_received_at)}"
    yield f"payload      {row.payload_size} bytes"
    shown = row.payload[:limit]
    yield from (f"  {line}" for line in dump(shown))
    if len(shown) < len(row.payload):
        yield f"  … {len(row.payload) - len(shown)} more bytes: --whole shows, --raw writes them"


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
