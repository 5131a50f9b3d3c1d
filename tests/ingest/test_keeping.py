"""What a batch becomes at a database that fails in ways that nobody knows: the newest of a moment stays."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from samples import message, registration
from tsuji_ingest import keeping
from tsuji_ingest.keeping import Keeper, Work
from tsuji_ingest.ledger import Ledger
from tsuji_ingest.packet import Packet
from tsuji_platform.store import Database, DatabaseAwayError, Reader, StoreError
from tsuji_platform.store.records import Received, Saved
from tsuji_platform.store.writer import Writer

_DEFECT, _AWAY = StoreError("unexpected zero page"), DatabaseAwayError("away")


class _Troubled(Writer):
    """Fails as told, one transaction after the other, and works from then on."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "test")
        self.troubles: Iterator[StoreError | None] = iter(())

    def save(self, batch: Sequence[Received]) -> Saved:
        if trouble := next(self.troubles, None):
            raise trouble
        return super().save(batch)


@pytest.fixture
def writer(hub_url: str) -> Iterator[_Troubled]:
    writer = _Troubled(hub_url)
    yield writer
    writer.close()


def _stored(writer: _Troubled, *messages: Received, troubles: Sequence[StoreError | None]) -> int:
    """Keep these, and return how many were acknowledged."""
    acknowledged: list[Packet] = []
    work: Work = [
        (Packet(topic=it.topic, payload=it.payload, received_at=it.received_at), it)
        for it in messages
    ]
    ledger = Ledger()
    ledger.took(messages)
    writer.troubles = iter(troubles)
    keeper = Keeper(
        writer,
        ledger,
        threading.Event(),
        acknowledge=acknowledged.extend,
        things_changed=lambda: None,
        following=lambda: None,
    )
    keeper.store(work)
    assert ledger.account.waiting == 0
    return len(acknowledged)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the message that is to blame at the first failure."""
    monkeypatch.setattr(keeping, "_DEFECTS", 1)


def test_a_registration_that_failed_does_not_undo_a_newer_one(
    writer: _Troubled, hub_database: Database
) -> None:
    older, newer = (registration("pole", name=name) for name in ("before", "now"))
    fails = [_DEFECT, _DEFECT, _DEFECT]  # all, all again, the first alone
    assert _stored(writer, older, newer, message("pole", air_temperature=1), troubles=fails) == 3
    (thing,) = Reader(hub_database).things()
    assert thing.thing.name == "now"


def test_where_the_database_goes_away_meanwhile_values_keep_their_order(
    writer: _Troubled, hub_database: Database
) -> None:
    writer.save([registration("pole", "air_temperature", "rainfall")])
    older, newer = (message("pole", air_temperature=degrees) for degrees in (1, 2))
    fails = [
        *(_DEFECT, _DEFECT),  # all, and all again
        *(_DEFECT, _DEFECT, _DEFECT, None),  # the first, the others, the second; the third is taken
        _AWAY,  # the first again
    ]
    assert _stored(writer, older, newer, message("pole", rainfall=0), troubles=fails) == 3
    found = {it.observed_property: it.result for it in Reader(hub_database).latest()}
    assert found == {"air_temperature": 2, "rainfall": 0}
