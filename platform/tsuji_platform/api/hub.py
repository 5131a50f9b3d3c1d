"""What every router stands on: the store's readers, a clock, and the parameters that many share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

import ciso8601
from fastapi import Depends, Path, Query, Request

from tsuji_platform.analytics.figures import WINDOW
from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.api.downloads import Downloads
from tsuji_platform.api.errors import BadParameterError, NotFoundError
from tsuji_platform.api.flags import NewestFlags
from tsuji_platform.api.nearby import Nearby
from tsuji_platform.api.room import Room
from tsuji_platform.api.usual import UsualNow
from tsuji_platform.contract.messages import FUTURE_TOLERANCE
from tsuji_platform.contract.properties import OBSERVED_PROPERTIES, Aggregation
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.store import Areas, Database, Quality, Reader, Rejected
from tsuji_platform.store.datasets import Datasets
from tsuji_platform.store.day_inputs import DayInputs
from tsuji_platform.store.finding import Finding
from tsuji_platform.store.history_moment import Moment
from tsuji_platform.store.neighbours import Neighbours
from tsuji_platform.store.profiles import Profiles
from tsuji_platform.store.records import AreaSet, ThingRow


def _utc_now() -> datetime:
    return datetime.now(UTC)


Readings = Moment
"""The state of all things at one moment, now or past."""

_ALL_THINGS = 1_000_000
_SUMMED = [p.id for p in OBSERVED_PROPERTIES.values() if p.aggregation is Aggregation.SUM]


@dataclass(frozen=True, slots=True)
class Hub:
    """One database seen through its readers.

    Attributes:
        publisher: who runs the hub; empty where that is not said.
        licence: under which the observations may be used; empty where that is not said.
        gate: withholds small counts; whatever its readers give is made without these.
    """

    database: Database
    clock: Callable[[], datetime] = _utc_now
    typical_weeks: int = 8
    publisher: str = ""
    licence: str = ""
    gate: Gate = OPEN
    room: Room = field(default_factory=Room)
    reader: Reader = field(init=False)
    areas: Areas = field(init=False)
    rejected: Rejected = field(init=False)
    quality: Quality = field(init=False)
    flags: NewestFlags = field(init=False)
    profiles: Profiles = field(init=False)
    datasets: Datasets = field(init=False)
    usual: UsualNow = field(init=False)
    day_inputs: DayInputs = field(init=False)
    downloads: Downloads = field(init=False)
    neighbours: Neighbours = field(init=False)
    nearby: Nearby = field(init=False)
    finding: Finding = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reader", Reader(self.database, self.gate))
        object.__setattr__(self, "areas", Areas(self.database))
        object.__setattr__(self, "rejected", Rejected(self.database))
        object.__setattr__(self, "quality", Quality(self.database, gate=self.gate))
        object.__setattr__(self, "flags", NewestFlags(self.quality, self.clock))
        object.__setattr__(self, "profiles", Profiles(self.database, self.gate))
        object.__setattr__(self, "datasets", Datasets(self.database))
        object.__setattr__(
            self,
            "downloads",
            Downloads(
                self.database.primary.url,
                self.licence,
                self.gate,
                self.room,
                lambda: self.database.reading_url,
            ),
        )
        object.__setattr__(self, "usual", UsualNow(self.profiles, self.typical_weeks))
        object.__setattr__(self, "day_inputs", DayInputs(self.database, self.gate))
        object.__setattr__(self, "neighbours", Neighbours(self.database))
        object.__setattr__(self, "nearby", Nearby(self.neighbours))
        object.__setattr__(self, "finding", Finding(self.database, self.gate))

    def readings(self, at: datetime | None) -> Readings:
        """What all things said in the hour that ended at `at`; None for now.

        Devices' clocks may run ahead of ours by the tolerance that ingest grants them, so the
        present is not cut off at our own clock: the hour of such a thing ends with its newest.
        The present is made of the datastreams that things list now, the past of all that there were;
        of sums, where its observations are no longer kept.
        """
        if at is not None:
            return self.reader.moment(_SUMMED, at, WINDOW)
        now = self.clock()
        newest = [
            r for r in self.reader.latest() if now - WINDOW < r.time <= now + FUTURE_TOLERANCE
        ]
        totals = self.reader.totals(_SUMMED, now, WINDOW, ahead=FUTURE_TOLERANCE, declared=True)
        return Readings(newest=newest, totals=totals)

    def things(self) -> list[ThingRow]:
        """All things."""
        return self.reader.things(limit=_ALL_THINGS)

    def area_set(self, area_set_id: str) -> AreaSet:
        """The area set of this id, or `NotFoundError`."""
        for area_set in self.areas.sets(area_set_id):
            return area_set
        raise NotFoundError("area set", area_set_id, "/v1/area-sets")

    def check_thing(self, thing_id: str) -> None:
        """Raise `NotFoundError` where there is no thing of this id."""
        if not self.finding.has_thing(thing_id):
            raise NotFoundError("thing", thing_id, "/v1/things")

    def thing(self, thing_id: str) -> ThingRow:
        """The thing of this id, or `NotFoundError`."""
        for row in self.reader.things(limit=1, thing_id=thing_id):
            return row
        raise NotFoundError("thing", thing_id, "/v1/things")


def parse_moment(text: str | None, name: str) -> datetime | None:
    """Read a time parameter, RFC 3339 with offset; a plus sign may have become a space on the way."""
    if text is None:
        return None
    try:
        moment = ciso8601.parse_rfc3339(text[:10] + text[10:].replace(" ", "+"))
    except ValueError as error:
        raise BadParameterError(
            f"{name} {text!r:.80} is not RFC 3339 with an offset, such as 2026-04-01T09:00:00Z"
        ) from error
    if not 1970 <= moment.year <= 2200:
        raise BadParameterError(f"{name} {text!r:.80} is outside the years 1970 to 2200")
    return moment.astimezone(UTC)


def sees_counts(request: Request) -> bool:
    """Whether small counts are open to the caller."""
    caller = getattr(request.state, "caller", None)
    return caller is not None and Scope.COUNTS.value in caller.scopes


async def _hub(request: Request) -> Hub:
    state = request.app.state
    hub: Hub = state.whole_hub if sees_counts(request) else state.hub
    return hub


def _at(
    at: Annotated[
        str | None,
        Query(
            description="a past moment, RFC 3339 with offset; left out for now. Then a thing is live "
            "that spoke in the hour before the moment and silent otherwise, and what things no "
            "longer list counts as it did",
            examples=["2026-04-01T09:00:00+09:00"],
        ),
    ] = None,
) -> datetime | None:
    return parse_moment(at, "at")


HubDep = Annotated[Hub, Depends(_hub)]
At = Annotated[datetime | None, Depends(_at)]
ThingPath = Annotated[str, Path(description="id of a thing", examples=["pole-001"])]
SetPath = Annotated[str, Path(description="id of an area set", examples=["mesh500-central"])]
CodePath = Annotated[str, Path(description="code of an area", examples=["533945373"])]
