"""The shapes of the answers, each field with its meaning and unit: what the OpenAPI page shows."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from tsuji_platform.analytics.gaps import Absence
from tsuji_platform.api.typical_models import ExplainedTypicalNow, TypicalNow
from tsuji_platform.contract.quality import Flag

Time = Annotated[datetime, Field(description="RFC 3339, UTC", examples=["2026-04-01T00:00:00Z"])]
Value = Annotated[float, Field(description="in the unit given beside it")]


Flags = Annotated[
    list[Flag],
    Field(description="what looks wrong: `step`, `stuck`; empty where nothing does", examples=[[]]),
]


class StepLimit(BaseModel):
    """The largest believable change; where most readings just before differ by more, it is a `step`."""

    at_once: float = Field(
        description="between two readings, however close, in the property's unit"
    )
    per_minute: float = Field(description="what each minute between them adds")
    longest_gap_s: int = Field(description="readings farther apart are not compared")


class StuckLimit(BaseModel):
    """How long a reading may stay exactly the same before it is `stuck`."""

    after_s: int
    readings: int = Field(description="fewest readings in that time")
    steady_up_to: float | None = Field(description="at this value and below it is natural")
    steady_from: float | None = Field(description="at this value and above it is natural")


class QualityLimits(BaseModel):
    """When a reading is flagged; null where the question is not asked."""

    step: StepLimit | None
    stuck: StuckLimit | None


class ObservedProperty(BaseModel):
    """One row of the table of observed properties."""

    id: str = Field(examples=["air_temperature"])
    label: str = Field(description="English name")
    label_ja: str = Field(description="Japanese name")
    unit: str = Field(description="UCUM code", examples=["Cel"])
    unit_label: str = Field(description="the unit as people write it", examples=["°C"])
    low: float = Field(description="smallest plausible result; smaller ones are rejected")
    high: float = Field(description="largest plausible result; larger ones are rejected")
    aggregation: str = Field(description="how results combine over time", examples=["mean"])
    quality: QualityLimits


class ObservedProperties(BaseModel):
    """All observed properties."""

    items: list[ObservedProperty]


class Figure(BaseModel):
    """A figure that areas are coloured by."""

    id: str = Field(examples=["footfall"])
    label: str = Field(description="English name")
    label_ja: str = Field(description="Japanese name")
    unit: str = Field(description="UCUM code")
    unit_label: str = Field(description="the unit as people write it")
    decimals: int = Field(description="digits after the point that the sensors warrant")
    method: str = Field(description="how it is made, English")
    method_ja: str = Field(description="how it is made, Japanese")


class Figures(BaseModel):
    """All figures."""

    items: list[Figure]


class Point(BaseModel):
    """GeoJSON point, WGS 84."""

    type: Literal["Point"] = "Point"
    coordinates: tuple[float, float] = Field(description="longitude, latitude, degrees")


class ThingLatest(BaseModel):
    """The newest observation of one datastream."""

    result: Value
    time: Time
    unit: str = Field(description="UCUM code")
    quality: Flags


class AreaOfThing(BaseModel):
    """An area that a thing stands in."""

    area_set: str
    code: str
    name: str
    name_en: str


class Thing(BaseModel):
    """A registered thing: a smart pole, a counter, a weather station."""

    id: str = Field(examples=["pole-01"])
    name: str = Field(description="name as its owner gives it")
    name_en: str = Field(description="English name, empty where none was given")
    kind: str = Field(examples=["smart_pole"])
    location: Point
    owner: str
    effective_width_m: float | None = Field(description="walkway width that it sees, m")
    capacity: int | None = Field(description="people that the place holds")
    datastreams: list[str] = Field(description="ids of the observed properties that it measures")
    state: Literal["live", "silent", "waiting"] = Field(
        description="live: heard of lately; silent: not for 15 minutes or two periods "
        "of its newest counts; waiting: never yet"
    )
    last_observed_at: datetime | None = Field(
        description="phenomenon time of its newest observation, RFC 3339, UTC"
    )


class RejectedOfThing(BaseModel):
    """What is kept of a thing's messages that were rejected for one reason."""

    reason: str = Field(examples=["implausible_value"])
    messages: int = Field(description="kept messages; the same again is not kept twice")
    values: int = Field(description="what they stand for, repetitions included")
    messages_24h: int = Field(description="of these messages, those that came within 24 hours")
    last_received_at: Time


class ThingDetail(Thing):
    """A thing with its newest observations, its areas and what of it was rejected."""

    latest: dict[str, ThingLatest] = Field(description="by observed property")
    areas: list[AreaOfThing]
    rejected: list[RejectedOfThing] = Field(description="by reason; empty where all was believed")


class Things(BaseModel):
    """One page of things."""

    items: list[Thing]
    next: str | None = Field(description="address of the next page; null on the last")


class LatestItem(BaseModel):
    """The newest observation of one datastream."""

    thing: str
    observed_property: str
    time: Time
    result: Value
    unit: str = Field(description="UCUM code")
    quality: Flags


class Latest(BaseModel):
    """The newest observations; what looks wrong about those of all things is up to 30 s old."""

    items: list[LatestItem]


class RawObservation(BaseModel):
    """One observation as it was stored."""

    observed_property: str
    time: Time
    result: Value
    unit: str = Field(description="UCUM code")
    period_s: int | None = Field(description="for counts: the seconds that end at `time`")
    quality: Flags


class Observations(BaseModel):
    """One page of a thing's observations."""

    thing: str
    items: list[RawObservation]
    next: str | None = Field(description="address of the next page; null on the last")
    kept_since: datetime | None = Field(
        description="observations up to this moment are no longer kept, only their rollups (see the "
        "series); null where all are kept"
    )


class QualityItem(BaseModel):
    """A datastream whose newest observation looks wrong."""

    thing: str
    observed_property: str
    flag: Flag
    since: Time = Field(
        description="of a stuck value its first reading, looked for up to 7 days back; "
        "of a step its time"
    )
    time: Time
    result: Value
    unit: str = Field(description="UCUM code")


class Quality(BaseModel):
    """What looks wrong now."""

    time: Time = Field(description="when it was looked up")
    items: list[QualityItem]


class AreaSet(BaseModel):
    """A set of areas."""

    id: str = Field(examples=["mesh500-central"])
    name: str
    name_en: str
    kind: str = Field(description="municipality, mesh or polygon", examples=["mesh"])
    source: str = Field(description="credit to show wherever the areas are shown")
    licence: str
    areas: int = Field(description="how many areas it has")
    bbox: tuple[float, float, float, float] | None = Field(
        description="west, south, east, north; degrees, WGS 84"
    )


class AreaSets(BaseModel):
    """All area sets."""

    items: list[AreaSet]


class FigureValue(BaseModel):
    """A figure of an area."""

    value: Value
    n: int = Field(description="how many things contribute")
    time: Time
    typical: TypicalNow | None = Field(
        None,
        description="what is usual; left out where there are too few days, and for other figures",
    )


class SnapshotArea(BaseModel):
    """The figures of one area; what is missing has no data in the window."""

    code: str
    figures: dict[str, FigureValue] = Field(description="by figure id")


class ThingValue(BaseModel):
    """The newest result of one datastream, without what the vocabulary says."""

    result: Value
    time: Time


class ThingState(BaseModel):
    """What a thing said last."""

    id: str
    state: Literal["live", "silent", "waiting"]
    last_observed_at: datetime | None
    latest: dict[str, ThingValue] = Field(description="by observed property")


class Snapshot(BaseModel):
    """The figures of all areas of a set at one moment; areas without any are left out."""

    area_set: str
    time: Time
    window_s: int = Field(description="totals cover this many seconds up to `time`")
    areas: list[SnapshotArea]
    things: list[ThingState] | None = Field(
        None, description="all things as they were then; only where they were asked for"
    )
    kept_since: datetime | None = Field(
        None,
        description="for moments of which observations are no longer kept: from when on they are. "
        "Figures are then missing, series may still have them. Otherwise left out",
    )


class ExplainedFigure(FigureValue):
    """A figure with how it was made."""

    typical: ExplainedTypicalNow | None = None
    age_s: float = Field(description="seconds from the newest observation in it to `time`")
    unit: str = Field(description="UCUM code")
    unit_label: str
    method: str = Field(description="how it is made, English")
    method_ja: str = Field(description="how it is made, Japanese")


class AreaDetail(BaseModel):
    """One area at one moment."""

    area_set: str
    code: str
    name: str
    name_en: str
    time: Time
    things: list[str] = Field(description="ids of the things that stand in it")
    figures: dict[str, ExplainedFigure] = Field(description="by figure id")


class Gap(BaseModel):
    """Steps without any observation, one after another."""

    start: Time
    end: Time
    reason: Absence = Field(
        description="rejected: messages that arrived then were refused; silent: nothing came; "
        "none: there was no such datastream then; no_longer_kept: steps of this length can't be "
        "made any more, longer ones may"
    )


class Series(BaseModel):
    """Values over time; a step without observations is null."""

    unit: str = Field(description="UCUM code")
    unit_label: str
    start: Time
    end: Time
    step_s: int = Field(description="length of a step, seconds")
    times: list[datetime] = Field(description="the END of each step, RFC 3339, UTC")
    values: list[float | None] = Field(
        description="null where there are no observations, or directions that cancel out"
    )
    gaps: list[Gap] = Field(description="where there are no observations, in order, and why")


class AreaSeries(Series):
    """A figure of an area over time."""

    area_set: str
    code: str
    figure: str


class ThingSeries(Series):
    """Observations of one datastream over time."""

    thing: str
    observed_property: str


class DatabaseHealth(BaseModel):
    """The database."""

    ok: bool
    edition: str | None = Field(examples=["TimescaleDB 2.19.3 (Apache) on PostgreSQL 17.6"])


class IngestProcess(BaseModel):
    """One ingest that has shown itself in the last day."""

    id: str
    state: Literal["ok", "silent"] = Field(
        description="silent: it has not shown itself for half a minute; what the broker keeps for it "
        "waits for its return"
    )
    waiting: int = Field(description="values received and not committed when it last showed itself")
    lag_s: float | None = Field(
        description="from arrival to commit: 95 % of its messages of a minute were quicker"
    )
    seen_at: Time


class IngestHealth(BaseModel):
    """Values since the beginning: received = stored + duplicate + corrected + rejected + waiting."""

    messages: int
    received: int
    stored: int
    duplicate: int
    corrected: int
    rejected: int
    waiting: int = Field(description="received and not committed; the broker keeps their messages")
    processes: list[IngestProcess]
    last_stored_at: datetime | None
    age_s: float | None = Field(description="seconds since something new was stored")


class RejectedAmount(BaseModel):
    """So many rejected messages."""

    messages: int = Field(description="the same again is not kept twice")
    values: int = Field(description="what they stand for, repetitions included")


class RejectedHealth(BaseModel):
    """Rejected messages: what is kept of them, and what no longer."""

    kept: int = Field(description="messages")
    by_reason: dict[str, RejectedAmount] = Field(description="of those that are kept")
    forgotten: RejectedAmount = Field(description="kept no longer: they were too old or too many")


class RejectedCount(RejectedAmount):
    """What is kept of one thing's messages that were rejected for one reason."""

    thing: str | None = Field(description="id as in the topic; null where it names none")
    reason: str = Field(examples=["unregistered_thing"])
    last_received_at: Time


class RejectedCounts(BaseModel):
    """One page of counts."""

    items: list[RejectedCount]
    next: str | None = Field(description="address of the next page; null on the last")


class ThingsHealth(BaseModel):
    """Things by state."""

    total: int
    live: int
    silent: int
    waiting: int


class QualityHealth(BaseModel):
    """Datastreams whose newest observation looks wrong; up to 30 seconds old."""

    stuck: int = Field(description="it has stayed the same for too long")
    step: int = Field(description="it leaps away from those before it")


class HistoryHealth(BaseModel):
    """Since when history is kept; null where all of it is."""

    observations_since: datetime | None
    five_minutes_since: datetime | None = Field(description="rollups")
    hours_since: datetime | None = Field(description="rollups; those of a Tokyo day are all kept")
    too_late: int = Field(
        description="observations that came when those of their time were no longer kept, and are in "
        "no rollup; counted when they were dropped"
    )


class Health(BaseModel):
    """How the hub is."""

    status: Literal["ok", "degraded", "down"] = Field(
        description="degraded: nothing was stored for two minutes, or an ingest is silent; down: the "
        "database is away"
    )
    time: Time
    version: str
    database: DatabaseHealth
    ingest: IngestHealth | None
    things: ThingsHealth | None
    rejected: RejectedHealth | None = None
    quality: QualityHealth | None = None
    history: HistoryHealth | None = None


GeoJson = dict[str, Any]
