"""Lets an import go so far and no further until a test lets it: on a busy machine it may be done before."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

_GATE = 4711
_TRIGGER = f"""
CREATE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({_GATE});
    RETURN new;
END $$;
CREATE TRIGGER gate BEFORE UPDATE ON import_progress FOR EACH ROW WHEN (%s)
EXECUTE FUNCTION wait_at_the_gate();
"""
_WAITS = f"SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = {_GATE} AND NOT granted"


class Held:
    """Imports that wait before they commit a batch."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    @property
    def waits(self) -> bool:
        """Whether one has come so far."""
        return bool(self._connection.execute(_WAITS).fetchall())

    def let_go(self) -> None:
        """Let them go on from here."""
        self._connection.execute("SELECT pg_advisory_unlock_all()")


@contextmanager
def held(url: str, condition: str) -> Iterator[Held]:
    """Hold imports at their first batch of which this is so, by the row of their progress, old and new."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT pg_advisory_lock({_GATE})")
        connection.execute(_TRIGGER % condition)
        one = Held(connection)
        try:
            yield one
        finally:
            one.let_go()
            connection.execute("DROP TRIGGER gate ON import_progress")
            connection.execute("DROP FUNCTION wait_at_the_gate")


def nobody_else_is_connected(url: str) -> bool:
    """Whether the database has done all that was asked of it, by clients that are gone, too."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND application_name ~ 'import'"
        )
        return not found.fetchall()
