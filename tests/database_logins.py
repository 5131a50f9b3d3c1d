"""Logins of a test's server by password, for the roles that `tsuji roles` makes."""

from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from tsuji_platform.store.roles import Purpose, names_with, put_roles

PASSWORD = "hunter2-of-a-test"
_ALLOWED = "local all all scram-sha-256\n"


def with_roles(url: str, prefix: str = "tsuji_") -> dict[Purpose, str]:
    """Make the roles of a database and let them log in with a password; returns their addresses."""
    names = names_with(prefix)
    put_roles(url, names, dict.fromkeys(names, PASSWORD))
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SHOW hba_file").fetchone()
        assert row is not None
        file = Path(row[0])
        if _ALLOWED not in file.read_text():
            with file.open("a") as opened:
                opened.write(_ALLOWED)
            connection.execute("SELECT pg_reload_conf()")
    return {
        purpose: make_conninfo(url, user=name, password=PASSWORD) for purpose, name in names.items()
    }
