"""What the page of an area needs of the API, gathered at once; and the same as rows of a CSV file."""

import asyncio
import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from tsuji_dashboard.asking import all_of, or_none
from tsuji_dashboard.client import Api, Series, Typical, UnknownError, instant
from tsuji_dashboard.detail import AreaDetail, Details, Selection
from tsuji_platform.analytics.quarters import TOKYO

Range = Literal["24h", "7d", "30d"]
RANGES: tuple[Range, ...] = get_args(Range)
_SPAN: Mapping[Range, tuple[timedelta, int]] = {
    "24h": (timedelta(hours=24), 900),
    "7d": (timedelta(days=7), 3_600),
    "30d": (timedelta(days=30), 21_600),
}
"""How long each is, and the seconds of its steps."""
BESIDE = ("footfall", "air_temperature", "rainfall")
"""The figures on one time axis."""
_HEAT = timedelta(days=28)
COMPARED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page's address asks for.

    Attributes:
        area_set: the area set.
        code: the area.
        at: a past moment, RFC 3339, or None for now.
        range: how far the history goes back.
        compare: codes of other areas of the set.
        whole: whether all is asked for, or only what is of this moment.
    """

    area_set: str
    code: str
    at: str | None
    range: Range
    compare: tuple[str, ...]
    whole: bool = True

    @classmethod
    def read(cls, data: Mapping[str, Any] | None) -> "Asked | None":
        """Take the store's content; None where no area is named."""
        if not data or not data.get("area") or not data.get("set"):
            return None
        code = str(data["area"])
        others = dict.fromkeys(str(it) for it in data.get("compare") or () if it and it != code)
        at = data.get("at")
        try:
            instant(at)
        except (ValueError, TypeError):
            at = None
        return cls(
            area_set=str(data["set"]),
            code=code,
            at=at,
            range=next((it for it in RANGES if it == data.get("range")), "24h"),
            compare=tuple(others)[:COMPARED],
            whole=data.get("part") != "now",
        )

    @property
    def end(self) -> datetime:
        """The moment that is shown."""
        return instant(self.at) or datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """Mean counts of an hour by weekday (Monday first) and hour; None where no day has a value."""

    means: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTime:
    """What the page shows beside the moment; a series that failed is None."""

    today: Series | None
    typical: Typical | None
    history: Mapping[str, Series | None]
    heat: Heat | None
    compared: Mapping[str, Series | None]
    names: Sequence[tuple[str, str, str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaPage:
    """All that the page shows; `over_time` is None where only the moment was asked for."""

    detail: AreaDetail
    time: datetime
    over_time: OverTime | None


async def gather(api: Api, details: Details, asked: Asked, selection: Selection) -> AreaPage:
    """Ask for all that is wanted at once.

    Raises:
        UnknownError: where there is no such area.
        ApiAwayError: where the API can't be reached.
    """
    detail, over_time = await asyncio.gather(
        details.of(selection, "moment"), _over_time(api, asked) if asked.whole else _nothing()
    )
    if not isinstance(detail, AreaDetail):
        raise UnknownError(asked.code)
    return AreaPage(detail=detail, time=asked.end, over_time=over_time)


async def _nothing() -> None:
    return None


async def _over_time(api: Api, asked: Asked) -> OverTime:
    end, where = asked.end, (asked.area_set, asked.code)
    day = end.astimezone(TOKYO).replace(hour=0, minute=0, second=0, microsecond=0)
    (today, typical, heat, names), (history, compared) = await asyncio.gather(
        asyncio.gather(
            or_none(_since(api, where, "footfall", asked, _begin(day, end), 900)),
            or_none(api.area_typical(*where, "footfall", day.date())),
            or_none(heat_of(api, asked)),
            or_none(api.area_names(asked.area_set)),
        ),
        asyncio.gather(
            all_of(span(api, where, key, asked) for key in BESIDE),
            all_of(span(api, (where[0], it), "footfall", asked) for it in asked.compare),
        ),
    )
    return OverTime(
        today=today,
        typical=typical,
        history=dict(zip(BESIDE, history, strict=True)),
        heat=heat,
        compared=dict(zip(asked.compare, compared, strict=True)),
        names=names or (),
    )


def _begin(day: datetime, end: datetime) -> datetime:
    """The day's beginning, or a quarter hour before the end: a day that has just begun has no step."""
    return min(day, end - timedelta(minutes=15))


async def span(api: Api, where: tuple[str, str], figure: str, asked: Asked) -> Series:
    """A figure of an area over the time that is asked for."""
    length, step_s = _SPAN[asked.range]
    return await _since(api, where, figure, asked, asked.end - length, step_s)


async def _since(
    api: Api, where: tuple[str, str], figure: str, asked: Asked, start: datetime, step_s: int
) -> Series:
    end = asked.end.isoformat()
    return await api.area_series(*where, figure, end, start=start, step_s=step_s)


async def heat_of(api: Api, asked: Asked) -> Heat:
    """What is counted by weekday and hour."""
    end = asked.end
    where = (asked.area_set, asked.code)
    series = await _since(api, where, "footfall", asked, end - _HEAT, 3_600)
    values: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    for time, value in zip(series.times, series.values, strict=True):
        if value is not None and series.step_s == 3_600:
            begun = (time - timedelta(hours=1)).astimezone(TOKYO)
            values[begun.weekday(), begun.hour].append(value)
    return Heat(
        means=tuple(
            tuple(
                sum(found) / len(found) if (found := values.get((day, hour))) else None
                for hour in range(24)
            )
            for day in range(7)
        )
    )


def as_csv(history: Mapping[str, Series]) -> str:
    """Series of the same steps side by side; times are Tokyo's, the ends of steps."""
    times = sorted({time for series in history.values() for time in series.times})
    cells = {
        key: dict(zip(series.times, series.values, strict=True)) for key, series in history.items()
    }
    rows = [
        [time.astimezone(TOKYO).isoformat(), *(cells[key].get(time) for key in history)]
        for time in times
    ]
    return _file([["time", *(f"{key} ({it.unit_label})" for key, it in history.items())], *rows])


def heat_csv(heat: Heat) -> str:
    """Weekday by number (Monday 1) and hour, as long rows."""
    rows = [
        [day + 1, hour, None if mean is None else round(mean, 1)]
        for day, hours in enumerate(heat.means)
        for hour, mean in enumerate(hours)
    ]
    return _file([["weekday", "hour", "mean_people_counted"], *rows])


def _file(rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return "\ufeff" + out.getvalue()  # by which Excel knows UTF-8
