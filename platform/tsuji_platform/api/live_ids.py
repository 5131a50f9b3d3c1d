"""The ids of live events: they say what a reader knows by terms of the database, not of one process.

So a reader may go on from where it was at any worker, and after a restart: `1.{database}.{snapshot}.
{alert}.{time}.{filter}`. To readers they are opaque.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tsuji_platform.store.live import Snapshot

_LONGEST = 8_000
_ID = re.compile(
    r"1\.([0-9a-f]{8})\.(\d+:\d+:[\d,]*)\.(\d{1,18})\.(\d{1,17})\.([0-9a-f]{12})", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventId:
    """What a reader knows once it has this event and those before.

    Attributes:
        database: a digest of which database it is.
        snapshot: everything committed by it.
        alert: messages about alerts up to this number.
        time: by which clock states of things were judged.
        filter: a digest of what was asked for, and of the things that this chose.
    """

    database: str
    snapshot: Snapshot
    alert: int
    time: datetime
    filter: str

    def __str__(self) -> str:
        time = (self.time - _EPOCH) // _MICROSECOND
        return f"1.{self.database}.{self.snapshot}.{self.alert}.{time}.{self.filter}"

    @classmethod
    def parse(cls, text: str) -> "EventId":
        """Read an id.

        Raises:
            ValueError: it is none of ours.
        """
        found = _ID.fullmatch(text) if len(text) <= _LONGEST else None
        if found is None:
            raise ValueError(f"{text!r:.80} is no id of the live stream")
        database, snapshot, alert, time, asked = found.groups()
        try:
            moment = _EPOCH + int(time) * _MICROSECOND
        except OverflowError:
            raise ValueError(f"{text!r:.80} is no id of the live stream") from None
        return cls(
            database=database,
            snapshot=Snapshot.parse(snapshot),
            alert=int(alert),
            time=moment,
            filter=asked,
        )

    def of_alert(self, number: int) -> "EventId":
        """The same with this message about an alert."""
        return replace(self, alert=number)


def database_digest(identity: str) -> str:
    """How ids name a database."""
    return hashlib.blake2b(identity.encode(), digest_size=4).hexdigest()


def filter_digest(asked: str, things: Iterable[str] | None) -> str:
    """How ids name a filter and the things that it chose; None for all, whichever there are."""
    digest = hashlib.blake2b(asked.encode(), digest_size=6)
    for thing_id in sorted(things or ()):
        digest.update(b"\0" + thing_id.encode())
    return digest.hexdigest()
