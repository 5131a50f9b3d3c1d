"""Runs alerts beside an ingest: one thread evaluates the rules, one for each target says what came of it."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from tsuji_ingest.alerting.courier import Courier
from tsuji_ingest.alerting.evaluator import Evaluator
from tsuji_ingest.alerting.mqtt import TARGET, MqttCourier
from tsuji_ingest.alerting.signing import SecretError, key_of
from tsuji_ingest.alerting.webhooks import WebhookCourier, WebhookError, parse_urls
from tsuji_platform.analytics.alert_rules import DEMONSTRATION, NO_RULES, RulesError, load
from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.secret_files import SecretFileError, text_of
from tsuji_platform.settings import (
    AlertSettings,
    BrokerAddress,
    SmallCountSettings,
    TypicalSettings,
)
from tsuji_platform.store import StoreError, changes
from tsuji_platform.store.alert_outbox import Outbox
from tsuji_platform.store.alerting import AlertOffice

_log = logging.getLogger(__name__)
_HEARTBEAT_S = 1.0
_REST_S = 0.1
_REST_TIMES = 9
"""Rest so many times as long as a turn took: ingest comes first."""
_LONGEST_REST_S = 5.0
"""Whoever rests longer than the lease has lost the office when it comes back."""
_STAND_BY_S = 1.0
_MAKING_UP_REST_S = 1.0
_AGAIN_AFTER_S = 1.0
_DEFECT_S = 5.0
_READ_AGAIN_S = 5.0


class RulesFile:
    """The file of rules, read again when it changes.

    Args:
        place: the file, or `demonstration`.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._mark = self._met = self._look()
        self.rules = load(place)
        self.problem = ""

    def _look(self) -> tuple[int, int, int] | None:
        if self._place == DEMONSTRATION:
            return None
        with contextlib.suppress(OSError):
            found = Path(self._place).stat()
            return found.st_mtime_ns, found.st_size, found.st_ino
        return None

    def changed(self) -> bool:
        """Whether there are other rules now; a file that can't be used leaves those of before.

        A file is taken once it is met the same twice: while it is being written, its beginning may be a
        file of fewer rules, and the alerts of the others would end.
        """
        mark, before = self._look(), self._met
        self._met = mark
        if mark == self._mark or mark != before:
            return False
        self._mark = mark
        try:
            rules = load(self._place)
        except RulesError as error:
            self.problem = str(error).splitlines()[0]
            _log.error("the rules of before go on: %s", error)
            return False
        self.problem = ""
        differs = rules != self.rules
        self.rules = rules
        return differs


class Alerting:
    """Runs between `start` and `stop`.

    Args:
        database_url: PostgreSQL address.
        broker: MQTT address.
        ingest_id: whose it is.
        settings: where the rules and the webhooks are.
        typical_weeks: from which typical values are taken.
        gate: withholds small counts from what is said.

    Raises:
        RulesError: where the rules can't be used.
        WebhookError: where an address or the secret can't be used.
    """

    def __init__(
        self,
        database_url: str,
        broker: BrokerAddress,
        ingest_id: str,
        settings: AlertSettings,
        typical_weeks: int,
        gate: Gate = OPEN,
    ) -> None:
        if settings.alerts is None or settings.alerts == NO_RULES:
            raise RulesError("TSUJI_ALERTS names no rules")
        self._url = database_url
        self._file = RulesFile(settings.alerts)
        self._couriers: list[Courier] = [
            MqttCourier(database_url, broker, f"{ingest_id}-alerts"),
            *(WebhookCourier(database_url, url, key) for url, key in webhooks(settings)),
        ]
        targets = [one.target for one in self._couriers]
        self._office = AlertOffice(
            database_url, ingest_id, targets, typical_weeks=typical_weeks, gate=gate
        )
        self._evaluator = Evaluator(
            self._office,
            self._file.rules,
            messages_kept=timedelta(days=settings.alert_message_days),
        )
        self._targets = targets
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        for one in self._couriers:
            one.start()

    def stop(self) -> None:
        """End; another goes on from here."""
        self._stop.set()
        for one in self._couriers:
            one.ask_to_stop()
        for one in self._couriers:
            one.stop()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        noted = ""
        tidied = False
        try:
            while not self._stop.is_set():
                try:
                    if not tidied:
                        self._forget_others()
                        tidied = True
                    for changed in changes(self._url, _HEARTBEAT_S):
                        noted = ""
                        if self._stop.is_set():
                            return
                        self._turn(changed)
                except StoreError as error:
                    if str(error) != noted:
                        noted = str(error)
                        _log.warning("alerts wait: %s", error)
                    self._stop.wait(_AGAIN_AFTER_S)
                except Exception:  # noqa: BLE001 - a defect must not end alerts for good
                    _log.exception("a defect was met in the alerts")
                    self._stop.wait(_DEFECT_S)
        finally:
            self._office.close()

    def _forget_others(self) -> None:
        """What was to go to webhooks that are no longer named waits for nobody."""
        outbox = Outbox(self._url, TARGET)
        try:
            outbox.forget_others(self._targets)
        finally:
            outbox.close()

    def _turn(self, changed: bool) -> None:
        if self._file.changed():
            _log.info("the alert rules have changed")
            self._evaluator.adopt(self._file.rules)
        self._evaluator.problem = self._file.problem
        more: bool | None = True
        while more and not self._stop.is_set():
            begun = time.monotonic()
            more = self._evaluator.evaluate(changed=changed)
            changed = True
            self._stop.wait(rest_s(time.monotonic() - begun, more))


def rest_s(took_s: float, more: bool | None) -> float:
    """How long to rest after a turn.

    Args:
        took_s: the turn.
        more: what it returned.
    """
    if more:  # what was missed is made up for, and ingest makes up for it at the same time
        return min(took_s, _MAKING_UP_REST_S)
    least = _STAND_BY_S if more is None else _REST_S
    return min(max(least, _REST_TIMES * took_s), _LONGEST_REST_S)


def webhooks(settings: AlertSettings) -> list[tuple[str, bytes]]:
    """Address and key of each.

    Raises:
        WebhookError: where an address or the secret can't be used.
    """
    listed = _read("TSUJI_WEBHOOK_URLS_FILE", settings.webhook_urls_file)
    urls = parse_urls(f"{settings.webhook_urls} {listed or ''}")
    if settings.webhook_secret is None:
        if not urls:
            return []
        raise WebhookError(
            "TSUJI_WEBHOOK_URLS needs TSUJI_WEBHOOK_SECRET or TSUJI_WEBHOOK_SECRET_FILE, with which "
            "receivers can tell that it was us"
        )
    try:
        key = key_of(settings.webhook_secret.get_secret_value())
    except SecretError as error:
        raise WebhookError(str(error)) from None
    return [(url, key) for url in urls]


def _read(name: str, file: Path | None) -> str | None:
    try:
        return None if file is None else text_of(file)
    except SecretFileError as error:
        raise WebhookError(f"{name}: {str(file)!r} {error}") from None


@contextlib.contextmanager
def alerts_evaluated(
    database_url: str, broker: BrokerAddress, ingest_id: str, settings: AlertSettings
) -> Iterator[None]:
    """Evaluate rules and say what comes of it meanwhile; without rules do nothing.

    Raises:
        RulesError: as `Alerting`.
        WebhookError: as `Alerting`.
    """
    if settings.alerts is None or settings.alerts == NO_RULES:
        yield
        return
    weeks = TypicalSettings().typical_weeks
    gate = Gate(SmallCountSettings().small_count)
    alerting = Alerting(database_url, broker, ingest_id, settings, weeks, gate)
    alerting.start()
    try:
        yield
    finally:
        alerting.stop()
