"""Publishes the newest observations over MQTT, retained, for those who prefer that to server-sent events.

One thread follows what is committed, away from ingest's own way: it looks at the database, tells the broker
what has changed since it was last told, and rests nine times as long as that took.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import islice

import orjson

from tsuji_ingest.line import Line, taken
from tsuji_platform.analytics.suppression import Gate
from tsuji_platform.contract.live_messages import newest_document
from tsuji_platform.contract.topics import latest_topic
from tsuji_platform.settings import BrokerAddress, LiveSettings
from tsuji_platform.store import StoreError, changes
from tsuji_platform.store.live import Newest
from tsuji_platform.store.live_publisher import Publication, Turn

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 1.0
_REST_S = 0.25
_REST_TIMES = 9
"""Rest so many times as long as a turn took: ingest comes first."""
_AT_ONCE = 1_000
_PATIENCE_S = 10.0
_AGAIN_AFTER_S = 1.0
_DEFECT_S = 5.0


class LiveTopics:
    """Runs between `start` and `stop`; of several, in any processes, one works at a time.

    Args:
        database_url: PostgreSQL address.
        broker: MQTT address.
        ingest_id: whose it is.
        gate: withholds small counts.
        withdraw: take away what was published before, and nothing else.
    """

    def __init__(
        self,
        database_url: str,
        broker: BrokerAddress,
        ingest_id: str,
        gate: Gate,
        *,
        withdraw: bool = False,
    ) -> None:
        self._url = database_url
        self._line = Line(broker, f"{ingest_id}-live", "live topics")
        self._publication = Publication(
            database_url, ingest_id, f"{broker.host}:{broker.port} {gate}", gate
        )
        self._withdraw = withdraw
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live topics", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; another, or the next run, goes on from here."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        noted = ""
        try:
            while not self._stop.is_set():
                try:
                    for _ in changes(self._url, _LOOK_EVERY_S):
                        if self._stop.is_set():
                            return
                        begun = time.monotonic()
                        if self._turn() and self._withdraw:
                            return
                        noted = ""
                        took = time.monotonic() - begun
                        self._stop.wait(max(_REST_S, _REST_TIMES * took))
                except StoreError as error:
                    if str(error) != noted:
                        noted = str(error)
                        _log.warning("live topics wait: %s", error)
                    self._stop.wait(_AGAIN_AFTER_S)
                except Exception:  # noqa: BLE001 - a defect must not end this for good
                    _log.exception("a defect was met in the live topics")
                    self._stop.wait(_DEFECT_S)
        finally:
            self._line.hang_up()
            self._publication.close()

    def _turn(self) -> bool:
        """Publish what is new; whether the broker has all of it."""
        if self._withdraw and not self._publication.was_published():
            return True
        if not self._line.open():
            return False
        renewed = self._line.renewed.is_set()
        with self._publication.turn(whole=renewed or self._withdraw) as turn:
            if turn is None:  # another publishes
                return False
            self._line.renewed.clear()
            if not self._publish(turn):
                self._line.renewed.set()
                self._line.hang_up()  # what it still holds must not come after what is newer
                return False
            if self._withdraw:
                turn.withdrawn()
            elif turn.newest or renewed:
                turn.published()
        return True

    def _publish(self, turn: Turn) -> bool:
        waiting = iter(turn.newest)
        while some := list(islice(waiting, _AT_ONCE)):
            if self._stop.is_set() or not self._are_taken(some):
                return False
            turn.go_on()
        return True

    def _are_taken(self, some: Sequence[Newest]) -> bool:
        infos = [
            self._line.publish(
                latest_topic(one.thing_id, one.observed_property),
                b"" if self._withdraw else payload(one),
                retain=True,
            )
            for one in some
        ]
        return taken(infos, time.monotonic() + _PATIENCE_S)


def payload(one: Newest) -> bytes:
    """What is retained of a datastream; nothing where there is no newest observation."""
    if not one.declared or one.time is None:
        return b""
    return orjson.dumps(
        newest_document(
            thing_id=one.thing_id,
            observed_property=one.observed_property,
            time=one.time,
            result=one.result,
            period_s=one.period_s,
            received_at=one.received_at,
            suppressed=one.suppressed,
        )
    )


@contextlib.contextmanager
def live_topics_published(
    database_url: str,
    broker: BrokerAddress,
    ingest_id: str,
    settings: LiveSettings,
    gate: Gate,
) -> Iterator[None]:
    """Publish meanwhile what is newest; where that is not wanted, take away what was published before."""
    topics = LiveTopics(database_url, broker, ingest_id, gate, withdraw=not settings.live_topics)
    topics.start()
    try:
        yield
    finally:
        topics.stop()
