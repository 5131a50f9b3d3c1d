"""Runs the dashboard's web server, which ends its live streams before it waits for all other answers."""

import socket
from typing import Any

import uvicorn
from fastapi import FastAPI

from tsuji_platform import connections


class _Server(uvicorn.Server):
    """Lets all viewers go first: a live stream never ends by itself."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app: Any = self.config.app
        await app.state.relay.close()
        await super().shutdown(sockets)


def run(app: FastAPI, sockets: list[socket.socket], **settings: Any) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        app: the application; its state holds the `relay`.
        sockets: where it listens.
        settings: uvicorn's.
    """
    connections.run(_Server(uvicorn.Config(app, **settings)), sockets)
