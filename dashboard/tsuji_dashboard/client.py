"""What the dashboard asks of the data API, over HTTP like any third party."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self
from urllib.parse import quote

import httpx

from tsuji_dashboard.profile import Profile


class ApiAwayError(Exception):
    """The data API can't be reached, is too slow or failed."""


class UnknownError(Exception):
    """The data API knows no such area, thing or area set."""


def instant(value: str | None) -> datetime | None:
    """Read the API's RFC 3339 time; None stays None."""
    return None if value is None else datetime.fromisoformat(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One figure of an area, or the newest result of one datastream, at a moment.

    `quality` names what looks wrong with a result: `step`, `stuck`. Of an estimated figure `away` is how
    far the nearest and the farthest of its things are, metres. `value` is None where people were counted,
    too few to be told of; `left_out` is how many such counts are no part of it.
    """

    value: float | None
    time: datetime | None
    n: int | None = None
    quality: tuple[str, ...] = ()
    away: tuple[float, float] | None = None
    left_out: int = 0


def _away(figure: Mapping[str, Any]) -> tuple[float, float] | None:
    near = figure.get("estimated")
    return None if near is None else (near["distance_m"], near["farthest_m"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An area that a thing stands in."""

    area_set: str
    code: str
    name: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One area with what is known of it at `time`."""

    area_set: str
    code: str
    name: str
    name_en: str
    things: tuple[str, ...]
    figures: Mapping[str, Reading]
    time: datetime | None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Take what the API answered."""
        return cls(
            area_set=body["area_set"],
            code=body["code"],
            name=body["name"] or body["code"],
            name_en=body.get("name_en") or body["name"] or body["code"],
            things=tuple(body["things"]),
            figures={
                key: Reading(
                    value=f["value"],
                    time=instant(f.get("time")),
                    n=f.get("n"),
                    away=_away(f),
                    left_out=f.get("left_out") or 0,
                )
                for key, f in body["figures"].items()
                if f.get("value") is not None or f.get("suppressed")
            },
            time=instant(body.get("time")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One pole or counter with its newest results; `refused` counts its rejected messages of a day."""

    id: str
    name: str
    name_en: str
    kind: str
    state: str
    owner: str | None
    datastreams: tuple[str, ...]
    longitude: float | None
    latitude: float | None
    last_observed_at: datetime | None
    latest: Mapping[str, Reading]
    areas: tuple[Place, ...]
    refused: tuple[tuple[str, int], ...] = ()

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Take what the API answered."""
        position = (body.get("location") or {}).get("coordinates") or (None, None)
        return cls(
            id=body["id"],
            name=body["name"] or body["id"],
            name_en=body.get("name_en") or body["name"] or body["id"],
            kind=body["kind"],
            state=body["state"],
            owner=body.get("owner"),
            datastreams=tuple(body["datastreams"]),
            longitude=position[0],
            latitude=position[1],
            last_observed_at=instant(body.get("last_observed_at")),
            latest={
                key: Reading(
                    value=r["result"],
                    time=instant(r["time"]),
                    quality=tuple(r.get("quality") or ()),
                )
                for key, r in (body.get("latest") or {}).items()
            },
            areas=tuple(
                Place(
                    area_set=a["area_set"],
                    code=a["code"],
                    name=a["name"] or a["code"],
                    name_en=a.get("name_en") or a["name"] or a["code"],
                )
                for a in body.get("areas") or ()
            ),
            refused=tuple(
                (r["reason"], r["messages_24h"])
                for r in body.get("rejected") or ()
                if r["messages_24h"]
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values over time; each time is the end of its step, a gap is None.

    `suppressed` are the steps of which people were counted, too few to be told of.
    """

    of: str
    unit_label: str
    start: datetime
    end: datetime
    step_s: int
    times: tuple[datetime, ...]
    values: tuple[float | None, ...]
    suppressed: frozenset[datetime] = frozenset()

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Take what the API answered."""
        hidden = [
            (datetime.fromisoformat(gap["start"]), datetime.fromisoformat(gap["end"]))
            for gap in body.get("gaps") or ()
            if gap["reason"] == "suppressed"
        ]
        times = tuple(datetime.fromisoformat(time) for time in body["times"])
        return cls(
            suppressed=frozenset(
                time for time in times if any(start < time <= end for start, end in hidden)
            ),
            of=body.get("figure") or body["observed_property"],
            unit_label=body["unit_label"],
            start=datetime.fromisoformat(body["start"]),
            end=datetime.fromisoformat(body["end"]),
            step_s=body["step_s"],
            times=times,
            values=tuple(body["values"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Typical:
    """What is usual on a day, from past days of its kind; None where too few stand behind a step."""

    kind: str
    weeks: int
    minimum_days: int
    step_s: int
    times: tuple[datetime, ...]
    q1: tuple[float | None, ...]
    median: tuple[float | None, ...]
    q3: tuple[float | None, ...]
    days: tuple[int, ...]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Take what the API answered."""
        return cls(
            kind=body["kind"],
            weeks=body["weeks"],
            minimum_days=body["minimum_days"],
            step_s=body["step_s"],
            times=tuple(datetime.fromisoformat(t) for t in body["times"]),
            q1=tuple(body["q1"]),
            median=tuple(body["median"]),
            q3=tuple(body["q3"]),
            days=tuple(body["days"]),
        )


def path(*parts: str) -> str:
    """Join path segments, each escaped: ids come from addresses that anyone can write.

    Raises:
        UnknownError: where a segment is one that leads elsewhere; nothing has such an id.
    """
    if not {"", ".", ".."}.isdisjoint(parts):
        raise UnknownError("/".join(parts))
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


class Api:
    """The data API.

    Args:
        http: a client whose base address is the API's.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, where: str, params: Mapping[str, str] | None = None) -> Any:
        """Read one JSON answer.

        Raises:
            UnknownError: where the API answers 404.
            ApiAwayError: where it can't be reached or answers with any other error.
        """
        try:
            answer = await self._http.get(where, params=dict(params or {}))
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise UnknownError(where)
            return answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise ApiAwayError(f"{where}: {type(error).__name__}: {error}") from error

    async def area(self, area_set: str, code: str, at: str | None = None) -> Area:
        """One area, now or at a past moment."""
        return Area.read(await self.get(path("area-sets", area_set, "areas", code), _given(at=at)))

    async def area_series(
        self,
        area_set: str,
        code: str,
        figure: str,
        end: str | None = None,
        *,
        start: datetime | None = None,
        step_s: int | None = None,
    ) -> Series:
        """One figure of an area up to `end` or now: of 24 hours where no `start` is given."""
        where = path("area-sets", area_set, "areas", code, "series")
        asked = _given(
            figure=figure,
            end=end,
            start=None if start is None else start.isoformat(),
            step=None if step_s is None else f"{step_s}",
        )
        return Series.read(await self.get(where, asked))

    async def area_names(self, area_set: str) -> list[tuple[str, str, str, int]]:
        """Code, Japanese and English name and number of things of each area of a set."""
        body = await self.get(path("area-sets", area_set, "areas"))
        return [
            (it["code"], it["name"] or it["code"], it["name_en"] or it["name"], it["things"])
            for it in (feature["properties"] for feature in body["features"])
        ]

    async def area_profile(self, area_set: str, code: str, at: str | None = None) -> Profile:
        """The merged view of an area, now or at a past moment."""
        where = path("area-sets", area_set, "areas", code, "profile")
        return Profile.read(await self.get(where, _given(at=at)))

    async def area_typical(self, area_set: str, code: str, figure: str, day: date) -> Typical:
        """What is usual for a figure of an area on a Tokyo day."""
        where = path("area-sets", area_set, "areas", code, "typical")
        return Typical.read(await self.get(where, {"figure": figure, "date": f"{day}"}))

    async def thing(self, thing_id: str) -> Thing:
        """One thing with its newest results and the areas it stands in."""
        return Thing.read(await self.get(path("things", thing_id)))

    async def thing_series(
        self, thing_id: str, observed_property: str, end: str | None = None
    ) -> Series:
        """24 hours of one datastream of a thing, up to `end` or now."""
        where = path("things", thing_id, "series")
        asked = _given(observed_property=observed_property, end=end)
        return Series.read(await self.get(where, asked))

    async def thing_typical(self, thing_id: str, observed_property: str, day: date) -> Typical:
        """What is usual for one datastream of a thing on a Tokyo day."""
        where = path("things", thing_id, "typical")
        asked = {"observed_property": observed_property, "date": f"{day}"}
        return Typical.read(await self.get(where, asked))


def _given(**params: str | None) -> dict[str, str]:
    return {key: value for key, value in params.items() if value is not None}
