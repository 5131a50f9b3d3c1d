"""Drops a database that somebody may still be busy with: PostgreSQL itself waits for five seconds only."""

import time

import psycopg

_PATIENCE_S = 120


def drop(connection: psycopg.Connection, name: str) -> None:
    """End all connections to it, and drop it.

    Args:
        connection: to another database of the server, which commits by itself.
        name: of the database.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        except psycopg.errors.ObjectInUse:
            if time.monotonic() > deadline:
                raise
        else:
            return
