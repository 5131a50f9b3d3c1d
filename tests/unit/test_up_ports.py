"""`tsuji up` refuses a taken port that was asked for before it starts anything."""

import socket
from collections.abc import Iterator

import pytest

from tsuji.up import check_ports
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.settings import (
    ApiSettings,
    BrokerSettings,
    DashboardSettings,
    IngestSettings,
)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that something listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def check() -> None:
    check_ports(IngestSettings(), ApiSettings(), DashboardSettings(), BrokerSettings())


@pytest.mark.parametrize(
    "name",
    [
        "TSUJI_API_PORT",
        "TSUJI_DASHBOARD_PORT",
        "TSUJI_BROKER_PORT",
        "TSUJI_INGEST_PORT",
        "TSUJI_API_METRICS_PORT",
        "TSUJI_DASHBOARD_METRICS_PORT",
    ],
)
def test_a_taken_port_that_was_asked_for_is_refused(
    monkeypatch: pytest.MonkeyPatch, taken: int, name: str
) -> None:
    monkeypatch.setenv(name, str(taken))
    with pytest.raises(SetupError, match=f"{name}={taken}: something else listens there"):
        check()


def test_the_private_brokers_port_does_not_matter_where_there_is_another_broker(
    monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    monkeypatch.setenv("TSUJI_BROKER_PORT", str(taken))
    with pytest.raises(SetupError):
        check()
    monkeypatch.setenv("TSUJI_BROKER_URL", "mqtt://elsewhere:1883")
    check()  # refuses nothing
