"""`tsuji simulate`: feeds that go the same way as real devices' messages."""

import logging
import threading
import time
from typing import TYPE_CHECKING, Annotated

import typer

from tsuji import wiring
from tsuji.services import on_stop_signal
from tsuji_platform.settings import RuntimeSettings

if TYPE_CHECKING:
    from tsuji_simulators.run import FleetProgress

_log = logging.getLogger(__name__)
_SAY_EVERY_S = 30


def simulate(
    scenario: Annotated[
        str, typer.Argument(help="A shipped scenario, or the path of a scenario file.")
    ] = "city",
    seed: Annotated[int, typer.Option(help="Same seed, same values.")] = 1,
) -> None:
    """Publish a simulated fleet in real time until stopped."""
    from tsuji_simulators.fleet import load_scenario
    from tsuji_simulators.run import run

    wiring.set_up_logging()
    settings = RuntimeSettings()
    stop = threading.Event()
    on_stop_signal(stop.set)
    run(
        wiring.broker_address(),
        load_scenario(scenario),
        seed,
        wiring.instance().home / "simulator",
        settings.history_days,
        stop,
        _Sayer().say,
    )


class _Sayer:
    """Writes the fleet's progress to the log, now and then."""

    def __init__(self) -> None:
        self._due = 0.0
        self._unheard = 0

    def say(self, progress: "FleetProgress") -> None:
        """Note where the fleet stands."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _SAY_EVERY_S
        _log.info(
            "%d messages published, %d unacknowledged, %.1f h of the past still to come",
            progress.published,
            progress.published - progress.acknowledged,
            progress.backlog_s / 3600,
        )
        if progress.unheard and progress.unheard > self._unheard:
            _log.warning(
                "%d messages so far reached no subscriber and are lost: start `tsuji ingest`, or whatever "
                "is to receive them",
                progress.unheard,
            )
            self._unheard = progress.unheard
