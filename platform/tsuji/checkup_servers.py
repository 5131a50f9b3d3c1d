"""What `tsuji doctor` looks at beside the database: broker, certificates, services, and room on disks."""

import os
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tsuji import wiring
from tsuji_platform.runtime.doctor import Finding
from tsuji_platform.settings import BrokerAddress, DashboardSettings

_CLOCKS_DIFFER_S = 3.0
"""A server's `Date` has whole seconds."""
_CERTIFICATE_SOON = timedelta(days=21)
_ROOM_BYTES, _ROOM_SHARE = 2_000_000_000, 0.1
_KEPT_MANY = 100_000
_STRANGER = "not as a data API does"


def examine() -> Iterator[Finding]:
    """Look at the broker, the data API, the dashboard, and the room on this machine's disks."""
    yield from _broker()
    yield from _services()
    yield from _room()


def _broker() -> Iterator[Finding]:
    from tsuji_ingest.broker_look import BrokerLookError, look
    from tsuji_platform.settings_broker import BrokerTlsError

    what = "broker answers"
    try:
        address = wiring.broker_address()
    except wiring.NotRunningError:
        return
    try:
        said = look(address)
    except (BrokerLookError, BrokerTlsError) as error:
        yield Finding(
            what=what,
            chosen="no",
            why=str(error),
            ok=False,
            advice="start it, or mend TSUJI_BROKER_URL, user and certificates (docs/broker.md)",
        )
        return
    yield Finding(what=what, chosen=said.version or "yes, and says no version", why=f"at {address}")
    if said.kept is None:
        yield Finding(
            what="broker's queue",
            chosen="it does not say",
            why="Mosquitto tells those who may read $SYS/broker/#",
        )
    else:
        full = said.kept > _KEPT_MANY or bool(said.dropped)
        yield Finding(
            what="broker's queue",
            chosen=f"{said.kept:,} messages kept, {said.dropped or 0:,} dropped since its start",
            why=f"for {said.away or 0} clients that are away, and what is retained",
            advice="what is dropped is lost: start the ingest that is away, or have it leave; raise "
            "max_queued_bytes"
            if full
            else "",
        )
    if address.tls is not None:
        yield from certificate(
            "broker's certificate", address.host, address.port, _context(address)
        )


def _context(address: BrokerAddress) -> Callable[[], ssl.SSLContext]:
    return lambda: address.tls.context() if address.tls else ssl.create_default_context()


def certificate(
    what: str, host: str, port: int, context: Callable[[], ssl.SSLContext]
) -> Iterator[Finding]:
    """Until when a server's certificate is good.

    Args:
        what: its name in the list.
        host: of the server.
        port: of the server.
        context: makes what the connection is secured with.
    """
    try:
        with (
            socket.create_connection((host, port), timeout=5) as plain,
            context().wrap_socket(plain, server_hostname=host) as secured,
        ):
            shown: Any = secured.getpeercert() or {}
    except (OSError, ValueError) as error:
        yield Finding(
            what=what,
            chosen="can't be used",
            why=str(error),
            ok=False,
            advice="renew it (docs/broker.md)",
        )
        return
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
    left = ends - datetime.now(UTC)
    soon = left < _CERTIFICATE_SOON
    yield Finding(
        what=what,
        chosen=f"good until {ends:%Y-%m-%d}, {left.days} days",
        why=f"of {host}:{port}",
        advice="renew it before then (docs/broker.md)" if soon else "",
    )


def _services() -> Iterator[Finding]:
    for what, setting, url in (
        ("data API answers", "TSUJI_API_URL", _address("api", "TSUJI_API_URL")),
        ("dashboard answers", "TSUJI_DASHBOARD_PORT", _address("dashboard", "")),
    ):
        if url is None:
            continue
        path = "/v1/health" if what.startswith("data") else "/"
        asked = datetime.now(UTC)
        try:
            answer = httpx.get(f"{url.rstrip('/')}{path}", timeout=15, trust_env=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            yield Finding(
                what=what,
                chosen="no",
                why=f"{url}: {error or type(error).__name__}",
                ok=False,
                advice=f"start it, or mend {setting}; its log says what is in its way",
            )
            continue
        status = f"{answer.status_code}"
        if path == "/v1/health" and answer.status_code in (200, 503):
            status = _status(answer)
        ok = status in ("ok", "200")
        yield Finding(
            what=what,
            chosen=status,
            why=f"at {url}{apart(answer.headers.get('date'), asked, datetime.now(UTC))}",
            ok=answer.status_code < 400 and status != _STRANGER,
            advice=""
            if ok
            else f"something else answers there: mend {setting}"
            if status == _STRANGER
            else "`/v1/health` says what is amiss",
        )
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname:
            yield from certificate(
                f"certificate of {parts.hostname}",
                parts.hostname,
                parts.port or 443,
                ssl.create_default_context,
            )


def _status(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["status"])
    except (ValueError, KeyError, TypeError):  # a proxy's page, or another service
        return _STRANGER


def _address(name: str, setting: str) -> str | None:
    if name == "api" and (url := DashboardSettings().api_url):
        return url
    try:
        return wiring.running_address(name, setting)
    except wiring.NotRunningError:
        return None


def apart(date: str | None, asked: datetime, answered: datetime) -> str:
    """How far a server's clock is from ours, where that is worth a word.

    With its database away it may take long to answer, and it says when it began or when it ended: what lies
    in between is no difference.

    Args:
        date: the header `Date` of its answer, None where there was none.
        asked: when we asked.
        answered: when it had answered.
    """
    if date is None:
        return ""
    try:
        theirs = parsedate_to_datetime(date)
        apart_s = (theirs - min(max(theirs, asked), answered)).total_seconds()
    except (ValueError, TypeError):
        return "; it says no time that can be read"
    return f"; its clock is {apart_s:+.0f} s from ours" if abs(apart_s) > _CLOCKS_DIFFER_S else ""


def _room() -> Iterator[Finding]:
    """Of the disks that hold data; those of another machine can't be looked at from here."""
    home = wiring.instance().home
    seen: set[int] = set()
    for folder in (home, Path(os.environ.get("TMPDIR", "/tmp"))):  # noqa: S108 - looked at only
        if not folder.exists() or folder.stat().st_dev in seen:
            continue
        seen.add(folder.stat().st_dev)
        usage = shutil.disk_usage(folder)
        ok = usage.free >= _ROOM_BYTES
        narrow = usage.free < _ROOM_SHARE * usage.total
        yield Finding(
            what=f"room on the disk of {folder}",
            chosen=f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.0f} GB free",
            why="on a full disk nothing is stored; the broker keeps what comes as long as it can",
            ok=ok,
            advice=""
            if ok and not narrow
            else "make room, or keep less (TSUJI_RAW_DAYS, docs/history.md)",
        )
