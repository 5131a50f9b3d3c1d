"""The City of Melbourne's pedestrian counts: hourly, in local time, through both clock changes.

A row says a local date and an hour of the clock. What stretch of time that is, the time zone says:

- An ordinary hour is 3,600 s and ends at the next full hour.
- On the day on which summer time begins the hour 2 does not exist; a row that claims it is not used.
- On the day on which it ends the hour 2 is passed twice, but the file has one row for it. Nothing in
  the file says which of the two that is, and the numbers fit neither one alone: on 2014-04-06 the
  Lonsdale Street counter shows more than in the hour before, as two hours together would, while most
  older counters show a fraction of one hour (they do so in the first hour after the change in
  October, too). What is certain is that the people were counted between the beginning of the first
  and the end of the second, so the row is given that period: 7,200 s. No hour is then invented,
  nothing is counted twice, and the day's sum is the file's.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from tsuji_platform.contract import Observation, RejectedError, Thing
from tsuji_simulators.recorded.recording import (
    Collector,
    Read,
    Recording,
    RowError,
    csv_rows,
    degrees,
)

ZONE = ZoneInfo("Australia/Melbourne")
OBSERVED_PROPERTY = "pedestrians"
_COUNT_COLUMNS = ("Date", "Hour", "SensorID", "SensorName", "PedestrianCount")
_UNTIL_2022 = ("Year", "Month", "Mdate", "Time", "Sensor_ID", "Sensor_Name", "Hourly_Counts")
_SINCE_2022 = ("location_id", "sensing_date", "hourday", "sensor_name", "pedestriancount")
_LOCATION_COLUMNS = ("Sensor ID", "Sensor Description", "Latitude", "Longitude")
_LOCATIONS_SINCE_2022 = ("location_id", "sensor_description", "latitude", "longitude")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HOUR = timedelta(hours=1)


def read(counts: Path, locations: Path) -> Recording:
    """Read counts and the coordinates of their counters.

    A row is not used, and reported, where its counter has no coordinates in `locations`, where date,
    hour or count can't be read, or where the hour does not exist or was given already.

    Args:
        counts: CSV with Date (24-Mar-2014), Hour (0-23), SensorID, SensorName, PedestrianCount; or as
            the City published it until 2022 (Year, Month, Mdate, Time, Sensor_ID, Sensor_Name,
            Hourly_Counts) or does since (location_id, sensing_date, hourday, sensor_name,
            pedestriancount).
        locations: CSV with Sensor ID, Sensor Description, Latitude, Longitude; or location_id,
            sensor_description, latitude, longitude.

    Raises:
        RecordingError: where one of the files can't be read or lacks a column.
    """
    things = counters(locations)
    found = Collector()
    for read_row in rows(counts, things):
        found.take(read_row)
    twice = sorted({one.phenomenon_time for one in found.observations if one.period_s != 3600})
    return found.recording(
        things,
        notes=[
            f"counts that end at {time.isoformat()} cover two hours, since the clock passed the last "
            "one twice and the file has one row for both"
            for time in twice
        ],
    )


def rows(counts: Path, things: Mapping[str, Thing]) -> Iterator[Read]:
    """Read counts row by row, in the same memory however many there are.

    Args:
        counts: as for `read`.
        things: from `counters`.

    Raises:
        RecordingError: where the file can't be read or lacks a column.
    """
    for line, row in csv_rows(counts, _COUNT_COLUMNS, _UNTIL_2022, _SINCE_2022):
        try:
            yield Read(line=line, row=row, observations=(_observation(_count(row), things),))
        except RowError as error:
            yield Read(line=line, row=row, errors=(error,))


def counters(locations: Path) -> Mapping[str, Thing]:
    """The counters that have coordinates, by their number.

    Raises:
        RecordingError: where the file can't be read or lacks a column.
    """
    things: dict[str, Thing] = {}
    for _, row in csv_rows(locations, _LOCATION_COLUMNS, _LOCATIONS_SINCE_2022):
        if "location_id" in row:
            row = dict(
                zip(_LOCATION_COLUMNS, (row[one] for one in _LOCATIONS_SINCE_2022), strict=True)
            )
        counter = row["Sensor ID"].strip()
        name = row["Sensor Description"].strip() or f"Counter {counter}"
        try:
            longitude, latitude = degrees(row, "Latitude", "Longitude")
        except RowError:
            continue  # its counts are reported as those of a counter without coordinates
        things[counter] = Thing(
            thing_id=f"melbourne-{counter}",
            name=name,
            name_en=name,
            kind="footfall_counter",
            longitude=longitude,
            latitude=latitude,
            datastreams=(OBSERVED_PROPERTY,),
            owner="City of Melbourne",
        )
    return things


def _count(row: Mapping[str, str]) -> Mapping[str, str]:
    """A row of any of the City's forms in the first."""
    if "location_id" in row:
        counter, day, hour, name, count = (row[one] for one in _SINCE_2022)
    elif "Sensor_ID" in row:
        year, month, of_month, hour, counter, name, count = (row[one] for one in _UNTIL_2022)
        day = f"{of_month.strip()}-{month.strip()[:3]}-{year.strip()}"
    else:
        return row
    return dict(zip(_COUNT_COLUMNS, (day, hour, counter, name, count), strict=True))


def _observation(row: Mapping[str, str], things: Mapping[str, Thing]) -> Observation:
    counter = row["SensorID"].strip()
    thing = things.get(counter)
    if thing is None:
        raise RowError("counter without coordinates", f"{counter} {row['SensorName']!r}")
    end, period_s = hour_span(_date(row["Date"]), _whole(row, "Hour"))
    try:
        return Observation(
            thing_id=thing.thing_id,
            observed_property=OBSERVED_PROPERTY,
            phenomenon_time=end,
            result=_whole(row, "PedestrianCount"),
            period_s=period_s,
        )
    except RejectedError as error:
        raise RowError.of(error) from error


def _date(text: str) -> date:
    try:
        if text[4:5] == "-":
            return date.fromisoformat(text.strip())
        day, month, year = text.strip().split("-")
        return date(int(year), _MONTHS.index(month) + 1, int(day))
    except ValueError as error:
        raise RowError("date is not like 24-Mar-2014", repr(text)) from error


def _whole(row: Mapping[str, str], column: str) -> int:
    try:
        return int(row[column])
    except ValueError as error:
        raise RowError(f"{column} is not a whole number", repr(row[column])) from error


@lru_cache(maxsize=4096)
def hour_span(day: date, hour: int) -> tuple[datetime, int]:
    """The end, with its local offset, and the seconds of an hour of Melbourne's clock.

    Raises:
        RowError: where the clock never showed that hour on that day, or the calendar ends.
    """
    if not 0 <= hour <= 23:
        raise RowError("hour is not 0 to 23", str(hour))
    if not 1 < day.year < 9999:  # in UTC it may be in a year that Python has no time for
        raise RowError("year is not 2 to 9998", str(day))
    # The instants at which the clock shows this hour's beginning: one, two, or none.
    label = datetime(day.year, day.month, day.day, hour)  # noqa: DTZ001 (a label, not an instant)
    beginnings = {
        instant
        for fold in (0, 1)
        if (instant := label.replace(tzinfo=ZONE, fold=fold).astimezone(UTC))
        .astimezone(ZONE)
        .replace(tzinfo=None)
        == label
    }
    if not beginnings:
        raise RowError("the clock skipped this hour", f"{day} hour {hour}")
    end = max(beginnings) + _HOUR
    # A fixed offset: Python compares and subtracts two times of one zone by the clock on the wall.
    offset = end.astimezone(ZONE).utcoffset() or timedelta()
    return end.astimezone(timezone(offset)), int((end - min(beginnings)).total_seconds())
