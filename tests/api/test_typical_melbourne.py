"""Sums, medians and typical values of a real city's counters equal those that pandas takes from its file."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from samples import packed, received_at, registration
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.contract import Observation
from tsuji_platform.store import Database, Refresher
from tsuji_platform.store.writer import Writer
from tsuji_simulators.recorded import melbourne

_FILE = "footfall/melbourne_hourly_2014_raw.csv"
_LOCATIONS = "footfall/melbourne_sensor_locations_2016.csv"
_HOLIDAYS = {date(2014, 9, 23), date(2014, 10, 13)}
"""秋分の日 and 体育の日: Japan's in the weeks of the file, but for Sundays."""
_ZONE = ZoneInfo("Australia/Melbourne")
_WEEKS = [(date(2014, 3, 24), date(2014, 4, 21)), (date(2014, 9, 22), date(2014, 10, 20))]
"""What the file covers: the end of summer time on 2014-04-06 in the first, its beginning on 2014-10-05 in
the second."""
_DAYS = [date(2014, 10, 16), date(2014, 10, 18), date(2014, 10, 19), date(2014, 4, 15)]


@pytest.fixture
def api(hub_url: str, hub_database: Database, writer: Writer, data_folder: Path) -> Iterator:
    """The file, imported; one half rolled up by quarter hours, the other still in the log."""
    recording = melbourne.read(data_folder / _FILE, data_folder / _LOCATIONS)
    now = datetime.fromisoformat("2014-10-20T00:00:00Z")
    refresher = Refresher(hub_url)
    for thing in recording.things:
        writer.save([registration(thing.thing_id, melbourne.OBSERVED_PROPERTY)])
    middle = len(recording.observations) // 2
    save(writer, recording.observations[:middle], now)
    while refresher.refresh() or refresher.profile():
        pass
    save(writer, recording.observations[middle:], now)
    refresher.close()
    with TestClient(create_app(Hub(hub_database, lambda: now))) as client:
        yield client


def save(writer: Writer, observations: Sequence[Observation], now: datetime) -> None:
    by_thing = defaultdict(list)
    for observation in observations:
        by_thing[observation.thing_id].append(observation)
    for thing_id, its in by_thing.items():
        writer.save([received_at(packed(thing_id, its), now)])


def kind(day: date) -> str:
    if day.weekday() == 6 or day in _HOLIDAYS:
        return "holiday"
    return "saturday" if day.weekday() == 5 else "weekday"


def counts(folder: Path) -> pd.DataFrame:
    """The file's counts by counter and Tokyo day and hour, without the hour that was passed twice."""
    rows = pd.read_csv(folder / _FILE)
    local = pd.to_datetime(rows["Date"], format="%d-%b-%Y") + pd.to_timedelta(rows["Hour"], "h")
    rows["start"] = local.dt.tz_localize(
        "Australia/Melbourne", ambiguous="NaT", nonexistent="NaT"
    ).dt.tz_convert("Asia/Tokyo")
    rows = rows.dropna(subset="start").drop_duplicates(["SensorID", "start"])
    rows["day"], rows["hour"] = rows["start"].dt.date, rows["start"].dt.hour
    rows["kind"] = rows["day"].map(kind)
    return rows


@pytest.mark.parametrize("weeks", _WEEKS)
def test_daily_sums_and_hourly_medians_across_a_clock_change_equal_those_of_pandas(
    api: TestClient, data_folder: Path, weeks: tuple[date, date]
) -> None:
    """By Melbourne's days, of which one has 23 or 25 hours, and by what its clocks showed."""
    rows = pd.read_csv(data_folder / _FILE)
    rows["Date"] = pd.to_datetime(rows["Date"], format="%d-%b-%Y").dt.date
    rows = rows[(rows["Date"] >= weeks[0]) & (rows["Date"] < weeks[1])]
    start, end = (datetime.combine(day, datetime.min.time(), _ZONE) for day in weeks)
    hours_of_days = set()
    counters = rows.groupby("SensorID")
    assert len(counters) >= 30
    for counter, mine in counters:
        asked = {"observed_property": "pedestrians", "step": 3600}
        body = api.get(
            f"/v1/things/melbourne-{counter}/series",
            params={**asked, "start": start.isoformat(), "end": end.isoformat()},
        ).json()
        steps = defaultdict(list)
        for time, value in zip(body["times"], body["values"], strict=True):
            began = datetime.fromisoformat(time) - timedelta(hours=1)
            local = began.astimezone(_ZONE)
            steps[local.date(), local.hour].append(value)
        hours_of_days |= set(Counter(day for (day, _), its in steps.items() for _ in its).values())
        # the clock passed one hour twice, of which the file has one row
        counts = {
            key: sum(v for v in its if v is not None)
            for key, its in steps.items()
            if any(v is not None for v in its)
        }
        assert counts == mine.set_index(["Date", "Hour"])["PedestrianCount"].to_dict()
        days, hours = defaultdict(float), defaultdict(list)
        for (day, hour), count in counts.items():
            days[day] += count
            hours[hour].append(count)
        assert days == mine.groupby("Date")["PedestrianCount"].sum().to_dict()
        medians = {hour: statistics.median(its) for hour, its in hours.items()}
        assert medians == mine.groupby("Hour")["PedestrianCount"].median().to_dict()
    assert hours_of_days == ({24, 25} if weeks == _WEEKS[0] else {23, 24})


def test_hourly_quartiles_of_every_counter_equal_those_of_pandas(
    api: TestClient, data_folder: Path
) -> None:
    rows = counts(data_folder)
    things = [it["id"] for it in api.get("/v1/things").json()["items"]]
    assert len(things) >= 35
    compared = 0
    for day in _DAYS:
        behind = rows[
            (rows["kind"] == kind(day))
            & (rows["day"] < day)
            & (rows["day"] >= day - timedelta(weeks=8))
        ]
        counters = dict(list(behind.groupby("SensorID")))
        for thing in things:
            body = api.get(
                f"/v1/things/{thing}/typical",
                params={"observed_property": "pedestrians", "date": f"{day}"},
            ).json()
            assert body["kind"] == kind(day)
            mine = counters.get(int(thing.removeprefix("melbourne-")))
            if mine is None:
                assert set(body["days"]) == {0}
                continue
            assert body["step_s"] == 3600
            by_hour = mine.groupby("hour")["PedestrianCount"]
            quartiles = by_hour.quantile([0.25, 0.5, 0.75]).unstack()
            days = by_hour.count()
            for hour in range(24):
                n = int(days.get(hour, 0))
                got = [body[name][hour] for name in ("q1", "median", "q3")]
                assert body["days"][hour] == n, (thing, day, hour)
                if n < 3:
                    assert got == [None] * 3
                else:
                    assert all(map(math.isclose, got, quartiles.loc[hour])), (thing, day, hour)
                    compared += 1
    assert compared > 2_000
