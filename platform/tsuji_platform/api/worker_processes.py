"""The processes that serve the data API together: each is replaced when it ends, none outlives the first."""

import os
import signal
import threading
from multiprocessing import connection, parent_process

from uvicorn.supervisors import Multiprocess

from tsuji_platform.connections import alone

STUCK_S = 60
"""A worker that gives no sign of life for so long is replaced. A busy machine is no reason: who is replaced
takes along what it was answering, and the new one has to begin anew on the same machine."""


class Workers(Multiprocess):
    """Uvicorn's supervisor, which also sees that a worker has ended while it waits for its sign of life.

    It would wait for `STUCK_S` then, replace nobody meanwhile and listen to no signal, since its own copy
    of the worker's end keeps their pipe open.
    """

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        with alone(self.sockets):
            super().run()

    def init_processes(self) -> None:
        """Listen, then start the workers: each that found the address taken would be started again."""
        for one in self.sockets:
            one.listen(self.config.backlog)
        super().init_processes()

    def keep_subprocess_alive(self) -> None:
        """Replace those that have ended or give no sign of life."""
        for one in self.processes:
            one.child_conn.close()
        super().keep_subprocess_alive()


def end_with_parent() -> None:
    """Let a worker end when who started it was killed: nobody would know that it holds the port."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
