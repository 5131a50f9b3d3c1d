"""Recordings are read completely: sums equal the file's, clocks are right, nothing is dropped unsaid."""

from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import Path

import pandas as pd
import pytest

from tsuji_simulators.recorded import Recording, RecordingError, amedas, melbourne
from tsuji_simulators.recorded.recording import RowError
from tsuji_simulators.replay import between

COUNTS = "footfall/melbourne_hourly_2014_raw.csv"
LOCATIONS = "footfall/melbourne_sensor_locations_2016.csv"
WEATHER = "weather/amedas_tokyo_hourly_2023-07_2023-12.csv"
STATIONS = "weather/amedas_tokyo_stations.csv"
COUNT_HEADER = "Date,Day_of_week,Hour,SensorID,SensorName,PedestrianCount\n"
LOCATION_ROWS = "Sensor ID,Sensor Description,Latitude,Longitude\n4,Town Hall,-37.81,144.96\n"
WEATHER_HEADER = "obs_time_jst,amdno,temp_c,precipitation1h_mm\n"
STATION_ROWS = "amdno,lat,lon,kjName,enName\n44132,35.69,139.75,東京,Tokyo\n"
MIDNIGHT = clock(0)


@pytest.fixture(scope="module")
def counts(data_folder: Path) -> Recording:
    return melbourne.read(data_folder / COUNTS, data_folder / LOCATIONS)


@pytest.fixture(scope="module")
def weather(data_folder: Path) -> Recording:
    return amedas.read(data_folder / WEATHER, data_folder / STATIONS)


def test_every_melbourne_row_is_used(counts: Recording) -> None:
    assert counts.rows == len(counts.observations) == 42_951
    assert counts.problems == ()
    assert len(counts.things) == 35
    assert all(thing.datastreams == ("pedestrians",) for thing in counts.things)


@pytest.mark.parametrize("form", ["until 2022", "since 2022"])
def test_melbourne_is_the_same_in_all_forms_of_the_city(
    counts: Recording, data_folder: Path, tmp_path: Path, form: str
) -> None:
    folder = data_folder / "footfall"
    frame = pd.read_csv(folder / "melbourne_hourly_2014_raw.csv")
    places = pd.read_csv(folder / "melbourne_sensor_locations_2016.csv")
    days = pd.to_datetime(frame["Date"], format="%d-%b-%Y")
    table, locations = tmp_path / "counts.csv", tmp_path / "locations.csv"
    if form == "until 2022":
        pd.DataFrame(
            {
                "ID": frame.index,
                "Date_Time": frame["Date"],
                "Year": days.dt.year,
                "Month": days.dt.strftime("%B"),
                "Mdate": days.dt.day,
                "Day": frame["Day_of_week"],
                "Time": frame["Hour"],
                "Sensor_ID": frame["SensorID"],
                "Sensor_Name": frame["SensorName"],
                "Hourly_Counts": frame["PedestrianCount"],
            }
        ).to_csv(table, index=False)
        places.to_csv(locations, index=False)
    else:
        pd.DataFrame(
            {
                "id": frame.index,
                "location_id": frame["SensorID"],
                "sensing_date": days.dt.strftime("%Y-%m-%d"),
                "hourday": frame["Hour"],
                "pedestriancount": frame["PedestrianCount"],
                "sensor_name": frame["SensorName"],
                "location": "-37.8, 144.9",
            }
        ).to_csv(table, index=False, sep=";")
        places.rename(
            columns={
                "Sensor ID": "location_id",
                "Sensor Description": "sensor_description",
                "Latitude": "latitude",
                "Longitude": "longitude",
            }
        ).to_csv(locations, index=False, sep=";")
    again = melbourne.read(table, locations)
    assert (again.things, again.observations) == (counts.things, counts.observations)


def test_melbourne_sums_per_counter_and_local_day_are_those_of_the_file(
    counts: Recording, data_folder: Path
) -> None:
    file = pd.read_csv(data_folder / COUNTS)
    days = pd.to_datetime(file["Date"], format="%d-%b-%Y").dt.date
    expected = file.groupby(["SensorID", days])["PedestrianCount"].sum().to_dict()
    summed: dict[tuple[int, date], float] = {}
    for one in counts.observations:
        assert one.period_s is not None
        begin = one.phenomenon_time.astimezone(UTC) - timedelta(seconds=one.period_s)
        place = (
            int(one.thing_id.removeprefix("melbourne-")),
            begin.astimezone(melbourne.ZONE).date(),
        )
        summed[place] = summed.get(place, 0) + one.result
    assert summed == expected


def test_melbourne_periods_of_each_counter_tile_time(counts: Recording) -> None:
    """Also through both clock changes; only whole days without a counter are missing."""
    ends: dict[str, datetime] = {}
    for one in counts.observations:
        assert one.period_s is not None
        begin = one.phenomenon_time - timedelta(seconds=one.period_s)
        before = ends.get(one.thing_id, begin)
        local = [time.astimezone(UTC).astimezone(melbourne.ZONE).time() for time in (before, begin)]
        assert begin == before or local == [MIDNIGHT, MIDNIGHT]
        ends[one.thing_id] = one.phenomenon_time


def test_melbourne_clock_changes(counts: Recording) -> None:
    two_hours = [one for one in counts.observations if one.period_s != 3600]
    assert {one.period_s for one in two_hours} == {7200}
    assert {one.phenomenon_time.isoformat() for one in two_hours} == {"2014-04-06T03:00:00+10:00"}
    assert len(two_hours) == 32
    assert sum(one.result for one in two_hours) == 4031
    assert len(counts.notes) == 1
    assert "2014-04-06T03:00:00+10:00" in counts.notes[0]
    assert melbourne.hour_span(date(2014, 4, 6), 1)[0].isoformat() == "2014-04-06T02:00:00+11:00"
    assert melbourne.hour_span(date(2014, 10, 5), 1)[0].isoformat() == "2014-10-05T03:00:00+11:00"
    assert melbourne.hour_span(date(2014, 10, 5), 3)[0].isoformat() == "2014-10-05T04:00:00+11:00"
    with pytest.raises(RowError, match="the clock skipped this hour: 2014-10-05 hour 2"):
        melbourne.hour_span(date(2014, 10, 5), 2)


@pytest.mark.parametrize(("day", "hour"), [(date(1, 1, 1), 0), (date(9999, 12, 31), 23)])
def test_an_hour_at_the_end_of_the_calendar_is_a_bad_row(day: date, hour: int) -> None:
    with pytest.raises(RowError, match="year is not 2 to 9998"):
        melbourne.hour_span(day, hour)


def test_recordings_are_in_time_order(counts: Recording, weather: Recording) -> None:
    for recording in (counts, weather):
        times = [one.phenomenon_time.timestamp() for one in recording.observations]
        assert times == sorted(times)


def test_a_local_day_is_what_ends_inside_it(counts: Recording) -> None:
    start = datetime(2014, 4, 6, tzinfo=melbourne.ZONE)
    end = datetime(2014, 4, 7, tzinfo=melbourne.ZONE)
    chosen = list(between(counts.observations, start, end))
    assert len(chosen) == 768
    assert sum(one.period_s or 0 for one in chosen) == 32 * 25 * 3600


def test_every_amedas_value_is_used(weather: Recording, data_folder: Path) -> None:
    file = pd.read_csv(data_folder / WEATHER, dtype={"amdno": str})
    for name, column in (("air_temperature", "temp_c"), ("rainfall", "precipitation1h_mm")):
        by_station = file.dropna(subset=[column]).groupby("amdno")[column].agg(["size", "sum"])
        found: dict[str, list[float]] = {}
        for one in weather.observations:
            if one.observed_property == name:
                found.setdefault(one.thing_id.removeprefix("amedas-"), []).append(one.result)
        assert set(found) == set(by_station.index)
        for station, (size, total) in zip(by_station.index, by_station.to_numpy(), strict=True):
            assert len(found[station]) == size
            assert sum(found[station]) == pytest.approx(total)
    empty = file[file["temp_c"].isna() & file["precipitation1h_mm"].isna()]
    assert [p.line for p in weather.problems] == (empty.index + 2).tolist()
    assert {p.reason for p in weather.problems} == {"neither temperature nor rain"}


def test_amedas_stations_have_what_they_measure(weather: Recording) -> None:
    things = {thing.thing_id: thing for thing in weather.things}
    assert len(things) == 23
    assert things["amedas-44051"].datastreams == ("rainfall",)
    tokyo = things["amedas-44132"]
    assert tokyo.datastreams == ("air_temperature", "rainfall")
    assert (tokyo.longitude, tokyo.latitude) == (139.75, 35.691667)
    assert (tokyo.name, tokyo.name_en) == ("アメダス 東京", "AMeDAS Tokyo")


@pytest.mark.parametrize(
    ("row", "reason", "value"),
    [
        ("24-Mar-2014,Monday,0,99,Elsewhere,161", "counter without coordinates", "99 'Elsewhere'"),
        ("24/03/2014,Monday,0,4,Town Hall,161", "date is not like 24-Mar-2014", "'24/03/2014'"),
        ("31-Feb-2014,Monday,0,4,Town Hall,161", "date is not like 24-Mar-2014", "'31-Feb-2014'"),
        ("24-Mar-2014,Monday,24,4,Town Hall,161", "hour is not 0 to 23", "24"),
        ("24-Mar-2014,Monday,0,4,Town Hall,", "PedestrianCount is not a whole number", "''"),
        ("24-Mar-2014,Monday,0,4,Town Hall,-3", "implausible value", "pedestrians -3"),
        ("05-Oct-2014,Sunday,2,4,Town Hall,50", "the clock skipped this hour", "2014-10-05 hour 2"),
        ("24-Mar-2014,Monday,1,4,Town Hall,7", "a second value for the same", "melbourne-4"),
    ],
)
def test_a_melbourne_row_that_can_not_be_used_is_reported(
    tmp_path: Path, row: str, reason: str, value: str
) -> None:
    (tmp_path / "counts.csv").write_text(
        COUNT_HEADER + "24-Mar-2014,Monday,1,4,Town Hall,161\n" + row + "\n"
    )
    (tmp_path / "locations.csv").write_text(LOCATION_ROWS)
    recording = melbourne.read(tmp_path / "counts.csv", tmp_path / "locations.csv")
    assert len(recording.observations) == 1
    (problem,) = recording.problems
    assert problem.line == 3
    assert problem.reason.startswith(reason)
    assert problem.value.startswith(value)
    assert recording.problem_summary()[0].startswith(f"1 row not used: {reason}")


@pytest.mark.parametrize(
    ("row", "reason", "kept"),
    [
        ("2023-07-13T13:00:00+09:00,44132,25.3,0.5", "", 2),
        ("2023-07-13T13:00:00+09:00,44132,,0.5", "", 1),
        ("2023-07-13T13:00:00+09:00,44132,,", "neither temperature nor rain", 0),
        ("2023-07-13T13:00:00+09:00,99999,25.3,0.5", "station without coordinates", 0),
        ("2023-07-13T13:00:00,44132,25.3,0.5", "time has no offset", 0),
        ("July 13,44132,25.3,0.5", "time is not ISO 8601", 0),
        ("2023-07-13T13:00:00+09:00,44132,warm,0.5", "temp_c is not a number", 1),
        ("2023-07-13T13:00:00+09:00,44132,253,0.5", "implausible value", 1),
        ("2023-07-13T13:00:00+09:00,44132,nan,0.5", "implausible value", 1),
    ],
)
def test_amedas_rows_are_used_or_reported(tmp_path: Path, row: str, reason: str, kept: int) -> None:
    (tmp_path / "weather.csv").write_text(WEATHER_HEADER + row + "\n")
    (tmp_path / "stations.csv").write_text(STATION_ROWS)
    recording = amedas.read(tmp_path / "weather.csv", tmp_path / "stations.csv")
    assert len(recording.observations) == kept
    assert [p.reason for p in recording.problems] == ([reason] if reason else [])
    assert len(recording.things) == (1 if kept else 0)


def test_a_file_of_another_kind_is_refused_with_its_columns(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text("date_time,sensor_id,count\n")
    (tmp_path / "locations.csv").write_text(LOCATION_ROWS)
    with pytest.raises(RecordingError, match=r"has no column Date, Hour.*begins with date_time"):
        melbourne.read(tmp_path / "counts.csv", tmp_path / "locations.csv")
    with pytest.raises(RecordingError, match="can't be read"):
        melbourne.read(tmp_path / "nowhere.csv", tmp_path / "locations.csv")
    (tmp_path / "counts.csv").write_bytes(COUNT_HEADER.encode() + "気温".encode("cp932"))
    with pytest.raises(RecordingError, match="can't be read as UTF-8 CSV"):
        melbourne.read(tmp_path / "counts.csv", tmp_path / "locations.csv")
