"""What is usual on a day: median and quartiles of its quarter hours, of a thing or an area."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response

from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.analytics.quarters import PROFILED, QUARTER, QUARTERS, TOKYO, midnight
from tsuji_platform.analytics.typical import (
    METHOD,
    METHOD_JA,
    MINIMUM_DAYS,
    Band,
    Floats,
    band,
    day_kind,
    days_behind,
    of_thing,
    quarters_per_step,
    told_band,
    values_of,
)
from tsuji_platform.api import links
from tsuji_platform.api.answers import RowsDep, offered
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.hub import CodePath, Hub, HubDep, SetPath, ThingPath
from tsuji_platform.api.routers.area_sets import area_of
from tsuji_platform.api.routers.series import per_step
from tsuji_platform.api.tables import of_typical
from tsuji_platform.api.typical_models import AreaTypical, ThingTypical
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation

router = APIRouter()

_DAY = timedelta(days=1)
_FIGURES = [figure.id for figure in FIGURES.values() if set(figure.properties) <= set(PROFILED)]

Date = Annotated[
    str | None,
    Query(
        alias="date",
        description="a day in Tokyo, ISO 8601; today where left out",
        examples=["2026-04-01"],
    ),
]


@router.get(
    "/things/{thing_id}/typical",
    summary="What is usual for a thing on a day",
    tags=["things"],
    response_model=ThingTypical,
    responses=offered(),
)
def thing_typical(
    hub: HubDep,
    wanted: RowsDep,
    thing_id: ThingPath,
    observed_property: Annotated[
        str, Query(description="id of an observed property", examples=["pedestrians_in"])
    ],
    date: Date = None,
) -> Response:
    """Median and quartiles over the past days of the same kind, by quarter hour of the Tokyo day."""
    hub.thing(thing_id)
    if observed_property not in PROFILED:
        raise BadParameterError(
            f"observed_property {observed_property!r:.80} has no typical values; those that have are "
            + ", ".join(PROFILED)
        )
    day = _day(hub, date)
    known = OBSERVED_PROPERTIES[observed_property]
    found, quarters = _usual(hub, [thing_id], [observed_property], known.aggregation, day)
    body = ThingTypical(
        thing=thing_id,
        observed_property=observed_property,
        unit=known.unit,
        unit_label=known.unit_label,
        **_shared(hub, day, found, quarters),
        links=links.datastream(thing_id, observed_property, is_profiled=True),
    )
    said = {"thing": thing_id, "observed_property": observed_property}
    return wanted.answer(body, lambda: of_typical(said, body))


@router.get(
    "/area-sets/{area_set}/areas/{code}/typical",
    summary="What is usual for an area on a day",
    tags=["areas"],
    response_model=AreaTypical,
    responses=offered(),
)
def area_typical(
    hub: HubDep,
    wanted: RowsDep,
    area_set: SetPath,
    code: CodePath,
    figure: Annotated[str, Query(examples=["footfall"], description="id of a figure")],
    date: Date = None,
) -> Response:
    """Median and quartiles of the things that speak now, combined day by day before any quartile is taken.

    A day counts where all of them were counted, but for a tenth, which is stood in for by their own medians.
    """
    area_of(hub, area_set, code)
    if figure not in _FIGURES:
        raise BadParameterError(
            f"figure {figure!r:.80} has no typical values; those that have are "
            + ", ".join(_FIGURES)
        )
    day, known = _day(hub, date), FIGURES[figure]
    members = hub.areas.membership(area_set, code).get(code, [])
    start, end = _just_before(hub, day)
    steps = hub.reader.steps(members, known.properties, start, end, _DAY)
    things = sorted({step.thing_id for step in steps})
    found, quarters = _usual(hub, things, known.properties, known.over_things, day)
    body = AreaTypical(
        area_set=area_set,
        code=code,
        figure=figure,
        things=things,
        unit=known.unit,
        unit_label=per_step(figure, known.unit_label, quarters * QUARTER),
        **_shared(hub, day, found, quarters),
        links=links.area(area_set, code),
    )
    said = {"area_set": area_set, "code": code, "figure": figure}
    return wanted.answer(body, lambda: of_typical(said, body))


def _day(hub: Hub, text: str | None) -> date:
    if text is None:
        return hub.clock().astimezone(TOKYO).date()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not 1970 < day.year <= 2200:
        raise BadParameterError(
            f"date {text!r:.80} is not a day of the years 1971 to 2200, such as 2026-04-01"
        )
    return day


def _just_before(hub: Hub, day: date) -> tuple[datetime, datetime]:
    """The 24 hours up to the end of a day, or up to now."""
    end = min(midnight(day) + _DAY, hub.clock())
    return end - _DAY, end


def _usual(
    hub: Hub,
    things: Sequence[str],
    properties: Sequence[str],
    over_things: Aggregation,
    day: date,
) -> tuple[Band, int]:
    """What is usual on a day, and how many quarter hours its steps have."""
    days = days_behind(day, hub.typical_weeks)
    quarters = quarters_per_step(_period_s(hub, things, properties, day))
    parts: defaultdict[str, dict[str, Floats]] = defaultdict(dict)
    for (thing_id, name), profile in hub.profiles.of(things, properties, days).items():
        parts[thing_id][name] = values_of(name, profile, quarters)
    nothing = np.full((len(days), QUARTERS // quarters), np.nan)
    held = [of_thing(parts[thing_id]) for thing_id in things]
    values = [nothing if one is None else one for one in held]
    return told_band(values, over_things) if values else band(nothing), quarters


def _period_s(hub: Hub, things: Sequence[str], properties: Sequence[str], day: date) -> int | None:
    """The counting period of the slowest of some things, lately or, if they were silent, before."""
    counts = [name for name in properties if OBSERVED_PROPERTIES[name].is_count]
    if not counts or not things:
        return None
    start, end = _just_before(hub, day)
    found = hub.reader.usual_period_s(things, counts, start, end)
    if found is None:
        weeks = timedelta(weeks=hub.typical_weeks)
        found = hub.reader.usual_period_s(things, counts, end - weeks, end)
    return found


def _shared(hub: Hub, day: date, found: Band, quarters: int) -> dict[str, Any]:
    step = quarters * QUARTER
    times = [midnight(day).astimezone(UTC) + step * (i + 1) for i in range(QUARTERS // quarters)]
    return {
        "date": day,
        "kind": day_kind(day).value,
        "weeks": hub.typical_weeks,
        "from_": day - timedelta(weeks=hub.typical_weeks),
        "to": day - _DAY,
        "time_zone": "Asia/Tokyo",
        "minimum_days": MINIMUM_DAYS,
        "step_s": int(step.total_seconds()),
        "times": times,
        "suppressed": []
        if found.withheld is None
        else [time for time, hidden in zip(times, found.withheld, strict=True) if hidden],
        "q1": _plain(found.q1),
        "median": _plain(found.median),
        "q3": _plain(found.q3),
        "days": found.days.tolist(),
        "method": METHOD,
        "method_ja": METHOD_JA,
    }


def _plain(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
