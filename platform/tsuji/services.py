"""The long-running commands: ingest, API, dashboard, and the migration that comes before them."""

import signal
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

import typer

from tsuji import wiring
from tsuji.slots import numbered
from tsuji_platform.insight import traces
from tsuji_platform.settings import (
    AlertSettings,
    ApiSettings,
    DashboardSettings,
    IngestSettings,
    LiveSettings,
    SmallCountSettings,
)

if TYPE_CHECKING:
    from tsuji_ingest.ledger import Ledger


def migrate(
    check: bool = typer.Option(False, help="Only say what is lacking; exit code 1 if anything is."),
    again: bool = typer.Option(
        False,
        "--roll-up-again",
        help="Let ingest make all rollups anew of which the observations are kept.",
    ),
) -> None:
    """Bring the database's schema up to date."""
    from tsuji_platform.store import migrate as apply
    from tsuji_platform.store import pending
    from tsuji_platform.store.migrate import roll_up_again

    url = wiring.database_url()
    if check and again:
        raise typer.BadParameter("--check changes nothing: leave out --roll-up-again or --check")
    if again:
        typer.echo(
            f"{roll_up_again(url):,} datastreams wait to be rolled up; `tsuji ingest` does that"
        )
        return
    if check:
        lacking = pending(url)
        typer.echo("\n".join(lacking) or "the schema is up to date")
        raise typer.Exit(1 if lacking else 0)
    applied = apply(url, waiting=lambda line: typer.echo(line, err=True))
    typer.echo(
        "\n".join(f"applied {name}" for name in applied) or "the schema is up to date already"
    )


def ingest(
    leave: bool = typer.Option(
        False,
        "--leave",
        help="Give the ingest of TSUJI_INGEST_ID up for good, once it is stopped: store what the broker "
        "keeps for it, end its subscriptions and its session there, and end.",
    ),
) -> None:
    """Take in messages from the broker until stopped; keep rollups up to date, and evaluate alert rules."""
    from tsuji.area_sets import assign_all
    from tsuji_ingest.alerting.service import alerts_evaluated
    from tsuji_ingest.live_topics import live_topics_published
    from tsuji_ingest.service import Ingest
    from tsuji_platform.analytics.suppression import Gate
    from tsuji_platform.store import Areas, Database, kept_fresh

    wiring.set_up_logging("ingest")
    traces.begin("ingest", database=True)
    settings, broker, url = IngestSettings(), wiring.broker_address(), wiring.database_url()
    alerts = AlertSettings(alerts=None) if leave else AlertSettings()
    with (
        nullcontext(settings) if leave else numbered(settings) as settings,
        Database(url, size=2) as database,
        kept_fresh(url),
        alerts_evaluated(url, broker, settings.ingest_id, alerts),
        nullcontext()
        if leave
        else live_topics_published(
            url,
            broker,
            settings.ingest_id,
            LiveSettings(),
            Gate(SmallCountSettings().small_count),
        ),
    ):
        areas = Areas(database)
        service = Ingest(url, broker, settings, lambda: assign_all(areas), leave=leave)
        on_stop_signal(service.stop)
        service.run()
    if leave:
        _say_whether_it_left(service.subscriber.left.is_set(), settings.ingest_id, service.ledger)


def _say_whether_it_left(left: bool, ingest_id: str, ledger: "Ledger") -> None:
    if not left:
        typer.echo(
            f"tsuji: {ingest_id} was stopped before it had left; the broker still keeps what is not "
            "stored: run this once more, or run the ingest again",
            err=True,
        )
        raise typer.Exit(1)
    typer.echo(
        f"{ingest_id} has left: {ledger.account.messages} messages that the broker had kept for it are "
        "stored, and its subscriptions and its session are ended"
    )


def api() -> None:
    """Serve the data API until stopped."""
    from tsuji_platform.insight import workers

    wiring.set_up_logging("api")
    workers.share()  # before the first import of prometheus_client

    from tsuji_platform.api.app import serve

    serve(wiring.database_url(), ApiSettings())


def dashboard() -> None:
    """Serve the dashboard until stopped."""
    from tsuji_dashboard.app import serve

    wiring.set_up_logging("dashboard")
    traces.begin("dashboard")
    serve(DashboardSettings())


def on_stop_signal(stop: Callable[[], None]) -> None:
    """Call `stop` on SIGINT and SIGTERM."""

    def handle(_number: int, _frame: object) -> None:
        threading.Thread(target=stop).start()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
