"""What the messages mean: observations and things, read from hostile payloads and written for devices."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import ciso8601
import orjson

from tsuji_platform.contract.documents import MAX_PAYLOAD_BYTES as MAX_PAYLOAD_BYTES
from tsuji_platform.contract.documents import load_json
from tsuji_platform.contract.observation import Observation as Observation
from tsuji_platform.contract.observation import observe as observe
from tsuji_platform.contract.properties import OBSERVED_PROPERTIES
from tsuji_platform.contract.readings import Readings, believed
from tsuji_platform.contract.rejection import Reason, RejectedError, Rejection, quote
from tsuji_platform.contract.topics import check_thing_id

MAX_OBJECTS = 1_000
MAX_RESULTS = 64
MAX_PERIOD_S = 31 * 86_400
FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far a device's clock may run ahead of ours before its time is not believed."""
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

_DETAILS = 20
"""Refusals of one message for one reason of which each says what was wrong: a payload may hold 64,000."""
_MORE = {reason: Rejection(reason=reason, detail="and more of the kind") for reason in Reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What a thing says of itself in its retained message.

    Attributes:
        thing_id: its id in the topic.
        name: as its owner calls it, usually Japanese.
        name_en: English name, empty where none was given.
        kind: `smart_pole`, `footfall_counter`, `weather_station` or any other short word.
        longitude: degrees east, WGS 84.
        latitude: degrees north, WGS 84.
        datastreams: ids of the observed properties that it measures.
        effective_width_m: walkway width that the counter sees, metres.
        capacity: people that the place holds.
        owner: who runs it.
    """

    thing_id: str
    name: str
    name_en: str = ""
    kind: str = "thing"
    longitude: float
    latitude: float
    datastreams: tuple[str, ...]
    effective_width_m: float | None = None
    capacity: int | None = None
    owner: str = ""


@dataclass(slots=True)
class Decoded:
    """What one payload held: the good observations, and what was refused beside them."""

    observations: Readings = field(default_factory=Readings)
    rejections: list[Rejection] = field(default_factory=list)
    _counts: dict[Reason, int] = field(default_factory=dict, repr=False, compare=False)

    def refuse(self, error: RejectedError) -> None:
        """Keep one refusal; of many for the same reason the later ones share one sentence."""
        reason = error.rejection.reason
        count = self._counts[reason] = self._counts.get(reason, 0) + 1
        self.rejections.append(error.rejection if count <= _DETAILS else _MORE[reason])


def parse_time(text: object, now: datetime) -> datetime:
    """Read an RFC 3339 time with offset.

    Args:
        text: what stood in the payload.
        now: the hub's clock, aware.

    Raises:
        RejectedError: `bad_time` (not RFC 3339, naive, before 1970), `future_time`.
    """
    if not isinstance(text, str):
        raise RejectedError(
            Reason.BAD_TIME, f'"time" must be RFC 3339 text with offset, got {quote(text)}'
        )
    try:
        time = ciso8601.parse_rfc3339(text)
    except ValueError as error:
        raise RejectedError(
            Reason.BAD_TIME,
            f"time {quote(text)} is not RFC 3339 with an offset, such as 2026-04-01T09:00:00+09:00",
        ) from error
    if time > now + FUTURE_TOLERANCE:
        raise RejectedError(
            Reason.FUTURE_TIME,
            f"time {text} is more than {FUTURE_TOLERANCE.seconds // 60} minutes ahead of the hub's "
            f"clock ({now:%Y-%m-%dT%H:%M:%SZ})",
        )
    if time < EARLIEST:
        raise RejectedError(Reason.BAD_TIME, f"time {text} is before {EARLIEST:%Y}")
    return time


def decode_observations(thing_id: str, payload: bytes, now: datetime) -> Decoded:
    """Read an observations message: one object or an array of them.

    A bad value does not sink the good ones beside it: what is refused is listed.

    Args:
        thing_id: from the topic.
        payload: as received.
        now: the hub's clock, aware.
    """
    decoded = Decoded()
    try:
        document = load_json(payload)
        objects = document if isinstance(document, list) else [document]
        if not objects:
            raise RejectedError(Reason.WRONG_SHAPE, "the array holds no observation")
        if len(objects) > MAX_OBJECTS:
            raise RejectedError(
                Reason.OVERSIZE, f"{len(objects)} objects in one message, over {MAX_OBJECTS}"
            )
    except RejectedError as error:
        decoded.refuse(error)
        return decoded
    for one in objects:
        try:
            _decode_object(thing_id, one, now, decoded)
        except RejectedError as error:
            decoded.refuse(error)
    return decoded


def _decode_object(thing_id: str, one: Any, now: datetime, decoded: Decoded) -> None:
    if not isinstance(one, dict):
        raise RejectedError(
            Reason.WRONG_SHAPE, f'expected an object with "time" and "results", got {quote(one)}'
        )
    time = parse_time(one.get("time"), now)
    results = one.get("results")
    if not isinstance(results, dict) or not results:
        raise RejectedError(
            Reason.WRONG_SHAPE,
            f'"results" must be an object of observed property and number, got {quote(results)}',
        )
    if len(results) > MAX_RESULTS:
        raise RejectedError(Reason.OVERSIZE, f"{len(results)} results at {one['time']}")
    period_s = parse_period(one.get("period_s"))
    reading = believed(thing_id, time, results, period_s)
    if reading is not None:
        decoded.observations.add(reading)
        return
    for name, value in results.items():
        try:
            decoded.observations.append(observe(thing_id, name, time, value, period_s))
        except RejectedError as error:
            decoded.refuse(error)


def parse_period(value: object) -> int | None:
    """Read the seconds that a count covers; None where they are left out.

    Raises:
        RejectedError: `wrong_shape`.
    """
    if value is None:
        return None
    if type(value) is not int or not 0 < value <= MAX_PERIOD_S:
        raise RejectedError(
            Reason.WRONG_SHAPE,
            f'"period_s" must be whole seconds from 1 to {MAX_PERIOD_S}, got {quote(value)}',
        )
    return value


def decode_thing(thing_id: str, payload: bytes) -> Thing:
    """Read the retained message that says what a thing is.

    Raises:
        RejectedError: `bad_thing` with the field and its value, `broken_json`, `oversize`.
    """
    document = load_json(payload)
    if not isinstance(document, dict):
        raise _bad(f"expected an object, got {quote(document)}")
    longitude, latitude = _point(document.get("location"))
    return Thing(
        thing_id=check_thing_id(thing_id),
        name=_text(document, "name", thing_id),
        name_en=_text(document, "name_en", ""),
        kind=_text(document, "kind", "thing"),
        longitude=longitude,
        latitude=latitude,
        datastreams=_datastreams(document.get("datastreams")),
        effective_width_m=_positive(document, "effective_width_m"),
        capacity=_whole(document, "capacity"),
        owner=_text(document, "owner", ""),
    )


def _bad(detail: str) -> RejectedError:
    return RejectedError(Reason.BAD_THING, detail)


def _text(document: dict[str, Any], key: str, default: str) -> str:
    value = document.get(key)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > 200 or "\x00" in value:
        raise _bad(f'"{key}" must be text of at most 200 characters, got {quote(value)}')
    return value.strip() or default


def _positive(document: dict[str, Any], key: str) -> float | None:
    value = document.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise _bad(f'"{key}" must be a number above 0, got {quote(value)}')
    return float(value)


def _whole(document: dict[str, Any], key: str) -> int | None:
    value = _positive(document, key)
    if value is None:
        return None
    if value != int(value):
        raise _bad(f'"{key}" must be a whole number, got {quote(value)}')
    return int(value)


def _point(location: object) -> tuple[float, float]:
    """GeoJSON point (RFC 7946): [longitude, latitude], an altitude is passed over."""
    coordinates = location.get("coordinates") if isinstance(location, dict) else None
    if (
        not isinstance(location, dict)
        or location.get("type") != "Point"
        or not isinstance(coordinates, list)
        or not 2 <= len(coordinates) <= 3
        or any(isinstance(c, bool) or not isinstance(c, (int, float)) for c in coordinates)
    ):
        raise _bad(
            '"location" must be a GeoJSON point such as {"type":"Point","coordinates":'
            f"[139.69,35.69]}}, got {quote(location)}"
        )
    longitude, latitude = float(coordinates[0]), float(coordinates[1])
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise _bad(
            f"location {quote(coordinates)} is not [longitude −180…180, latitude −90…90]; "
            "are the two swapped?"
        )
    return longitude, latitude


def _datastreams(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise _bad(f'"datastreams" must list observed properties, got {quote(value)}')
    names: dict[str, None] = {}
    for item in value:
        name = item.get("observed_property") if isinstance(item, dict) else item
        if not isinstance(name, str) or name not in OBSERVED_PROPERTIES:
            raise _bad(
                f"datastream {quote(name)} is not an observed property; known are "
                + ", ".join(OBSERVED_PROPERTIES)
            )
        names[name] = None
    return tuple(names)


def encode_observations(observations: Iterable[Observation]) -> bytes:
    """Write observations of one thing as the payload that a device publishes.

    Those of the same time and period share an object; one object stands alone, several make an array.
    """
    objects: dict[tuple[datetime, int | None], dict[str, Any]] = {}
    for one in observations:
        entry = objects.setdefault(
            (one.phenomenon_time, one.period_s),
            {"time": one.phenomenon_time, "results": {}}
            | ({} if one.period_s is None else {"period_s": one.period_s}),
        )
        entry["results"][one.observed_property] = one.result
    if not objects:
        raise ValueError("encode_observations needs at least one observation")
    documents = list(objects.values())
    return orjson.dumps(documents[0] if len(documents) == 1 else documents)


def encode_thing(thing: Thing) -> bytes:
    """Write the retained message of a thing; fields without a value are left out."""
    document: dict[str, Any] = {
        "name": thing.name,
        "name_en": thing.name_en,
        "kind": thing.kind,
        "location": {"type": "Point", "coordinates": [thing.longitude, thing.latitude]},
        "datastreams": list(thing.datastreams),
        "effective_width_m": thing.effective_width_m,
        "capacity": thing.capacity,
        "owner": thing.owner,
    }
    return orjson.dumps({k: v for k, v in document.items() if v not in (None, "")})
