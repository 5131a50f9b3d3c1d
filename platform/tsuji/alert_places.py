"""Holds a file of alert rules against the hub: whether there are the area sets, areas and things named."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsuji import wiring
from tsuji.terminal import printable

if TYPE_CHECKING:
    from tsuji_platform.analytics.alert_rules import Rule
    from tsuji_platform.store import Database

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What was found.

    Attributes:
        mistakes: one a line; rules that can't mean anything in this hub.
        notes: what may yet come, such as things that have not registered.
        unasked: why the database was not asked; empty where it was, or where there was nothing to ask.
    """

    mistakes: Sequence[str] = ()
    notes: Sequence[str] = ()
    unasked: str = ""


def looked_up(rules: Sequence["Rule"], name: str) -> Places:
    """Ask the hub's database, where it can be reached.

    Args:
        rules: which.
        name: of their file.
    """
    from tsuji_platform.store import StoreError

    if not any(rule.areas or rule.things for rule in rules):
        return Places()
    try:
        with wiring.database() as database:
            mistakes = [f"{name}: {line}" for line in _mistakes(database, rules)]
            return Places(mistakes=mistakes, notes=list(_notes(database, rules)))
    except (wiring.NotRunningError, StoreError) as error:
        return Places(unasked=str(error))


def _mistakes(database: "Database", rules: Sequence["Rule"]) -> Iterator[str]:
    from tsuji_platform.contract.rejection import quote
    from tsuji_platform.store import Areas
    from tsuji_platform.store.alert_outbox import Alerts

    sets = [one.area_set_id for one in Areas(database).sets()]
    for number, rule in enumerate(rules, 1):
        if rule.areas is None:
            continue
        place = f"rule {number} ({quote(rule.id)}): areas"
        if rule.areas.set not in sets:
            there = f"there are {_listed(sets)}" if sets else "there is none"
            yield (
                f"{place}.set: there is no area set {quote(rule.areas.set)}; {there} "
                "(`tsuji areas list`)"
            )
        elif rule.areas.codes is not None:
            known = set(Alerts(database).areas_of(rule.areas))
            unknown = [code for code in rule.areas.codes if code not in known]
            if unknown:
                yield (
                    f"{place}.codes: {quote(rule.areas.set)} has no {_listed(unknown)}; its codes are "
                    f"at /v1/area-sets/{printable(rule.areas.set)}/areas"
                )


def _notes(database: "Database", rules: Sequence["Rule"]) -> Iterator[str]:
    from tsuji_platform.store.alert_outbox import Alerts

    for rule in rules:
        if rule.things is None or (rule.things.ids is None and rule.things.kind is None):
            continue
        known = Alerts(database).things_of(rule.things)
        unknown = [one for one in rule.things.ids or () if one not in known]
        kind = "" if rule.things.kind is None else f" of kind {printable(rule.things.kind)}"
        if unknown:
            yield f"{rule.id}: no thing{kind} has registered as {_listed(unknown)} yet"
        elif not known:
            yield f"{rule.id}: no thing{kind} has registered yet"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(printable(name) for name in names[:_MOST_NAMED]) + more
