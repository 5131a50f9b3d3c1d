"""`tsuji up`: a whole hub on this machine, from nothing to a live map, and kept alive."""

import sys
import time
from collections.abc import Callable
from secrets import token_urlsafe

import httpx
from rich.console import Console
from rich.table import Table

from tsuji import simulated_past, wiring
from tsuji_platform.runtime import broker, database
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.runtime.home import Instance
from tsuji_platform.runtime.mqtt import is_free
from tsuji_platform.runtime.process import Child
from tsuji_platform.runtime.supervisor import State, Supervisor
from tsuji_platform.settings import (
    CONCERNS,
    AlertSettings,
    ApiSettings,
    BrokerAddress,
    BrokerSettings,
    DashboardSettings,
    DatabaseSettings,
    DecoderSettings,
    IngestSettings,
    RuntimeSettings,
    SharedSecretSettings,
)
from tsuji_platform.settings_files import given
from tsuji_platform.settings_insight import InsightSettings

_PORTS_TRIED = 50
_INGEST_PORT = 8100
_METRICS_PORTS = {"api_metrics_port": 8200, "dashboard_metrics_port": 8300}
_LOOK_EVERY_S = 1.0
_LINE_EVERY_S = 30.0
_PAST = "simulate-past"


def up() -> None:
    """Run everything: database, broker, ingest, API, dashboard and a simulated fleet."""
    check_settings()
    settings = RuntimeSettings()
    instance = wiring.instance().create()
    console = Console(highlight=False)
    with instance.lock():
        try:
            _Hub(instance, settings, console).run()
        finally:
            wiring.withdraw_addresses(instance.home)


def check_settings() -> None:
    """Refuse here what each service would refuse by itself, again and again.

    Raises:
        ValidationError: a value is outside what its setting takes.
        DecoderError: a decoder can't be used.
        WebhookError: an address or the secret can't be used.
        RulesError: rules of alerts can't be used.
    """
    from tsuji_ingest.alerting.service import webhooks
    from tsuji_ingest.decoders import registered
    from tsuji_platform.analytics.alert_rules import DEMONSTRATION, NO_RULES, load

    for concern in CONCERNS:
        concern()
    registered(DecoderSettings())
    alerts = AlertSettings()
    webhooks(alerts)
    if alerts.alerts != NO_RULES:
        load(alerts.alerts or DEMONSTRATION)


def choose_port(wanted: int, is_set: bool, host: str, variable: str) -> int:
    """The wanted port, or the next free one where the wanted one is only a default.

    Raises:
        SetupError: where the port was asked for and is taken, or none is free.
    """
    if is_free(wanted, host):
        return wanted
    if is_set:
        raise SetupError(
            f"{variable}={wanted}: something else listens there already; give another port"
        )
    for port in range(wanted + 1, wanted + _PORTS_TRIED):
        if is_free(port, host):
            return port
    raise SetupError(f"no port is free from {wanted} on; set {variable}")


def check_ports(
    ingest: IngestSettings,
    api: ApiSettings,
    dashboard: DashboardSettings,
    broker_: BrokerSettings,
) -> None:
    """Refuse a port that was asked for and is taken, before anything else is started.

    Raises:
        SetupError: naming the setting.
    """
    insight = InsightSettings()
    asked = [
        (settings, name, host)
        for settings, name, host in (
            (broker_, "broker_port", "127.0.0.1"),
            (ingest, "ingest_port", ingest.ingest_host),
            (api, "api_port", api.api_host),
            (dashboard, "dashboard_port", dashboard.dashboard_host),
            *((insight, name, insight.metrics_host) for name in _METRICS_PORTS),
        )
        if name in settings.model_fields_set and getattr(settings, name) is not None
    ]
    for settings, name, host in asked:
        if name != "broker_port" or broker_.broker_url is None:
            choose_port(getattr(settings, name), True, host, f"TSUJI_{name.upper()}")


def metrics_ports() -> dict[str, str]:
    """Where data API and dashboard tell Prometheus how they fare, as settings; ingest does at its own port.

    Raises:
        SetupError: as `choose_port`.
    """
    insight = InsightSettings()
    found = {}
    for name, usual in _METRICS_PORTS.items():
        variable, asked = f"TSUJI_{name.upper()}", getattr(insight, name)
        port = choose_port(asked or usual, asked is not None, insight.metrics_host, variable)
        found[variable] = str(port)
    return found


def _dashboard_key() -> str:
    """The one of the settings, or a new one for this run."""
    key = SharedSecretSettings().dashboard_key
    return token_urlsafe(32) if key is None else key.get_secret_value()


class _Hub:
    """One run of `tsuji up`."""

    def __init__(self, instance: Instance, settings: RuntimeSettings, console: Console) -> None:
        self._instance = instance
        self._settings = settings
        self._console = console
        self._begun = time.monotonic()
        self._environment: dict[str, str] = {
            "TSUJI_HOME": str(instance.home),
            **given("TSUJI_DASHBOARD_KEY", _dashboard_key()),
        }
        self._past_is_said = False

    def _say(self, line: str) -> None:
        self._console.print(
            f"[dim]{time.monotonic() - self._begun:6.1f} s[/]  {line}", soft_wrap=True
        )

    def _report(self, line: str) -> None:
        self._console.print(line, style="yellow", markup=False, soft_wrap=True)

    def run(self) -> None:
        """Set up, start, watch; returns when asked to stop, with everything stopped."""
        from tsuji_platform.analytics.alert_rules import DEMONSTRATION

        ingest, api, dashboard = IngestSettings(), ApiSettings(), DashboardSettings()
        self._environment["TSUJI_ALERTS"] = AlertSettings().alerts or DEMONSTRATION
        self._say(f"data in {self._instance.home}")
        check_ports(ingest, api, dashboard, BrokerSettings())
        with (
            Supervisor(self._instance.log_folder, self._report) as supervisor,
            supervisor.signals(),
        ):
            try:
                self._start_servers(supervisor)
                self._start_services(supervisor, ingest, api, dashboard)
                self._show_addresses()
                self._start_past(supervisor)
                self._watch(supervisor)
            except SetupError:
                if not supervisor.stop_requested.is_set():
                    raise
            self._console.print("stopping …")
            begun = time.monotonic()
            supervisor.close()
        self._console.print(f"stopped after {time.monotonic() - begun:.1f} s; the data is kept")

    def _start_servers(self, supervisor: Supervisor) -> None:
        from tsuji.area_sets import put_demonstration
        from tsuji_platform.store import migrate

        chosen = database.choose(DatabaseSettings(), self._instance, self._say)
        self._say(f"database: {chosen.description}")
        self._notice(chosen.notice)
        if chosen.child is not None:
            supervisor.add(chosen.child)
            supervisor.wait_ready(chosen.child.name)
        for name in migrate(chosen.url, waiting=self._say):
            self._say(f"schema: {name}")
        for area_set_id in put_demonstration(chosen.url):
            self._say(f"areas: {area_set_id}")
        broker_chosen = broker.choose(BrokerSettings(), self._instance, self._say)
        self._say(f"broker: {broker_chosen.description}")
        self._notice(broker_chosen.notice)
        if broker_chosen.child is not None:
            supervisor.add(broker_chosen.child)
            supervisor.wait_ready(broker_chosen.child.name)
        self._environment |= {
            **given("TSUJI_DATABASE_URL", chosen.url),
            **given("TSUJI_BROKER_URL", broker_chosen.url),
        }

    def _start_services(
        self,
        supervisor: Supervisor,
        ingest: IngestSettings,
        api: ApiSettings,
        dashboard: DashboardSettings,
    ) -> None:
        ingest_port = choose_port(
            ingest.ingest_port or _INGEST_PORT,
            ingest.ingest_port is not None,
            ingest.ingest_host,
            "TSUJI_INGEST_PORT",
        )
        api_port = choose_port(
            api.api_port, "api_port" in api.model_fields_set, api.api_host, "TSUJI_API_PORT"
        )
        dashboard_port = choose_port(
            dashboard.dashboard_port,
            "dashboard_port" in dashboard.model_fields_set,
            dashboard.dashboard_host,
            "TSUJI_DASHBOARD_PORT",
        )
        self._api_url = f"http://{_reachable(api.api_host)}:{api_port}"
        self._dashboard_url = f"http://{_reachable(dashboard.dashboard_host)}:{dashboard_port}"
        ingest_url = f"http://{_reachable(ingest.ingest_host)}:{ingest_port}"
        self._environment |= {
            "TSUJI_INGEST_PORT": str(ingest_port),
            "TSUJI_API_PORT": str(api_port),
            "TSUJI_DASHBOARD_PORT": str(dashboard_port),
            "TSUJI_API_URL": self._api_url,
            **metrics_ports(),
        }
        wiring.publish_addresses(
            self._instance.home,
            {
                "database": self._environment["TSUJI_DATABASE_URL"],
                "broker": self._environment["TSUJI_BROKER_URL"],
                "ingest": ingest_url,
                "api": self._api_url,
                "dashboard": self._dashboard_url,
            },
        )
        children = [
            self._service("ingest", lambda: _answers(f"{ingest_url}/health")),
            self._service("api", lambda: _answers(f"{self._api_url}/v1/figures")),
            self._service("dashboard", lambda: _answers(self._dashboard_url)),
        ]
        if self._settings.simulate:
            children.append(self._service("simulate", TSUJI_HISTORY_DAYS="0"))
        for child in children:
            supervisor.add(child)
        for child in children:
            supervisor.wait_ready(child.name)
            self._say(f"{child.name} is up")

    def _start_past(self, supervisor: Supervisor) -> None:
        """Only now, so that the map is live first."""
        if self._settings.simulate and self._settings.history_days > 0:
            supervisor.add(self._service(_PAST, once=True))

    def _service(
        self,
        name: str,
        ready: Callable[[], bool] = lambda: True,
        *,
        once: bool = False,
        **environment: str,
    ) -> Child:
        return Child(
            name=name,
            command=(sys.executable, "-m", "tsuji", name),
            environment=self._environment | environment,
            ready=ready,
            once=once,
        )

    def _notice(self, notice: str | None) -> None:
        if notice is not None:
            self._report(notice)

    def _show_addresses(self) -> None:
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_row("Dashboard", f"[bold]{self._dashboard_url}[/]")
        table.add_row("Data API", f"{self._api_url}/docs")
        address = BrokerAddress.parse(self._environment["TSUJI_BROKER_URL"])
        table.add_row("MQTT broker", f"{address.host}:{address.port}")
        table.add_row("Logs", str(self._instance.log_folder))
        self._console.print()
        self._console.print(table, soft_wrap=True)
        self._console.print("\nCtrl-C stops everything; the data stays.\n")

    def _watch(self, supervisor: Supervisor) -> None:
        """Show what flows until asked to stop: one line that changes, or in a file one now and then."""
        flow = Flow(self._api_url)
        if not self._console.is_terminal:
            due = 0.0
            while True:
                past = self._past(supervisor)
                if time.monotonic() >= due:
                    due = time.monotonic() + _LINE_EVERY_S
                    self._console.print(flow.line(_failing(supervisor), past), soft_wrap=True)
                if supervisor.stop_requested.wait(_LOOK_EVERY_S):
                    return
        with self._console.status(flow.line([]), spinner="dots") as status:
            while not supervisor.stop_requested.wait(_LOOK_EVERY_S):
                status.update(flow.line(_failing(supervisor), self._past(supervisor)))

    def _past(self, supervisor: Supervisor) -> str:
        """How far history has come, while it comes; its end is said once, in a line that stays."""
        past = next((one for one in supervisor.statuses() if one.name == _PAST), None)
        if past is None or self._past_is_said:
            return ""
        said = simulated_past.told(supervisor.log_lines(_PAST))
        if past.state is not State.STOPPED:
            return said
        self._past_is_said = True
        if said:
            self._say(said)
        return ""


class Flow:
    """What goes through the hub, as one line of text.

    Args:
        api_url: base address of the data API.
    """

    def __init__(self, api_url: str) -> None:
        self._http = httpx.Client(base_url=api_url, timeout=5)
        self._before: tuple[float, int] | None = None

    def line(self, failing: list[str], past: str = "") -> str:
        """The state now.

        Args:
            failing: processes in trouble.
            past: how far history has come.
        """
        clock = time.strftime("%H:%M:%S")
        trouble = f"  [red]in trouble: {', '.join(failing)}[/]" if failing else ""
        try:
            health = self._http.get("/v1/health").json()
            ingest, things = health["ingest"], health["things"]
            if ingest is None:
                return f"{clock}  the database is away{trouble}"
        except (httpx.HTTPError, ValueError, KeyError):
            return f"{clock}  the API does not answer{trouble}"
        now, stored = time.monotonic(), int(ingest["stored"])
        rate = ""
        if self._before is not None and now > self._before[0]:
            rate = f" ({(stored - self._before[1]) / (now - self._before[0]):+,.0f}/s)"
        self._before = now, stored
        return (
            f"{clock}  {stored:,} observations stored{rate}, {ingest['rejected']:,} rejected; "
            f"{things['live']} things live, {things['silent']} silent"
            f"{f'; history: {past}' if past else ''}{trouble}"
        )


def _failing(supervisor: Supervisor) -> list[str]:
    return [status.name for status in supervisor.statuses() if status.state is State.FAILING]


def _reachable(host: str) -> str:
    """An address to call a server under that listens on `host`."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
