"""Kills a private database for good: its backends live on until they notice, and may answer once more."""

import psutil

from tsuji_platform.runtime.private import PrivateServer


def kill_with_backends(server: PrivateServer) -> None:
    """End a database as kill -9 does, and wait until none of its processes is left."""
    family = psutil.Process(server.pid).children(recursive=True)
    server.kill()
    alive = psutil.wait_procs(family, timeout=120)[1]
    assert alive == [], "backends that do not notice the end of their server"
