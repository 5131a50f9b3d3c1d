"""From the store's records to the answers' shapes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from tsuji_platform.analytics import freshness
from tsuji_platform.analytics.readings import FigureValue, Reading
from tsuji_platform.api import links, models
from tsuji_platform.api.nearby import distances
from tsuji_platform.api.typical_models import TypicalNow
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.store.records import AreaSet, ThingRow


def iso(time: datetime) -> str:
    """RFC 3339 in UTC with a Z."""
    return time.isoformat().replace("+00:00", "Z")


def thing(row: ThingRow, now: datetime) -> models.Thing:
    """A thing as lists show it."""
    it = row.thing
    return models.Thing(
        id=it.thing_id,
        name=it.name,
        name_en=it.name_en,
        kind=it.kind,
        location=models.Point(coordinates=(it.longitude, it.latitude)),
        owner=it.owner,
        effective_width_m=it.effective_width_m,
        capacity=it.capacity,
        datastreams=list(it.datastreams),
        state=freshness.state(row.last_observed_at, row.period_s, now).value,
        last_observed_at=row.last_observed_at,
        links=links.thing(it.thing_id),
    )


def latest_by_thing(readings: Iterable[Reading]) -> dict[str, dict[str, dict[str, Any]]]:
    """Result and time by thing, then by observed property."""
    things: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for reading in readings:
        things[reading.thing_id][reading.observed_property] = {
            "result": reading.told,
            "time": iso(reading.time),
        } | ({"suppressed": True} if reading.suppressed else {})
    return dict(things)


def thing_states(
    rows: Iterable[ThingRow], readings: Iterable[Reading], now: datetime
) -> dict[str, dict[str, Any]]:
    """Id, state, newest time and newest results of every thing, by id."""
    latest = latest_by_thing(readings)
    return {
        row.thing.thing_id: {
            "id": row.thing.thing_id,
            "state": freshness.state(row.last_observed_at, row.period_s, now).value,
            "last_observed_at": None if row.last_observed_at is None else iso(row.last_observed_at),
            "latest": latest.get(row.thing.thing_id, {}),
        }
        for row in rows
    }


def thing_states_at(
    rows: Iterable[ThingRow], newest: Iterable[Reading]
) -> dict[str, dict[str, Any]]:
    """As `thing_states`, for a past moment: live is what spoke in the hour before it."""
    newest = list(newest)
    latest = latest_by_thing(newest)
    times: dict[str, datetime] = {}
    for reading in newest:
        times[reading.thing_id] = max(reading.time, times.get(reading.thing_id, reading.time))
    states = {}
    for row in rows:
        thing_id = row.thing.thing_id
        said = latest.get(thing_id, {})
        states[thing_id] = {
            "id": thing_id,
            "state": (freshness.State.LIVE if said else freshness.State.SILENT).value,
            "last_observed_at": iso(times[thing_id]) if said else None,
            "latest": said,
        }
    return states


def withheld(figure: FigureValue) -> dict[str, Any]:
    """What is said of small counts that a figure leaves out; nothing where it leaves out none."""
    if not figure.left_out:
        return {}
    return {"left_out": figure.left_out} | ({"suppressed": True} if figure.suppressed else {})


def figures(
    values: Mapping[str, FigureValue], typical: Mapping[str, TypicalNow]
) -> dict[str, dict[str, Any]]:
    """Figures of one area as plain JSON values, with what is usual for those that have it."""
    return {
        figure_id: {"value": it.told, "n": it.n, "time": iso(it.time)}
        | withheld(it)
        | ({} if (near := distances(it)) is None else {"estimated": near})
        | ({"typical": typical[figure_id].model_dump()} if figure_id in typical else {})
        for figure_id, it in values.items()
    }


def of_sums(width: timedelta) -> tuple[str, str]:
    """How figures of a moment are made whose observations are no longer kept, in English and Japanese."""
    minutes = width // timedelta(minutes=1)
    return (
        f"Observations of that time are no longer kept: made of sums of {minutes} minutes. The mean of "
        "the last one that was over (of maxima its highest) stands for the newest observation, and "
        "totals are those of the 60 minutes up to its end.",
        f"この時刻の観測値は保存期間を過ぎたため、{minutes}分ごとの集計から算出。最新観測値の代わりに、その時刻"
        "までに終わった最後の集計の平均(最大値の項目は最大)を、合計はその終わりまでの60分の合計を用いる。",
    )


def area_set(row: AreaSet) -> models.AreaSet:
    """An area set as lists show it."""
    return models.AreaSet(
        id=row.area_set_id,
        name=row.name,
        name_en=row.name_en,
        kind=row.kind,
        source=row.source,
        licence=row.licence,
        areas=row.areas,
        bbox=row.bbox,
        links=links.area_set(row.area_set_id),
    )


def unit_of(observed_property: str) -> str:
    """UCUM code of an observed property; empty for one that this version doesn't know."""
    known = OBSERVED_PROPERTIES.get(observed_property)
    return known.unit if known else ""
