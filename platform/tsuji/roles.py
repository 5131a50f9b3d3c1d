"""`tsuji roles`: a login for each service with no more rights in the database than its work needs."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsuji import wiring
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.secret_files import SecretFileError, text_of

if TYPE_CHECKING:
    from tsuji_platform.store.roles import Purpose

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Roles of the database for ingest, API, commands and backup, with the rights that each needs.",
)
_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,40}")
_Prefix = Annotated[
    str,
    typer.Option(help="What their names begin with; `ingest`, `api`, `admin`, `backup` follow."),
]


@app.command()
def apply(
    prefix: _Prefix = "tsuji_",
    password: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE=FILE",
            help="A file that holds the password of `ingest`, `api`, `admin` or `backup`; may be given for "
            "each. Without it, a password stays as it is.",
        ),
    ] = None,
) -> None:
    """Make the roles that are lacking and give each its rights; later migrations keep them up.

    For the owner of the tables, who migrates. All of it or nothing; to do it again changes nothing.
    """
    from tsuji_platform.store.roles import left_behind, names_with, put_roles

    names = names_with(_checked(prefix))
    passwords = dict(_password(one) for one in password or ())
    url = wiring.database_url()
    former = left_behind(url, names)
    for name in put_roles(url, names, passwords):
        typer.echo(f"{name} has the rights that it needs, and no others")
    for name in former:
        typer.echo(
            f"tsuji: {name} keeps its rights: once nobody logs in as it, run DROP OWNED BY {name} in this "
            f"database, and DROP ROLE {name}",
            err=True,
        )


@app.command()
def sql(prefix: _Prefix = "tsuji_") -> None:
    """Print what `apply` would run, for who wants to read it or to run it by hand."""
    from tsuji_platform.store.roles import names_with, script

    for statement in script(wiring.database_url(), names_with(_checked(prefix))):
        typer.echo(statement)


@app.command("list")
def list_() -> None:
    """List the roles and what is wrong with their rights; exit code 1 where anything is."""
    from tsuji_platform.store.roles import lines, roles

    found = roles(wiring.database_url())
    for one in found:
        match len(one.problems):
            case 0:
                said = "rights as needed"
            case 1:
                said = "1 thing is wrong"
            case number:
                said = f"{number} things are wrong"
        login = "" if one.logs_in or not one.name else ", may not log in"
        typer.echo(f"{one.purpose.value:8}  {one.name or 'no role':24}  {said}{login}")
    wrong = lines(found)
    for line in wrong:
        typer.echo(line, err=True)
    if wrong:
        raise typer.Exit(1)


def _checked(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise typer.BadParameter(
            f"--prefix {prefix!r:.60}: take small letters, digits and _, a letter first, such as tsuji_"
        )
    return prefix


def _password(given: str) -> "tuple[Purpose, str]":
    from tsuji_platform.store.roles import Purpose

    purpose, equals, file = given.partition("=")
    if not equals or purpose not in list(Purpose):
        raise typer.BadParameter(
            f"--password {given!r:.80}: give it as ROLE=FILE, with a role of {', '.join(Purpose)}"
        )
    try:
        password = text_of(Path(file)).rstrip("\r\n")
    except SecretFileError as error:
        raise SetupError(f"the password file {file!r} {error}") from None
    if not password or "\0" in password or "\n" in password:
        raise SetupError(f"the password file {file!r} must hold one line, the password")
    return Purpose(purpose), password
