"""`tsuji healthy`: whether a service on this machine answers; containers ask it, which have no curl."""

import http.client
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import urlsplit

import typer

from tsuji import exit_codes, wiring
from tsuji_platform.settings import ApiSettings, DashboardSettings, IngestSettings

_FIRST_PROCESS = Path("/proc/1/cmdline")
_HERE = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1", "": "127.0.0.1"}  # noqa: S104 - what others listen on
_LONGEST = 1_000_000


class Service(StrEnum):
    """Those that answer over HTTP."""

    INGEST = "ingest"
    API = "api"
    DASHBOARD = "dashboard"


def healthy(
    service: Annotated[
        Service | None,
        typer.Argument(help="Which; left out: the one that is process 1, as in a container."),
    ] = None,
    ready: Annotated[
        bool,
        typer.Option(
            "--ready",
            help="Also whether it can work now: its database, broker or data API is there.",
        ),
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=600, help="How long to wait for its answer.")
    ] = 5,
) -> None:
    """Ask a service of this machine how it is; exit code 1 where it does not answer well.

    It is asked at the port that is set, otherwise where the hub of this folder has it, otherwise at its usual
    one. Without --ready only what a restart would mend counts: while the database is away, API and ingest
    are healthy and not ready.
    """
    service = service or service_of(_FIRST_PROCESS.read_bytes())
    if service is None:
        typer.echo("process 1 is no service that answers over HTTP: nothing to ask")
        return
    host, port = _address(service)
    try:
        status, body = _ask(host, port, _path(service, ready), seconds)
    except (OSError, http.client.HTTPException) as error:
        _say_no(f"{service} does not answer on {host}:{port}: {error or type(error).__name__}")
    if status != http.HTTPStatus.OK or (ready and _told(body).get("status") == "waiting"):
        state = "ready" if ready else "well"
        _say_no(
            f"{service} on {host}:{port} is not {state}: {_why(body) or f'it answers {status}'}"
        )
    typer.echo(f"{service} on {host}:{port} is {'ready' if ready else 'healthy'}")


def service_of(command_line: bytes) -> Service | None:
    """The service that a process runs.

    Args:
        command_line: its arguments as /proc has them, each ended by a NUL.
    """
    words = command_line.decode(errors="replace").split("\0")
    return next((one for one in Service if one.value in words), None)


def _address(service: Service) -> tuple[str, int]:
    """Where a service listens: at the port that is set, otherwise where the hub of this folder has it."""
    settings: IngestSettings | ApiSettings | DashboardSettings
    match service:
        case Service.INGEST:
            settings = ingest = IngestSettings()
            host, port = ingest.ingest_host, ingest.ingest_port
        case Service.API:
            settings = api = ApiSettings()
            host, port = api.api_host, api.api_port
        case Service.DASHBOARD:
            settings = dashboard = DashboardSettings()
            host, port = dashboard.dashboard_host, dashboard.dashboard_port
    name = f"{service}_port"
    if name not in settings.model_fields_set and (found := _running(service)):
        return found
    if port is None:
        raise typer.BadParameter(
            "ingest says how it is only where TSUJI_INGEST_PORT is set, such as 8100"
        )
    return _HERE.get(host, host), port


def _running(service: Service) -> tuple[str, int] | None:
    """Where `tsuji up` has it, which takes another port where the usual one is taken."""
    try:
        parts = urlsplit(wiring.running_address(service, f"TSUJI_{service.upper()}_PORT"))
    except wiring.NotRunningError:
        return None
    if wiring.was_cut_off():
        _say_no(
            f"the hub whose data is in {wiring.instance().home} {wiring.CUT_OFF}: start it again with "
            "`tsuji up`"
        )
    return None if parts.hostname is None or parts.port is None else (parts.hostname, parts.port)


def _path(service: Service, ready: bool) -> str:
    match service:
        case Service.INGEST:
            return "/health"
        case Service.API:
            return "/v1/health" if ready else "/v1/observed-properties"
        case Service.DASHBOARD:
            return "/hub/health" if ready else "/assets/favicon.svg"


def _ask(host: str, port: int, path: str, seconds: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(_LONGEST)
    finally:
        connection.close()


def _told(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _why(body: bytes) -> str:
    """What a service says that it lacks, or whatever else it says is wrong."""
    told = _told(body)
    parts = {name: one for name, one in told.items() if isinstance(one, dict)}
    away = [
        f"its {name}"
        for name, one in parts.items()
        if one.get("ok") is False or one.get("connected") is False
    ]
    return f"{' and '.join(away)} can't be reached" if away else str(told.get("detail") or "")


def _say_no(text: str) -> NoReturn:
    typer.echo(f"tsuji: {text}", err=True)
    raise typer.Exit(exit_codes.FAILED)
