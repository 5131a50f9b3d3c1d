"""Roles of the database, each with no more rights than its work needs: granted, kept up, and checked.

Whoever migrates owns the tables. `rights.toml` says what the others may do, table by table. They are granted
by name, so that a database on a shared server can have its own; the names are kept in the database, so that
each migration grants what it has made. What is granted by hand beside it is taken back by the next migration.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from psycopg import sql

from tsuji_platform.store import queries
from tsuji_platform.store.database import Connection, connect
from tsuji_platform.store.errors import SchemaError, StoreError, translated

_SQL = queries.load("roles")
_KNOWN = ("SELECT", "INSERT", "UPDATE", "DELETE")


class Purpose(StrEnum):
    """What a role is for."""

    INGEST = "ingest"
    """`tsuji ingest`: stores, sums up, forgets what is old, evaluates alerts."""
    API = "api"
    """`tsuji api`: reads; writes only how often each caller has asked."""
    ADMIN = "admin"
    """Commands that change something: areas, datasets, import, keys, rejected, retention."""
    BACKUP = "backup"
    """`tsuji backup`: reads all."""


_BY_DEFAULT: Mapping[Purpose, str] = {
    Purpose.INGEST: "",
    Purpose.API: "",
    Purpose.ADMIN: "SELECT, INSERT, UPDATE, DELETE",
    Purpose.BACKUP: "SELECT",
}
_DATABASE: Mapping[Purpose, str] = {
    Purpose.INGEST: "CONNECT, TEMPORARY",
    Purpose.API: "CONNECT",
    Purpose.ADMIN: "CONNECT, TEMPORARY",
    Purpose.BACKUP: "CONNECT",
}
_SEQUENCES: Mapping[Purpose, str] = {
    Purpose.INGEST: "USAGE",
    Purpose.ADMIN: "USAGE",
    Purpose.BACKUP: "SELECT",
}
_DROPS_HISTORY = (Purpose.INGEST, Purpose.ADMIN)
_NOTED = "database_role"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role and how it is.

    Attributes:
        purpose: what it is for.
        name: what it is called; empty where none has been named.
        logs_in: whether it may log in at all.
        problems: what is not as it should be, each with what to do; empty where all is well.
    """

    purpose: Purpose
    name: str
    logs_in: bool
    problems: tuple[str, ...]


@cache
def rights() -> Mapping[str, Mapping[Purpose, str]]:
    """What each role may do with each table, as `GRANT` has it; empty for nothing."""
    text = (files(__package__) / "rights.toml").read_text(encoding="utf-8")
    return {
        table: {one: given.get(one.value, _BY_DEFAULT[one]) for one in Purpose}
        for table, given in tomllib.loads(text).items()
    }


def names_with(prefix: str) -> dict[Purpose, str]:
    """The names that begin alike."""
    return {one: f"{prefix}{one.value}" for one in Purpose}


def put_roles(
    url: str, names: Mapping[Purpose, str], passwords: Mapping[Purpose, str] | None = None
) -> list[str]:
    """Make what roles there are not, grant all what they need and take from them what they don't.

    All of it or nothing; to do it again changes nothing.

    Args:
        url: PostgreSQL address of the owner of the tables, who may make roles where some are to be made.
        names: of the roles.
        passwords: new ones; the others stay as they are.

    Returns:
        The names that were granted rights.

    Raises:
        SchemaError: the database has not been migrated.
        StoreError: we may not, or a role is no good for it.
    """
    with connect(url, "tsuji roles") as connection, translated(), connection.transaction():
        connection.execute(_SQL["create_database_role"])
        for statement in _set_up(connection, names):
            connection.execute(statement)
        _check(connection, names)
        for purpose, password in (passwords or {}).items():
            connection.execute(_password(connection, names[purpose], password))
        for statement in _all_grants(connection, names):
            connection.execute(statement)
    return list(names.values())


def left_behind(url: str, names: Mapping[Purpose, str]) -> list[str]:
    """Roles that are named no more once these are: they keep what they may until they are dropped."""
    with connect(url, "tsuji roles") as connection, translated():
        (found,) = connection.execute(_SQL["database_roles_there"]).fetchall()
        rows = connection.execute(_SQL["database_roles"]).fetchall() if found["there"] else []
        return sorted({row["role_name"] for row in rows} - set(names.values()))


def script(url: str, names: Mapping[Purpose, str]) -> Iterator[str]:
    """What `put_roles` would run, for people; only the check of the roles is not in it."""
    with connect(url, "tsuji roles") as connection, translated():
        yield "BEGIN;"
        yield f"{_SQL['create_database_role']};"
        for statement in (*_set_up(connection, names), *_all_grants(connection, names)):
            yield f"{statement.as_string(connection)};"
        yield "COMMIT;"


def grant_again(connection: Connection) -> None:
    """Grant what a migration has made to the roles of this database, where it has any.

    Args:
        connection: within the transaction of the migration.
    """
    (found,) = connection.execute(_SQL["database_roles_there"]).fetchall()
    if not found["there"]:
        return
    rows = connection.execute(_SQL["database_roles"]).fetchall()
    names = {Purpose(row["purpose"]): row["role_name"] for row in rows}
    present = {
        purpose: name
        for purpose, name in names.items()
        if connection.execute(_SQL["role"], {"owner": _place(connection)["owner"], "name": name})
        .fetchall()
    }  # fmt: skip
    for statement in _all_grants(connection, present):
        connection.execute(statement)


def roles(url: str) -> list[Role]:
    """The roles of this database, and whether their rights are as they should be."""
    with connect(url, "tsuji roles") as connection, translated():
        (found,) = connection.execute(_SQL["database_roles_there"]).fetchall()
        rows = connection.execute(_SQL["database_roles"]).fetchall() if found["there"] else []
        names = {row["purpose"]: row["role_name"] for row in rows}
        return [_looked_at(connection, one, names.get(one.value, "")) for one in Purpose]


def _place(connection: Connection) -> dict[str, object]:
    try:
        (place,) = connection.execute(_SQL["place"]).fetchall()
    except Exception as error:
        if getattr(error, "sqlstate", None) == "42P01":  # no table of that name
            raise SchemaError("the database has no tables yet: run `tsuji migrate` first") from None
        raise
    return place


def _set_up(connection: Connection, names: Mapping[Purpose, str]) -> Iterator[sql.Composed]:
    place = _place(connection)
    if not place["is_owner"]:
        raise StoreError(
            f"{place['me']} does not own the tables, {place['owner']} does: give TSUJI_DATABASE_URL the "
            "role that migrates"
        )
    for purpose, name in names.items():
        yield sql.SQL(_SQL["create_role"]).format(name=sql.Literal(name), role=sql.Identifier(name))
        yield sql.SQL(_SQL["note_role"]).format(
            purpose=sql.Literal(purpose.value), name=sql.Literal(name)
        )


def _password(connection: Connection, name: str, password: str) -> sql.Composed:
    verifier = connection.pgconn.encrypt_password(
        password.encode(), name.encode(), b"scram-sha-256"
    )
    return sql.SQL(_SQL["set_password"]).format(
        role=sql.Identifier(name), verifier=sql.Literal(verifier.decode())
    )


def _check(connection: Connection, names: Mapping[Purpose, str]) -> None:
    """Refuse roles whose rights can't be made less."""
    owner = _place(connection)["owner"]
    for name in names.values():
        for row in connection.execute(_SQL["role"], {"owner": owner, "name": name}):
            if row["is_mighty"] or row["is_owner"]:
                raise StoreError(
                    f"the role {name!r} may do more than rights on tables can limit (it owns them, or is "
                    "a superuser or the like): choose another name with --prefix"
                )


def _all_grants(connection: Connection, names: Mapping[Purpose, str]) -> Iterator[sql.Composed]:
    place = _place(connection)
    schema, database = sql.Identifier(str(place["schema"])), sql.Identifier(str(place["database"]))
    path = [str(place["schema"]), str(place["extension_schema"] or place["schema"])]
    if place["is_database_owner"]:
        yield sql.SQL(_SQL["close_database"]).format(database=database, schema=schema)
        for purpose, name in names.items():
            yield sql.SQL(_SQL["open_database"]).format(
                privileges=_words(_DATABASE[purpose]),
                database=database,
                schema=schema,
                role=sql.Identifier(name),
            )
    yield sql.SQL(_SQL["make_drop_chunks"]).format(
        path=sql.SQL(", ").join(map(sql.Identifier, dict.fromkeys(path)))
    )
    # the one that notes the roles may only be made by what is printed here
    relations = sorted({row["name"] for row in connection.execute(_SQL["relations"])} | {_NOTED})
    for purpose, name in names.items():
        role = sql.Identifier(name)
        yield sql.SQL(_SQL["revoke_others"]).format(schema=schema, role=role)
        for table in relations:
            yield sql.SQL(_SQL["revoke"]).format(table=sql.Identifier(table), role=role)
            given = rights().get(table, _BY_DEFAULT)[purpose]
            if given:
                yield sql.SQL(_SQL["grant"]).format(
                    privileges=_words(given), table=sql.Identifier(table), role=role
                )
        if purpose in _SEQUENCES:
            yield sql.SQL(_SQL["grant_sequences"]).format(
                privileges=_words(_SEQUENCES[purpose]), schema=schema, role=role
            )
        if purpose in _DROPS_HISTORY:
            yield sql.SQL(_SQL["open_drop_chunks"]).format(role=role)


def _words(text: str) -> sql.SQL:
    """Privileges as SQL has them: from this file and `rights.toml`, which ship with the package."""
    return sql.SQL(text)


def _looked_at(connection: Connection, purpose: Purpose, name: str) -> Role:
    if not name:
        told = ("there is none; `tsuji roles apply` makes it",)
        return Role(purpose=purpose, name="", logs_in=False, problems=told)
    owner = _place(connection)["owner"]
    found = connection.execute(_SQL["role"], {"owner": owner, "name": name}).fetchall()
    if not found:
        told = (f"{name} is gone; `tsuji roles apply` makes it anew",)
        return Role(purpose=purpose, name=name, logs_in=False, problems=told)
    (row,) = found
    problems = []
    if row["is_mighty"] or row["is_owner"]:
        problems.append("it may do all that the owner or a superuser may: take that away")
    if row["creates"]:
        problems.append("it may create things in the database or its schema: take CREATE away")
    for has, wants, what in (
        (row["reads_sequences"], purpose in _SEQUENCES, "sequences"),
        (row["drops_history"], purpose in _DROPS_HISTORY, "the function tsuji_drop_chunks"),
    ):
        if has != wants:
            said = "should not have a" if has else "lacks its"
            problems.append(f"it {said} right to {what}: `tsuji roles apply`")
    held = {
        one["name"]: set(one["privileges"])
        for one in connection.execute(_SQL["held"], {"role": name})
    }
    for table in [one["name"] for one in connection.execute(_SQL["relations"])]:
        wanted = _kinds(rights().get(table, _BY_DEFAULT)[purpose])
        has = held.get(table, set())
        for word, some in (("lacks", wanted - has), ("should not have", has - wanted)):
            if some:
                problems.append(
                    f"it {word} {', '.join(sorted(some))} on {table}: `tsuji roles apply`"
                )
    return Role(purpose=purpose, name=name, logs_in=row["logs_in"], problems=tuple(problems))


def _kinds(given: str) -> set[str]:
    """The kinds of privileges, whether of a table or of some columns."""
    return {word for word in _KNOWN if word in given}


def lines(looked_at: Iterable[Role]) -> list[str]:
    """What is wrong with any of them, a line each."""
    return [f"{one.purpose.value}: {text}" for one in looked_at for text in one.problems]
