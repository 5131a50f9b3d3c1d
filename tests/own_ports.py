"""Ports that one worker has for itself, below those that the system names to whoever asks for a free one.

Of four workers that start servers all the time one may be told of the port that another has been told of
seconds ago, and whose service is on its way to it, or is just being started again.
"""

import itertools
import os
import socket
from contextlib import suppress

_FIRST = 12_000
_EACH = 1_000
_WORKERS = 20
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_numbers = itertools.count(os.getpid())  # beside other runs on this machine


def own_port() -> int:
    """Return a port on which nothing listens now, and which nothing else of these tests will take."""
    while True:
        port = _FIRST + _worker * _EACH + next(_numbers) % _EACH
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
