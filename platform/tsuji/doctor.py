"""`tsuji doctor`: says what was found, chosen and why, and how a running hub fares."""

import os
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated

import orjson
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tsuji import checkup
from tsuji.mistakes import is_mendable, lines_of
from tsuji.up import check_settings
from tsuji_platform.runtime.doctor import Finding, examine
from tsuji_platform.settings import (
    ApiSettings,
    BrokerSettings,
    DashboardSettings,
    DatabaseSettings,
    IngestSettings,
    RuntimeSettings,
    describe,
)


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the findings as a JSON list.")
    ] = False,
) -> None:
    """Say what was found, chosen and why, and how the hub fares that runs; nothing is changed.

    Exit code 1 where something is wrong.
    """
    findings = [_settings()]
    with suppress(ValidationError):  # is said; without these settings nothing else can be looked at
        findings += examine(
            runtime=RuntimeSettings(),
            database_settings=DatabaseSettings(),
            broker_settings=BrokerSettings(),
            ingest=IngestSettings(),
            api=ApiSettings(),
            dashboard=DashboardSettings(),
        )
        findings += checkup.examine()
    if as_json:
        typer.echo(orjson.dumps([asdict(one) for one in findings], option=orjson.OPT_INDENT_2))
    else:
        _show(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _show(findings: list[Finding]) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for finding in findings:
        mark = "[red]✗[/]"
        if finding.ok:
            mark = "[yellow]![/]" if finding.advice else "[green]✓[/]"
        text = f"{escape(finding.chosen)}\n[dim]{escape(finding.why)}[/]"
        if finding.advice:
            text += f"\n[yellow]{escape(finding.advice)}[/]"
        table.add_row(mark, finding.what, text)
    Console(highlight=False).print(table)


def _settings() -> Finding:
    """Whether `tsuji up` would take the settings."""
    what, chosen = "settings", ", ".join(_set_ones()) or "none is set"
    try:
        check_settings()
    except ValidationError as error:
        said = "\n".join(lines_of(error))
    except Exception as error:
        if not is_mendable(error):
            raise
        said = str(error)
    else:
        return Finding(what=what, chosen=chosen, why="`tsuji --help` lists all")
    return Finding(what=what, chosen=chosen, why="`tsuji up` refuses them", ok=False, advice=said)


def _set_ones() -> list[str]:
    known = {name for name, _, _ in describe()}
    return sorted(name for name in os.environ if name.upper() in known)
