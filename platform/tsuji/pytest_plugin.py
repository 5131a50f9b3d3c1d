"""pytest's fixtures for services that are built on a hub; docs/feeds.md shows their use.

Everything heavy is imported when a fixture is used: pytest loads this wherever Tsuji is installed.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tsuji.testing import TestHub

_MARK = "tsuji_replay"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}(*files, speed=None, to_now=False, topics=(), things=()): recorded messages that are in "
        "tsuji_hub when the test begins; paths are relative to the test's own file",
    )


@pytest.fixture
def tsuji_broker() -> Iterator[str]:
    """Address of a Mosquitto of the test's own, `mqtt://127.0.0.1:port`."""
    from tsuji_platform.runtime.private import private_broker

    with private_broker() as server:
        yield server.url


@pytest.fixture
def tsuji_hub(request: pytest.FixtureRequest) -> "Iterator[TestHub]":
    """A hub of the test's own, with what `tsuji_replay` names in it."""
    from tsuji.testing import running_hub

    with running_hub() as hub:
        for mark in request.node.iter_markers(_MARK):
            hub.replay(*(request.path.parent / one for one in mark.args), **mark.kwargs)
        yield hub
