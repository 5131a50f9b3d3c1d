"""What may be exported, and which datastreams that is: it names what there isn't."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.contract.rejection import quote
from tsuji_platform.store import queries
from tsuji_platform.store.cover import RAW
from tsuji_platform.store.database import Connection
from tsuji_platform.store.errors import StoreError
from tsuji_platform.store.quality import Wanted

_SQL = queries.load("export")


class ExportError(StoreError):
    """What was asked for can't be exported; the message says what to ask for instead.

    Attributes:
        unknown: of what kind the name is that is not known; empty where it is something else.
    """

    unknown: str = ""


class BehindError(ExportError):
    """Rollups of the time that is asked for are not complete yet."""


class TakenError(ExportError):
    """Somebody has as many exports under way as one may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many exports one may have at once, of all processes on one database together.

    Attributes:
        holder: whose they are.
        at_once: how many.
    """

    holder: str
    at_once: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to export: all that meets every condition that is not empty.

    Attributes:
        width: of the rollup's buckets; `RAW` for observations.
        start: aware, not included; None for the beginning.
        end: aware, included; None for now.
        area_set: things that stand in any of its areas.
        areas: codes; only in these areas of `area_set`.
        things: ids.
        observed_properties: ids.
        is_nothing: whether it is known that nothing meets the conditions.
        quality: of the observations; sums are then made of those that meet it, as far as they are kept.
        gate: withholds small counts.
    """

    width: timedelta = RAW
    start: datetime | None = None
    end: datetime | None = None
    area_set: str | None = None
    areas: Sequence[str] = ()
    things: Sequence[str] = ()
    observed_properties: Sequence[str] = ()
    is_nothing: bool = False
    quality: Wanted = "all"
    gate: Gate = OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A datastream; counts of it above 0 and below `small_below` are withheld."""

    datastream_id: int
    thing_id: str
    observed_property: str
    small_below: float = 0.0


def chosen_streams(connection: Connection, choice: Choice) -> tuple[list[Stream], list[str]]:
    """The datastreams of a choice by key, and the owners of their things."""
    if choice.areas and not choice.area_set:
        raise ExportError(
            f"area {quote(choice.areas[0])} needs the area set that it belongs to (--area-set)"
        )
    if choice.is_nothing:
        return [], []
    for kind, wanted, query in (
        ("area set", [choice.area_set] if choice.area_set else [], "area_set_ids"),
        ("area", choice.areas, "area_codes"),
        ("thing", choice.things, "thing_ids"),
        ("observed property", choice.observed_properties, "property_ids"),
    ):
        if wanted:
            known = connection.execute(_SQL[query], {"area_set": choice.area_set}).fetchall()
            _check(kind, wanted, [row["name"] for row in known])
    asked = {
        "things": list(choice.things) or None,
        "properties": list(choice.observed_properties) or None,
        "area_set": choice.area_set or None,
        "areas": list(choice.areas) or None,
        **choice.gate.parameters(),
    }
    rows = connection.execute(_SQL["streams"], asked).fetchall()
    owners = sorted({row.pop("owner") for row in rows} - {""})
    return [Stream(**row) for row in rows], owners


def _check(kind: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    there_are = set(known)
    for name in wanted:
        if name not in there_are:
            near = get_close_matches(name, known, n=3, cutoff=0.5)
            there = ", ".join(near or sorted(known)[:5]) or "none"
            hint = "did you mean" if near else "there are, for example," if known else "there is"
            error = ExportError(f"there is no {kind} {quote(name)}; {hint} {there}")
            error.unknown = kind
            raise error
