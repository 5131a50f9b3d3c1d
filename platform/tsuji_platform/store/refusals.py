"""What is kept of a refused message: one row for each reason, found again by its digest."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tsuji_platform.contract import Reason
from tsuji_platform.store import queries
from tsuji_platform.store.database import Connection
from tsuji_platform.store.records import Received, Tally
from tsuji_platform.uptime import boot_id, since_boot

_SQL = queries.load("writing")

_DETAILS_KEPT = 5

_UNKNOWN = {
    Reason.UNREGISTERED_THING: "thing {0!r} is not registered; its values come in once its retained "
    "message has arrived",
    Reason.UNDECLARED_DATASTREAM: "thing {0!r} does not list {1} among its datastreams; they come in "
    "once it does",
}


def refusals(
    message: Received, unknown: Mapping[Reason, Sequence[str]], tally: Tally
) -> Iterator[dict[str, Any]]:
    """What is kept of the refused part of a message: one row for each reason."""
    refused: dict[Reason, list[str]] = {}
    for rejection in message.rejections:
        refused.setdefault(rejection.reason, []).append(rejection.detail)
    for reason, properties in unknown.items():
        text = _UNKNOWN[reason].format(message.thing_id, ", ".join(properties))
        refused[reason] = [text] * len(properties)
    arrived = None if message.arrived_s is None else since_boot(message.arrived_s)
    for reason, details in refused.items():
        tally.rejected += len(details)
        yield {
            "digest": digest(message, reason),
            "topic": message.topic,
            "payload": message.payload,
            "thing_id": message.thing_id,
            "reason": reason.value,
            "detail": _summary(details),
            "observed_properties": sorted(set(unknown.get(reason, ())))
            if reason is Reason.UNDECLARED_DATASTREAM
            else [],
            "value_count": len(details),
            "received_at": message.received_at,
            "boot_id": None if arrived is None else boot_id(),
            "uptime_s": arrived,
        }


def keep(
    connection: Connection,
    refused: Sequence[dict[str, Any]],
    perhaps_old: Sequence[dict[str, Any]] = (),
    tally: Tally | None = None,
) -> None:
    """Keep refusals, or count them where the same is kept already.

    Their ids follow their arrival. They are written in the order of their key, so that two writers can't
    block each other.

    Args:
        connection: in a transaction.
        refused: what `refusals` gave.
        perhaps_old: the same of messages that need not be news: what is kept already counts no more.
        tally: where that is taken off again.
    """
    count = len(refused) + len(perhaps_old)
    if not count:
        return
    numbers = iter(connection.execute(_SQL["next_rejected_ids"], {"count": count}).fetchall())
    rows = [(one | next(numbers), "keep_rejected") for one in refused]
    rows += [(one | next(numbers), "keep_rejected_once") for one in perhaps_old]
    rows.sort(key=lambda row: row[0]["digest"])
    if not perhaps_old:
        with connection.cursor() as cursor:
            cursor.executemany(_SQL["keep_rejected"], [row for row, _ in rows])
        return
    for row, query in rows:
        if not connection.execute(_SQL[query], row).rowcount and tally is not None:
            tally.received -= row["value_count"]
            tally.rejected -= row["value_count"]


def _summary(details: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(details))
    text = "; ".join(distinct[:_DETAILS_KEPT])
    return (
        text
        if len(distinct) <= _DETAILS_KEPT
        else f"{text}; and {len(distinct) - _DETAILS_KEPT} more"
    )


def digest(message: Received, reason: Reason) -> bytes:
    """The key of what is kept: topic, reason and payload."""
    sha256 = hashlib.sha256()
    for part in (message.topic.encode(), reason.value.encode(), message.payload):
        sha256.update(len(part).to_bytes(8, "big"))
        sha256.update(part)
    return sha256.digest()
