"""`tsuji doctor`: says what was found, chosen and why."""

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tsuji_platform.settings import (
    ApiSettings,
    BrokerSettings,
    DashboardSettings,
    DatabaseSettings,
    RuntimeSettings,
)


def doctor() -> None:
    """Say what was found, chosen and why; nothing is changed. Exit code 1 where something is wrong."""
    from tsuji_platform.runtime.doctor import examine

    findings = examine(
        runtime=RuntimeSettings(),
        database_settings=DatabaseSettings(),
        broker_settings=BrokerSettings(),
        api=ApiSettings(),
        dashboard=DashboardSettings(),
    )
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for finding in findings:
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        text = f"{escape(finding.chosen)}\n[dim]{escape(finding.why)}[/]"
        if finding.advice:
            text += f"\n[yellow]{escape(finding.advice)}[/]"
        table.add_row(mark, finding.what, text)
    Console(highlight=False).print(table)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
