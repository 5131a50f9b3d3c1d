"""Messages for tests, made the way devices make them and read the way ingest reads them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from tsuji_platform.contract import (
    Observation,
    RejectedError,
    Rejection,
    Thing,
    encode_observations,
    encode_thing,
    observations_topic,
    thing_topic,
)
from tsuji_platform.contract.topics import parse_topic
from tsuji_platform.store.records import NewArea, NewAreaSet, Received

T0 = datetime(2026, 4, 1, tzinfo=UTC)
"""The moment around which most tests are built, 9:00 in Tokyo."""
RECEIVED = T0 + timedelta(hours=12)
"""When they come in, late enough that none is from the future."""
COUNTS = ("pedestrians_in", "pedestrians_out", "pedestrians")


def after(**length: float) -> datetime:
    """A moment after `T0`: `after(minutes=5)`."""
    return T0 + timedelta(**length)


def thing(
    thing_id: str, *datastreams: str, longitude: float = 139.69, latitude: float = 35.69, **more
) -> Thing:
    return Thing(
        thing_id=thing_id,
        name=more.pop("name", thing_id),
        longitude=longitude,
        latitude=latitude,
        datastreams=datastreams or ("air_temperature",),
        **more,
    )


def registration(thing_id: str, *datastreams: str, **more) -> Received:
    """What ingest makes of a thing's retained message."""
    it = thing(thing_id, *datastreams, **more)
    return Received(
        topic=thing_topic(thing_id),
        payload=encode_thing(it),
        received_at=RECEIVED,
        thing_id=thing_id,
        thing=it,
    )


def observations(
    thing_id: str, time: datetime, period_s: int = 300, **results: float
) -> list[Observation]:
    return [
        Observation(
            thing_id=thing_id,
            observed_property=name,
            phenomenon_time=time,
            result=value,
            period_s=period_s if name in COUNTS else None,
        )
        for name, value in results.items()
    ]


def message(thing_id: str, time: datetime = T0, period_s: int = 300, **results: float) -> Received:
    """What ingest makes of a good message with one object."""
    return packed(thing_id, observations(thing_id, time, period_s, **results))


def packed(thing_id: str, content: Sequence[Observation]) -> Received:
    """What ingest makes of a good message with this content."""
    return Received(
        topic=observations_topic(thing_id),
        payload=encode_observations(content),
        received_at=RECEIVED,
        thing_id=thing_id,
        observations=content,
    )


def broken(topic: str, payload: bytes, *rejections: Rejection) -> Received:
    """What ingest makes of a message that is refused."""
    try:
        thing_id = parse_topic(topic).thing_id
    except RejectedError:
        thing_id = None
    return Received(
        topic=topic, payload=payload, received_at=RECEIVED, thing_id=thing_id, rejections=rejections
    )


def received_at(received: Received, time: datetime) -> Received:
    return replace(received, received_at=time)


def square(code: str, west: float, south: float, size: float = 0.01) -> NewArea:
    """A square area."""
    east, north = west + size, south + size
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    return NewArea(
        code=code,
        name=f"区域{code}",
        name_en=f"Area {code}",
        geometry=shape,
        display_geometry=shape,
        bbox=(west, south, east, north),
    )


def area_set(area_set_id: str, *areas: NewArea, kind: str = "polygon") -> NewAreaSet:
    return NewAreaSet(
        area_set_id=area_set_id,
        name=f"集合{area_set_id}",
        name_en=f"Set {area_set_id}",
        kind=kind,
        source="test data",
        licence="CC0-1.0",
        areas=areas,
    )
