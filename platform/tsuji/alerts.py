"""`tsuji alerts`: check a file of rules, list alerts and the rules in force."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from tsuji import wiring
from tsuji.alert_places import looked_up
from tsuji.terminal import printable

if TYPE_CHECKING:
    from tsuji_platform.analytics.alert_rules import Rule

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Alerts: check a file of rules, list alerts and the rules in force.",
)


@app.command()
def check(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="TOML file of rules, or `demonstration`.")
    ],
) -> None:
    """Read a file of rules and say what each would do, or every mistake; exit code 1 for any.

    Where the hub's database can be reached, the area sets, areas and things that they name are looked up.
    """
    from tsuji_platform.analytics.alert_rules import RulesError, load

    rules = load(file).rule
    for rule in rules:
        typer.echo(f"{rule.id}: {said(rule)}")
    found = looked_up(rules, file)
    for line in found.notes:
        typer.echo(line, err=True)
    if found.mistakes:
        raise RulesError("\n".join(found.mistakes))
    if found.unasked:
        typer.echo(
            "whether there are the area sets and things that they name was not checked: "
            + found.unasked,
            err=True,
        )
    typer.echo(f"{len(rules)} rules, all good")


@app.command("list")
def list_(
    on: Annotated[bool, typer.Option("--on", help="Only those that are on.")] = False,
    rule: Annotated[str | None, typer.Option(help="Only of this rule.")] = None,
    thing: Annotated[str | None, typer.Option(help="Only about this thing.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at the most.")] = 20,
) -> None:
    """List alerts, the newest first."""
    from tsuji_platform.store.alert_outbox import AlertFilter, Alerts

    which = AlertFilter(on=True if on else None, rule_id=rule, thing_id=thing)
    with wiring.database() as database:
        rows = Alerts(database).find(which, limit=limit)
    for row in rows:
        about = row.thing_id or f"{row.area_set_id}/{row.area_code}"
        end = "on" if row.end is None else f"to {_time(row.end)} ({row.end_reason})"
        typer.echo(
            f"{_time(row.start)} {end}  {printable(row.rule_id)}  {printable(about)}  "
            f"peak {row.peak:g} {row.rule['unit']} at {_time(row.peak_at)}"
        )
    if not rows:
        typer.echo("no alert fits", err=True)
    elif len(rows) == limit:
        typer.echo(f"the newest {limit}; --limit shows more", err=True)


@app.command()
def rules() -> None:
    """List the rules in force, as the evaluator read them."""
    from tsuji_platform.analytics.alert_rules import of_document
    from tsuji_platform.store.alert_outbox import Alerts

    with wiring.database() as database:
        found = Alerts(database).rules()
    for one in found:
        rule = of_document(one["document"])
        typer.echo(f"{printable(rule.id)}: {said(rule)}")
        if one["problem"]:
            typer.echo(f"    {printable(one['problem'])}")
    if not found:
        typer.echo("no rules are in force: name a file in TSUJI_ALERTS", err=True)


@app.command()
def targets() -> None:
    """List who is told of alerts, what waits for whom and what went wrong."""
    from tsuji_platform.store.alert_outbox import Alerts

    with wiring.database() as database:
        found = Alerts(database).targets()
    for one in found:
        since = "" if one.oldest_at is None else f" since {_time(one.oldest_at)}"
        told = "never" if one.delivered_at is None else _time(one.delivered_at)
        typer.echo(
            f"{printable(one.target)}: {one.waiting} waiting{since}, {one.given_up} given up, "
            f"last told {told}"
        )
        if one.problem:
            typer.echo(f"    {printable(one.problem)}")
    if not found:
        typer.echo("nothing was to be told yet", err=True)


@app.command()
def schema() -> None:
    """Print the JSON schema of a file of rules, for editors."""
    from tsuji_platform.analytics.alert_rules import schema as generated

    typer.echo(orjson.dumps(generated(), option=orjson.OPT_INDENT_2).decode())


def said(rule: "Rule") -> str:
    """A rule as a sentence."""
    from tsuji_platform.analytics.alert_rules import Source
    from tsuji_platform.contract.lengths import length_text

    if rule.areas is not None:
        codes = "all areas" if rule.areas.codes is None else f"{len(rule.areas.codes)} areas"
        where = f"{codes} of {printable(rule.areas.set)}"
    else:
        ids = None if rule.things is None else rule.things.ids
        kind = None if rule.things is None else rule.things.kind
        where = "all things" if ids is None else f"{len(ids)} things"
        where += "" if kind is None else f" of kind {printable(kind)}"
    if rule.source is Source.SILENCE:
        return (
            f"{where} silent for more than {rule.silent_intervals:g} usual intervals, and for "
            f"{length_text(rule.least_silence)}"
        )
    condition = rule.condition
    beyond, near = (">=", "<") if condition.above else ("<=", ">")
    hold, clear = (
        "" if not length else f" for {length_text(length)}"
        for length in (condition.hold, condition.clear_hold)
    )
    limit = _limit(condition.threshold, rule.at_least, rule.at_most)
    cleared = _limit(condition.clear, rule.clears_below, rule.clears_above)
    return (
        f"{rule.figure or rule.observed_property} of {where} {beyond} {limit} "
        f"{rule.unit}{hold}; ends {near} {cleared}{clear}"
    )


def _limit(value: float, *given: float | str | None) -> str:
    """A threshold; one that names a band with its value."""
    name = next((one for one in given if isinstance(one, str)), None)
    return f"{value:g}" if name is None else f"{name} ({value:g})"


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
