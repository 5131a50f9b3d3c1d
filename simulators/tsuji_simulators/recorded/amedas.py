"""The Japan Meteorological Agency's AMeDAS observations: hourly temperature and rain, gaps and all.

An hour that the agency did not publish, or a value that it left empty, stays a gap. Rain is the total
of the hour that ends at the observation's time; after a gap the missing hours' rain is missing as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tsuji_platform.contract import Observation, RejectedError, Thing
from tsuji_simulators.recorded.recording import (
    Collector,
    Read,
    Recording,
    RowError,
    csv_rows,
    degrees,
)

_COLUMNS = {"air_temperature": "temp_c", "rainfall": "precipitation1h_mm"}
_STATION_COLUMNS = ("amdno", "lat", "lon", "kjName", "enName")


def read(observations: Path, stations: Path) -> Recording:
    """Read observations and the coordinates of their stations.

    A row is not used, and reported, where its station is not in `stations`, where its time has no
    offset, or where it holds no value. A single value that can't be believed is reported alone.

    Args:
        observations: CSV with obs_time_jst (with offset), amdno, temp_c, precipitation1h_mm.
        stations: CSV with amdno, lat, lon (degrees), kjName, enName.

    Raises:
        RecordingError: where one of the files can't be read or lacks a column.
    """
    things = stations_of(stations)
    found = Collector()
    for read_row in rows(observations, things):
        found.take(read_row)
    numbers = {thing.thing_id: number for number, thing in things.items()}
    measured: dict[str, set[str]] = {}
    for one in found.observations:
        measured.setdefault(numbers[one.thing_id], set()).add(one.observed_property)
    return found.recording(dict(_measuring(things, measured)))


def rows(observations: Path, things: Mapping[str, Thing]) -> Iterator[Read]:
    """Read observations row by row, in the same memory however many there are.

    Args:
        observations: as for `read`.
        things: from `stations_of`.

    Raises:
        RecordingError: where the file can't be read or lacks a column.
    """
    for line, row in csv_rows(observations, ("obs_time_jst", "amdno", *_COLUMNS.values())):
        try:
            thing, time = _station(row, things), _time(row["obs_time_jst"])
            values = [(name, row[column].strip()) for name, column in _COLUMNS.items()]
            if not any(text for _, text in values):
                raise RowError("neither temperature nor rain", f"{row['amdno']} {time.isoformat()}")
        except RowError as error:
            yield Read(line=line, row=row, errors=(error,))
            continue
        believed, errors = [], []
        for name, text in values:
            if text:
                try:
                    believed.append(_observation(thing, name, time, text))
                except RowError as error:
                    errors.append(error)
        yield Read(line=line, row=row, observations=believed, errors=errors)


def _measuring(
    things: Mapping[str, Thing], measured: Mapping[str, set[str]]
) -> Iterator[tuple[str, Thing]]:
    """Each station with the datastreams that it really has; some have no thermometer."""
    for number, thing in things.items():
        if number in measured:
            streams = tuple(name for name in _COLUMNS if name in measured[number])
            yield number, replace(thing, datastreams=streams)


def stations_of(stations: Path) -> Mapping[str, Thing]:
    """The stations that have coordinates, by their number.

    Raises:
        RecordingError: where the file can't be read or lacks a column.
    """
    things: dict[str, Thing] = {}
    for _, row in csv_rows(stations, _STATION_COLUMNS):
        try:
            longitude, latitude = degrees(row, "lat", "lon")
        except RowError:
            continue  # its observations are reported as those of an unknown station
        things[row["amdno"]] = Thing(
            thing_id=f"amedas-{row['amdno']}",
            name=f"アメダス {row['kjName']}",
            name_en=f"AMeDAS {row['enName']}",
            kind="weather_station",
            longitude=longitude,
            latitude=latitude,
            datastreams=tuple(_COLUMNS),
            owner="気象庁",
        )
    return things


def _station(row: Mapping[str, str], things: Mapping[str, Thing]) -> Thing:
    thing = things.get(row["amdno"])
    if thing is None:
        raise RowError("station without coordinates", repr(row["amdno"]))
    return thing


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise RowError("time is not ISO 8601", repr(text)) from error
    if time.tzinfo is None:
        raise RowError("time has no offset", repr(text))
    return time


def _observation(thing: Thing, name: str, time: datetime, text: str) -> Observation:
    try:
        value = float(text)
    except ValueError as error:
        raise RowError(f"{_COLUMNS[name]} is not a number", repr(text)) from error
    try:
        return Observation(
            thing_id=thing.thing_id, observed_property=name, phenomenon_time=time, result=value
        )
    except RejectedError as error:
        raise RowError.of(error) from error
