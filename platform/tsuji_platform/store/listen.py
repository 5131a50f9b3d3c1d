"""Waits for committed changes, so that nobody has to poll the tables."""

from collections.abc import Iterator

from tsuji_platform.store.database import connect
from tsuji_platform.store.errors import translated

_LISTEN = "LISTEN tsuji_change"


def changes(url: str, heartbeat_s: float) -> Iterator[bool]:
    """Yield True after each commit that changed something, and False when `heartbeat_s` passed without.

    Commits that come while the consumer is busy are folded into one. The first item is True, since
    anything may have changed before the listening began.

    Raises:
        DatabaseAwayError: when the connection ends; call again.
    """
    with translated(), connect(url, "tsuji listen") as connection:
        connection.execute(_LISTEN)
        yield True
        while True:
            changed = False
            for _ in connection.notifies(timeout=heartbeat_s, stop_after=1):
                changed = True
            for _ in connection.notifies(timeout=0):
                pass
            yield changed
