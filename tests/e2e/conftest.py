"""A recorder, and the broker's address."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress


@pytest.fixture
def recorder(broker: PrivateServer, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start `tsuji record`; it listens once its file has a beginning and a message has come through."""
    running: list[subprocess.Popen[bytes]] = []

    def start(path: Path, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {"TSUJI_BROKER_URL": broker.url, "TSUJI_HOME": str(tmp_path)}
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "tsuji", "record", str(path), *arguments],
                env=environment,
                stderr=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def address(broker: PrivateServer) -> BrokerAddress:
    return BrokerAddress.parse(broker.url)
