"""Alert rules, read from a file that people write: every mistake is named with its place and value."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from tsuji_platform.analytics.alert_thresholds import (
    Limit,
    check_known,
    is_by_place,
    unit_of,
    value_of,
)
from tsuji_platform.analytics.alerts import Condition
from tsuji_platform.analytics.derivation import Derived
from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.analytics.figures import WINDOW
from tsuji_platform.analytics.freshness import SILENT_AFTER
from tsuji_platform.contract.lengths import PATTERN, length_text, parse_length
from tsuji_platform.contract.rejection import quote
from tsuji_platform.contract.topics import THING_ID

DEMONSTRATION = "demonstration"
"""Names the set of rules that comes with the package, where a file would be named."""
NO_RULES = "none"
"""Stands for no rules at all, where a file would be named."""
MOST_RULES = 200
_DAY = timedelta(days=1)
_LEAST_SILENCE = timedelta(seconds=30)
_LIMITS = ("at_least", "at_most", "clears_below", "clears_above")


class RulesError(Exception):
    """A file of alert rules can't be used; the text names the place, the value and what to do."""


def _length(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    length = parse_length(value) if isinstance(value, str) else None
    if length is None:
        raise ValueError(
            'must be a length of time in quotes, such as "90s", "5m", "2h", "1d" or "PT5M"'
        )
    if length > 7 * _DAY:
        raise ValueError("must not be longer than seven days")
    return length


Length = Annotated[
    timedelta,
    BeforeValidator(_length),
    PlainSerializer(length_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["5m", "2h", "PT5M"]}),
]
_Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")]
_Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
_Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Label(_Part):
    """What the rule is called."""

    ja: _Name
    en: _Name


class AreaScope(_Part):
    """The areas that a rule holds for, each by itself."""

    set: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            pattern=r"^[^\x00-\x1f/]+$",
            description="id of an area set",
        ),
    ]
    codes: Annotated[
        list[_Code] | None,
        Field(min_length=1, max_length=10_000, description="codes of areas; all where left out"),
    ] = None


class ThingScope(_Part):
    """The things that a rule holds for, each by itself; all that fit where both are given."""

    ids: Annotated[
        list[Annotated[str, Field(pattern=rf"^{THING_ID.pattern}$")]] | None,
        Field(min_length=1, max_length=10_000, description="ids of things"),
    ] = None
    kind: Annotated[_Code | None, Field(description="such as smart_pole")] = None


class Source(StrEnum):
    """What a rule looks at."""

    OBSERVATIONS = "observations"
    FIGURES = "figures"
    SILENCE = "silence"


class Rule(_Part):
    """One alert rule."""

    id: _Id
    label: Label
    observed_property: Annotated[
        str | None, Field(description="every observation of this property by the things")
    ] = None
    figure: Annotated[
        str | None, Field(description="this figure of the things or areas, as snapshots show it")
    ] = None
    silent_intervals: Annotated[
        float | None,
        Field(
            ge=1,
            le=1000,
            description="silent for longer than so many of the thing's usual intervals",
        ),
    ] = None
    areas: AreaScope | None = None
    things: ThingScope | None = None
    at_least: Annotated[
        Limit | None, Field(description="met by this value, or this band, and higher ones")
    ] = None
    clears_below: Annotated[
        Limit | None, Field(description="only lower values end it; at_least where left out")
    ] = None
    at_most: Annotated[
        Limit | None, Field(description="met by this value, or this band, and lower ones")
    ] = None
    clears_above: Annotated[
        Limit | None, Field(description="only higher values end it; at_most where left out")
    ] = None
    hold: Annotated[
        Length,
        Field(
            alias="for",
            description="how long values must meet the threshold before the alert begins; of silence, "
            "how long it must last at the least",
        ),
    ] = timedelta(0)
    clears_after: Annotated[
        Length, Field(description="how long values must stay cleared before the alert ends")
    ] = timedelta(0)
    gap: Annotated[
        Length,
        Field(description="time between two values over which nothing is taken to be known"),
    ] = WINDOW

    @model_validator(mode="after")
    def _whole(self) -> Self:
        looked_at = ("observed_property", "figure", "silent_intervals")
        chosen = [name for name in looked_at if getattr(self, name) is not None]
        if len(chosen) != 1:
            raise ValueError(
                f"needs exactly one of {', '.join(looked_at)}; it has {' and '.join(chosen) or 'none'}"
            )
        if (self.areas is None) == (self.things is None):
            raise ValueError("needs either areas or things")
        if self.areas is not None and self.figure is None:
            raise ValueError(f"{chosen[0]} is for things; of areas give a figure")
        if self.source is Source.SILENCE:
            self._check_silence()
        else:
            self._check_known()
            self._check_thresholds()
        if self.gap <= timedelta(0):
            raise ValueError("gap must be longer than 0s")
        return self

    def _check_silence(self) -> None:
        given = [name for name in _LIMITS if getattr(self, name) is not None]
        if given or self.clears_after:
            raise ValueError(
                f"{(given or ['clears_after'])[0]} means nothing for silence, which ends when the thing "
                "is heard again"
            )
        if self.least_silence < _LEAST_SILENCE:
            raise ValueError(
                f"for must be at least 30s for silence, got {length_text(self.hold)!r}"
            )

    def _check_known(self) -> None:
        kind = "observed_property" if self.figure is None else "figure"
        check_known(kind, self._name)

    def _check_thresholds(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs either at_least or at_most")
        for limit, clear in (("at_least", "clears_above"), ("at_most", "clears_below")):
            if getattr(self, limit) is not None and getattr(self, clear) is not None:
                raise ValueError(f"{clear} does not go with {limit}")
        given = [getattr(self, key) for key in _LIMITS if getattr(self, key) is not None]
        if self.by_place and not all(isinstance(one, str) for one in given):
            raise ValueError(
                f"thresholds of {self._name} are either all numbers or all names of bands"
            )
        self._condition()

    @property
    def _name(self) -> str:
        return self.observed_property or self.figure or ""

    def _limit(self, key: str) -> float:
        return value_of(key, getattr(self, key), self._name, is_figure=self.figure is not None)

    def _condition(self) -> Condition:
        above = self.at_least is not None
        threshold = self._limit("at_least" if above else "at_most")
        clear = "clears_below" if above else "clears_above"
        return Condition(
            threshold=threshold,
            clear=threshold if getattr(self, clear) is None else self._limit(clear),
            above=above,
            hold=self.hold,
            clear_hold=self.clears_after,
            gap=self.gap,
        )

    @property
    def by_place(self) -> bool:
        """Whether its values are the places of the figure's bands, the lowest 1."""
        return is_by_place(self.figure, *(getattr(self, key) for key in _LIMITS))

    def value_of(self, derived: Derived) -> float | None:
        """What counts of its derived figure; None where there is nothing."""
        if self.by_place:
            bands = [it.band for it in DERIVED[self._name].bands]
            return None if derived.band is None else float(1 + bands.index(derived.band))
        return None if derived.value is None else float(derived.value)

    @cached_property
    def condition(self) -> Condition:
        """What counts, of a rule with a threshold."""
        return self._condition()

    @property
    def least_silence(self) -> timedelta:
        """How long a silence lasts at the least, whatever is usual."""
        return self.hold if "hold" in self.model_fields_set else SILENT_AFTER

    @property
    def source(self) -> Source:
        """What it looks at."""
        if self.observed_property is not None:
            return Source.OBSERVATIONS
        return Source.FIGURES if self.figure is not None else Source.SILENCE

    @property
    def unit(self) -> str:
        """UCUM code of its values; of a silence, seconds."""
        if self.source is Source.SILENCE:
            return "s"
        if self.by_place:
            return "1"
        return unit_of(self._name, is_figure=self.figure is not None)

    def document(self) -> dict[str, Any]:
        """The rule as JSON, by the names that the file has, with its unit."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True) | {"unit": self.unit}

    def digest(self) -> str:
        """The same for rules that raise the same alerts; their names have no part in it."""
        decisive = self.model_dump(mode="json", by_alias=True, exclude={"label"})
        return hashlib.sha256(orjson.dumps(decisive, option=orjson.OPT_SORT_KEYS)).hexdigest()


class Rules(_Part):
    """A file of rules."""

    rule: Annotated[list[Rule], Field(max_length=MOST_RULES, description="one [[rule]] each")] = []

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [rule.id for rule in self.rule]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ValueError(f"several rules have the id {', '.join(map(quote, twice))}")
        return self


def parse(text: str, name: str) -> Rules:
    """Read rules.

    Args:
        text: TOML.
        name: what errors call it.

    Raises:
        RulesError: with every mistake on a line of its own.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesError(f"{name} is no TOML: {error}") from None
    except RecursionError:
        raise RulesError(f"{name} is nested too deeply for a file of rules") from None
    try:
        return Rules.model_validate(document)
    except ValidationError as error:
        raise RulesError(
            "\n".join(f"{name}: {_mistake(document, one)}" for one in error.errors())
        ) from None


def _mistake(document: Mapping[str, Any], error: Any) -> str:
    """The place by the rule's id, the value, and what is wrong."""
    place = [str(part) for part in error["loc"]]
    if len(place) > 1 and place[0] == "rule" and place[1].isdecimal():
        number = int(place[1])
        rule = document["rule"][number] if isinstance(document["rule"], list) else None
        named = quote(rule["id"]) if isinstance(rule, dict) and "id" in rule else "without id"
        place[:2] = [f"rule {number + 1} ({named})"]
    shown = "" if error["type"] == "missing" else f", got {quote(error['input'])}"
    if error["type"] == "value_error" and isinstance(error["input"], dict):
        shown = ""
    what = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        what = f"there is no such key; there are {', '.join(_keys(place))}"
    return f"{': '.join(filter(None, [place[0] if place else '', '.'.join(place[1:])]))}: {what}{shown}"


def _keys(place: Sequence[str]) -> list[str]:
    """The keys of the part of the file in which a place is."""
    parts: dict[str, type[_Part]] = {"label": Label, "areas": AreaScope, "things": ThingScope}
    part: type[_Part] = Rules
    if len(place) > 1:
        part = parts.get(place[-2], Rule)
    return [field.alias or name for name, field in part.model_fields.items()]


def load(place: str) -> Rules:
    """Read a file of rules, or those that come with the package.

    Args:
        place: the file, or `demonstration`.

    Raises:
        RulesError: as `parse`, or where the file can't be read.
    """
    try:
        if place == DEMONSTRATION:
            text = (files(__package__) / "demonstration_alerts.toml").read_text(encoding="utf-8")
        else:
            text = Path(place).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RulesError(f"{place} is no UTF-8: {error}; save it as UTF-8") from None
    except (OSError, ValueError) as error:
        raise RulesError(f"the alert rules {place} can't be read: {error}") from None
    return parse(text, place)


def of_document(document: Mapping[str, Any]) -> Rule:
    """Read `Rule.document` back."""
    return Rule.model_validate({name: it for name, it in document.items() if name != "unit"})


def schema() -> dict[str, Any]:
    """JSON schema of a file of rules."""
    return Rules.model_json_schema(by_alias=True) | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tsuji alert rules",
    }
