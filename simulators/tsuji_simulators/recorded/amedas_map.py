"""The Japan Meteorological Agency's AMeDAS as it publishes it: every ten minutes a JSON file of all stations.

Files are named by their time in Japan, `20240131093000.json`, and nothing inside says it. Each element
is a value with a quality flag: 0 is a value that passed the agency's checks; others are reported and not
used. What a station does not measure has no flag, and is no gap. Rain is that of the last ten minutes, or
of the last hour where only the files of full hours are read. The wind has sixteen directions; 0 is calm.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tsuji_platform.contract import Observation, RejectedError, Thing
from tsuji_platform.contract.messages import observe
from tsuji_simulators.recorded.recording import Read, RecordingError, RowError

_JAPAN = timezone(timedelta(hours=9))
_NAME = re.compile(r"(\d{14})\.json", re.ASCII)
_MAX_BYTES = 16 << 20
_ELEMENTS = {
    "temp": "air_temperature",
    "humidity": "relative_humidity",
    "pressure": "air_pressure",
    "wind": "wind_speed",
    "windDirection": "wind_from_direction",
}
RAIN = {"10m": "precipitation10m", "1h": "precipitation1h"}
"""By the time between files the element that says how much fell meanwhile."""
_CALM, _SECTOR = 0, 22.5


def stations_of(table: Path) -> Mapping[str, Thing]:
    """The stations of the agency's `amedastable.json`, by their number.

    Raises:
        RecordingError: where the file can't be read.
    """
    things: dict[str, Thing] = {}
    for number, station in _document(table).items():
        try:
            things[number] = Thing(
                thing_id=f"amedas-{number}",
                name=f"アメダス {station['kjName']}",
                name_en=f"AMeDAS {station['enName']}",
                kind="weather_station",
                longitude=_degrees(station["lon"]),
                latitude=_degrees(station["lat"]),
                datastreams=(*_ELEMENTS.values(), "rainfall"),
                owner="気象庁",
            )
        except (KeyError, TypeError, ValueError):
            continue  # its observations are reported as those of an unknown station
    return things


def rows(observations: Path, things: Mapping[str, Thing], rain: str = "10m") -> Iterator[Read]:
    """Read one file, station by station; `line` is the place of the station in it, from 1.

    Args:
        observations: named by its time.
        things: from `stations_of`.
        rain: `10m`, or `1h` where only the files of full hours are read.

    Raises:
        RecordingError: where the file can't be read or its name is no time.
    """
    time = _time(observations)
    wanted = _ELEMENTS | {RAIN[rain]: "rainfall"}
    for line, (number, elements) in enumerate(_document(observations).items(), 1):
        row = {"station": number, "values": json.dumps(elements, ensure_ascii=False)}
        thing = things.get(number)
        if thing is None:
            error = RowError("station without coordinates", repr(number))
            yield Read(line=line, row=row, errors=(error,))
            continue
        if not isinstance(elements, dict):
            error = RowError("station is not an object of elements", repr(elements)[:80])
            yield Read(line=line, row=row, errors=(error,))
            continue
        believed, errors = [], []
        for element, name in wanted.items():
            try:
                one = _observation(thing, name, element, elements, time)
            except RowError as error:
                errors.append(error)
                continue
            if one is not None:
                believed.append(one)
        yield Read(line=line, row=row, observations=believed, errors=errors)


def _observation(
    thing: Thing, name: str, element: str, elements: Mapping[str, Any], time: datetime
) -> Observation | None:
    """The value of one element, None where the station does not measure it or the air is calm."""
    found = elements.get(element)
    if found is None:
        return None
    if not isinstance(found, list) or len(found) != 2:
        raise RowError(f"{element} is not [value, flag]", repr(found)[:80])
    value, flag = found
    if flag is None:
        return None
    if flag != 0:
        raise RowError("quality flag is not 0", f"{element} {value}, flag {flag}")
    if element == "windDirection" and isinstance(value, int):
        if value == _CALM:
            return None
        value = value * _SECTOR
    try:
        return observe(thing.thing_id, name, time, value)
    except RejectedError as error:
        raise RowError.of(error) from error


def _time(path: Path) -> datetime:
    found = _NAME.search(path.name)
    try:
        if found is not None:
            return datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=_JAPAN)
    except ValueError:
        pass
    raise RecordingError(
        f"{path}: its name must be its time in Japan, as the agency names it: 20240131093000.json"
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RecordingError(f"{path} has more than {_MAX_BYTES >> 20} MiB; it is another file")
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(f"{path} can't be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise RecordingError(
            f"{path} must be an object by station number, as the agency publishes it"
        )
    return document


def _degrees(value: Any) -> float:
    """[degrees, minutes]."""
    degrees, minutes = value
    return float(degrees) + float(minutes) / 60
