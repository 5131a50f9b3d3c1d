"""The command `tsuji`: parses, calls, and says in one line what went wrong."""

import os
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NoReturn

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from tsuji import __version__, exit_codes, wiring
from tsuji.commands import Commands
from tsuji.mistakes import is_mendable, is_of_settings, lines_of, text_of
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.settings import describe

_OTHERS_VARIABLES = {"TSUJI_WRITE_EXPECTED"}
"""What the tests read."""


class _Commands(TyperGroup):
    """Loads commands when they are asked for, and adds the settings to the help text.

    These stand in a table that no terminal width breaks.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands()

    def invoke(self, ctx: Any) -> Any:
        """Run a command; a value that an option can't take is quoted, with what it must be."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if isinstance(error.__cause__, ValidationError):
                error.message = text_of(error.__cause__)
            raise

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's own names
        """Write the settings behind the commands."""
        with formatter.section("Settings, from the environment"):
            formatter.write_dl(
                [
                    (name, f"{meaning} [{default}]" if default else meaning)
                    for name, default, meaning in describe()
                ]
            )


app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="A city sensor hub: MQTT in, a database, an API and a live map by area.",
    cls=_Commands,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tsuji {__version__}")
        raise typer.Exit


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """One line on the variables that look like settings and are none; a mistyped one is silent."""
    known = [name for name, _, _ in describe()]
    strange = sorted(
        name
        for name in environment
        if name.upper().startswith("TSUJI_") and name.upper() not in {*known, *_OTHERS_VARIABLES}
    )
    if not strange:
        return []
    guesses = [(name, get_close_matches(name.upper(), known, n=1)) for name in strange]
    named = ", ".join(
        f"{name} (did you mean {guess[0]}?)" if guess else name for name, guess in guesses
    )
    return [f"tsuji: not a setting, and not used: {named}"]


@app.callback()
def _root(
    version: bool = typer.Option(  # noqa: ARG001 - answered by its own callback
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    for line in unknown_variables(os.environ):
        typer.echo(line, err=True)


def main() -> None:
    """Run the command; errors that a person can mend are one line, others show where they arose."""
    try:
        app(prog_name="tsuji")
    except ValidationError as error:
        for line in lines_of(error):
            _say(line)
        sys.exit(exit_codes.WRONG_USAGE)
    except (SetupError, wiring.NotRunningError) as error:
        _fail(str(error))
    except Exception as error:
        if not is_mendable(error):
            raise
        _fail(str(error), exit_codes.WRONG_USAGE if is_of_settings(error) else exit_codes.FAILED)


def _fail(text: str, code: int = exit_codes.FAILED) -> NoReturn:
    _say(text)
    sys.exit(code)


def _say(text: str) -> None:
    typer.echo(f"tsuji: {text}", err=True)
