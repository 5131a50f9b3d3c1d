"""The command `tsuji`: parses, calls, and says in one line what went wrong."""

import os
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from tsuji import (
    __version__,
    alerts,
    areas,
    datasets,
    doctor,
    exit_codes,
    exporting,
    importing,
    keeping,
    keys,
    record,
    rejected,
    replay,
    services,
    simulate,
    simulated_past,
    up,
    wiring,
)
from tsuji.mistakes import is_mendable, lines_of
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.settings import describe

_OTHERS_VARIABLES = {"TSUJI_DATABASE_PASSWORD", "TSUJI_WRITE_EXPECTED"}
"""What compose.yaml and the tests read."""


class _Commands(TyperGroup):
    """Adds the settings to the help text, as a table that no terminal width breaks."""

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


app.command()(up.up)
app.command()(doctor.doctor)
app.command()(services.migrate)
app.command()(services.ingest)
app.command()(services.api)
app.command()(services.dashboard)
app.command()(simulate.simulate)
app.command()(simulated_past.simulate_past)
app.command("import")(importing.import_)
app.command()(exporting.export)
app.command()(record.record)
app.add_typer(replay.app, name="replay")
app.add_typer(areas.app, name="areas")
app.add_typer(datasets.app, name="datasets")
app.add_typer(alerts.app, name="alerts")
app.add_typer(rejected.app, name="rejected")
app.add_typer(keeping.app, name="retention")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the command; errors that a person can mend are one line, others show where they arose."""
    try:
        app(prog_name="tsuji")
    except ValidationError as error:
        for line in lines_of(error):
            _fail(line, last=False)
        sys.exit(exit_codes.WRONG_USAGE)
    except (SetupError, wiring.NotRunningError) as error:
        _fail(str(error))
    except Exception as error:
        if not is_mendable(error):
            raise
        _fail(str(error))


def _fail(text: str, *, last: bool = True) -> None:
    typer.echo(f"tsuji: {text}", err=True)
    if last:
        sys.exit(exit_codes.FAILED)
