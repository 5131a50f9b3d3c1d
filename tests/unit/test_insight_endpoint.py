"""The small server beside a service: what it answers, and that a taken port does not stop the service."""

import logging
import socket
from contextlib import suppress

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from own_ports import own_port
from tsuji_platform.insight.endpoint import Endpoint, beside
from tsuji_platform.listening import ListenError, take

_SETTINGS = ("TSUJI_METRICS_HOST", "TSUJI_API_METRICS_PORT")


@pytest.fixture
def figures() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("tsuji_things_done", "Done.", registry=registry).inc(3)
    return registry


def test_it_answers_with_figures_and_pages_and_names_them(figures: CollectorRegistry) -> None:
    pages = {"/health": ("JSON", lambda: {"status": "ok"})}
    with Endpoint("127.0.0.1", 0, figures, _SETTINGS, pages) as endpoint:
        at = f"http://127.0.0.1:{endpoint.port}"
        assert "tsuji_things_done_total 3.0" in httpx.get(f"{at}/metrics", timeout=90).text
        assert httpx.get(f"{at}/health", timeout=90).json() == {"status": "ok"}
        lost = httpx.get(f"{at}/nowhere", timeout=90)
        assert lost.status_code == 404
        assert lost.json()["detail"] == "there are /metrics (Prometheus) and /health (JSON)"


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", {"127.0.0.1"}),
        ("0.0.0.0", {"127.0.0.1"}),
        ("::1", {"[::1]"} if _has_ipv6() else set()),
        ("::", {"127.0.0.1", "[::1]"} if _has_ipv6() else {"127.0.0.1"}),
        ("", {"127.0.0.1", "[::1]"} if _has_ipv6() else {"127.0.0.1"}),
    ],
)
def test_it_listens_where_its_host_says_of_either_family(
    host: str, reached: set[str], figures: CollectorRegistry
) -> None:
    found = set()
    with suppress(ListenError), Endpoint(host, 0, figures, _SETTINGS) as endpoint:
        for address in ("127.0.0.1", "[::1]"):
            with suppress(httpx.ConnectError):
                where = f"http://{address}:{endpoint.port}/metrics"
                httpx.get(where, timeout=90).raise_for_status()
                found.add(address)
    assert found == reached
    for address in found:
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://{address}:{endpoint.port}/metrics")


def test_a_taken_port_is_named_and_the_service_goes_on_without(
    figures: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"127.0.0.1:{port} .*TSUJI_API_METRICS_PORT"):
            Endpoint("127.0.0.1", port, figures, _SETTINGS)
        with caplog.at_level(logging.ERROR), beside("127.0.0.1", port, figures, _SETTINGS):
            went_on = True
    assert went_on
    assert "TSUJI_API_METRICS_PORT" in caplog.text


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", {"127.0.0.1"}),
        ("::", {"127.0.0.1", "::1"} if _has_ipv6() else {"127.0.0.1"}),
    ],
)
def test_web_servers_take_every_address_of_their_host(host: str, reached: set[str]) -> None:
    port, found = own_port(), set()
    taken = take(host, port, _SETTINGS)
    try:
        for one in taken:
            one.listen()
        for address in ("127.0.0.1", "::1"):
            with suppress(OSError), socket.create_connection((address, port)):
                found.add(address)
    finally:
        for one in taken:
            one.close()
    assert found == reached


def test_an_address_that_is_taken_or_nobodys_is_told_with_its_settings() -> None:
    port = own_port()
    with socket.create_server(("127.0.0.1", port)):
        for host in ("127.0.0.1", "localhost", "0.0.0.0", "::"):
            shown = r"\[::\]" if host == "::" else host
            with pytest.raises(ListenError, match=f"{shown}:{port} .*TSUJI_API_METRICS_PORT"):
                take(host, port, _SETTINGS)
    for one in take("127.0.0.1", port, _SETTINGS):
        one.close()
    socket.create_server(("127.0.0.1", port)).close()
    with pytest.raises(ListenError, match="TSUJI_METRICS_HOST"):
        take("192.0.2.1", port, _SETTINGS)
    with pytest.raises(ListenError, match="no-such-host"):
        take("no-such-host.invalid", port, _SETTINGS)


@pytest.mark.parametrize("host", ["a..example", "x" * 64])
def test_what_can_be_no_name_is_told_as_one_that_nobody_has(
    host: str, figures: CollectorRegistry
) -> None:
    with pytest.raises(ListenError, match=f"{host}:0 .*no name of a machine.*TSUJI_METRICS_HOST"):
        take(host, 0, _SETTINGS)
    with pytest.raises(ListenError, match=f"{host}:0 .*no name of a machine.*TSUJI_METRICS_HOST"):
        Endpoint(host, 0, figures, _SETTINGS)
