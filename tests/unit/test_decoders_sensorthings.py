"""Observations that SensorThings clients create, by the request bodies of OGC's own test suite."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from samples import RECEIVED, T0, after
from tsuji_ingest.decoders import registered
from tsuji_ingest.packet import Packet
from tsuji_platform.contract import Observation, Reason, RejectedError
from tsuji_platform.contract.topics import (
    DatastreamId,
    datastream_observations_topic,
    parse_sensorthings_topic,
)
from tsuji_platform.settings import DecoderSettings
from tsuji_platform.store.records import Received

TOPIC = "v1.1/Datastreams('pole:illuminance')/Observations"
COUNTS = "v1.1/Datastreams('gate:pedestrians')/Observations"
LINK = re.compile(rb"\$(DATASTREAM|FOI)[-_]ID")
MARCH = datetime(2015, 3, 1, tzinfo=UTC)


def decode(payload: bytes | dict[str, Any] | list[Any], topic: str = TOPIC) -> Received:
    raw = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    decoders = registered(DecoderSettings(the_things_stack=None))
    return decoders.decode(Packet(topic=topic, payload=raw, received_at=RECEIVED))


def observed(received: Received) -> Observation:
    assert received.rejections == ()
    (one,) = received.observations
    assert one.thing_id == received.thing_id
    return one


def reason(received: Received) -> Reason:
    assert received.observations == ()
    (one,) = received.rejections
    return one.reason


@pytest.fixture(scope="session")
def bodies(data_folder: Path) -> dict[str, bytes]:
    folder = data_folder / "api" / "sensorthings_ets" / "JSON_entities" / "observations"
    return {file.stem: file.read_bytes() for file in folder.glob("*.json")}


def test_bodies_of_the_test_suite_become_observations(bodies: dict[str, bytes]) -> None:
    found = {
        name: observed(decode(LINK.sub(b'"pole:illuminance"', body)))
        for name, body in bodies.items()
        if name != "dataArray"
    }
    assert {name: (one.result, one.phenomenon_time) for name, one in found.items()} == {
        **{
            name: (value, MARCH.replace(minute=minute))
            for value, minute, names in (
                (92122, 0, ("1", "6", "7", "11")),
                (3, 10, ("2", "8", "12")),
                (5, 20, ("3", "9", "13")),
                (8, 40, ("4", "5", "10", "14")),
                (100, 0, ("observation", "embeddedFeatureOfInterestValid")),
                (55, 0, ("linkedDataStream", "linkedDataStreamWithFOI")),
            )
            for name in names
        },
        "intervalPhenomenonTime": (92122, MARCH.replace(hour=23, minute=59, second=59)),
        "observationWithoutPTime": (92122, MARCH.replace(second=10)),
        "observationWithoutPTimeValid": (92122, MARCH.replace(second=10)),
    }


def test_templates_whose_ids_are_not_filled_in_are_no_json(bodies: dict[str, bytes]) -> None:
    templates = {name: body for name, body in bodies.items() if LINK.search(body)}
    assert len(templates) == 15
    assert {reason(decode(body)) for body in templates.values()} == {Reason.BROKEN_JSON}


def test_a_data_array_belongs_to_http(bodies: dict[str, bytes]) -> None:
    assert reason(decode(LINK.sub(b'"1"', bodies["dataArray"]))) is Reason.WRONG_SHAPE


def test_an_interval_is_the_period_of_a_count(bodies: dict[str, bytes]) -> None:
    body = LINK.sub(b'"gate:pedestrians"', bodies["intervalPhenomenonTime"])
    one = observed(decode(body, COUNTS))
    assert (one.observed_property, one.result, one.period_s) == ("pedestrians", 92122, 86_399)


@pytest.mark.parametrize(
    ("times", "period_s", "end"),
    [
        ("2026-04-01T08:55:00+09:00/2026-04-01T09:00:00+09:00", 300, T0),
        ("2026-03-31T23:55:00Z/2026-04-01T09:00:00+09:00", 300, T0),
        ("2026-03-31T00:00:00Z/2026-03-31T23:59:59.999Z", 86_400, after(milliseconds=-1)),
        ("2026-03-31T23:59:59.5Z/2026-04-01T00:00:00.1000009Z", 1, after(milliseconds=100)),
    ],
)
def test_intervals_end_at_the_time_of_the_count(times: str, period_s: int, end: datetime) -> None:
    one = observed(decode({"phenomenonTime": times, "result": 31}, COUNTS))
    assert (one.phenomenon_time, one.period_s) == (end, period_s)


def test_other_properties_take_an_interval_by_its_end() -> None:
    one = observed(
        decode({"phenomenonTime": "2026-03-31T23:00:00Z/2026-04-01T00:00:00Z", "result": 5})
    )
    assert (one.phenomenon_time, one.period_s) == (T0, None)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"result": 5}, Reason.BAD_TIME),
        ({"phenomenonTime": None, "result": 5}, Reason.BAD_TIME),
        ({"phenomenonTime": 1775001600, "result": 5}, Reason.BAD_TIME),
        ({"phenomenonTime": "2026-04-01T00:00:00", "result": 5}, Reason.BAD_TIME),
        ({"phenomenonTime": "2026-04-01T00:00:00Z/", "result": 5}, Reason.BAD_TIME),
        ({"phenomenonTime": "2026-04-01T00:00:00Z/PT1H", "result": 5}, Reason.BAD_TIME),
        (
            {"phenomenonTime": "2026-04-01T00:00:00Z/2026-03-31T00:00:00Z", "result": 5},
            Reason.BAD_TIME,
        ),
        (
            {"phenomenonTime": "2025-04-01T00:00:00Z/2026-04-01T00:00:00Z", "result": 5},
            Reason.BAD_TIME,
        ),
        ({"resultTime": "2026-04-01T00:00:00Z/2026-04-01T00:00:01Z", "result": 5}, Reason.BAD_TIME),
        ({"phenomenonTime": "2026-04-01T13:00:00Z", "result": 5}, Reason.FUTURE_TIME),
        ({"phenomenonTime": "2026-04-01T00:00:00Z"}, Reason.WRONG_SHAPE),
        ({"phenomenonTime": "2026-04-01T00:00:00Z", "result": "5"}, Reason.NOT_A_NUMBER),
        ({"phenomenonTime": "2026-04-01T00:00:00Z", "result": None}, Reason.NOT_A_NUMBER),
        ({"phenomenonTime": "2026-04-01T00:00:00Z", "result": True}, Reason.NOT_A_NUMBER),
        ({"phenomenonTime": "2026-04-01T00:00:00Z", "result": -5}, Reason.IMPLAUSIBLE_VALUE),
        ([{"phenomenonTime": "2026-04-01T00:00:00Z", "result": 5}], Reason.WRONG_SHAPE),
    ],
)
def test_what_cannot_be_believed_is_refused(body: Any, expected: Reason) -> None:
    received = decode(body)
    assert reason(received) is expected
    assert received.thing_id == "pole"


@pytest.mark.parametrize(
    "time", ["2026-04-01T00:00:00Z", "2026-04-01T00:00:00Z/2026-04-01T00:00:00.4Z"]
)
def test_a_count_needs_an_interval(time: str) -> None:
    received = decode({"phenomenonTime": time, "result": 5}, COUNTS)
    assert reason(received) is Reason.MISSING_PERIOD
    assert "begin/end" in received.rejections[0].detail


def test_nanoseconds_are_cut_off() -> None:
    one = observed(decode({"phenomenonTime": "2026-04-01T00:01:00.123456789Z", "result": 5}))
    assert one.phenomenon_time == after(minutes=1, microseconds=123456)


def test_the_body_may_name_the_datastream() -> None:
    body = {"phenomenonTime": "2026-04-01T00:00:00Z", "result": 5}
    link = {"Datastream": {"@iot.id": "a:b:illuminance"}}
    assert observed(decode(body | link, "v1.1/Observations")).thing_id == "a:b"
    assert reason(decode(body, "v1.1/Observations")) is Reason.WRONG_SHAPE
    for identity in (7, None, ["pole:illuminance"]):
        linked = body | {"Datastream": {"@iot.id": identity}}
        assert reason(decode(linked, "v1.1/Observations")) is Reason.WRONG_SHAPE


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("v1.1/Datastreams('a:b:wind_speed')/Observations", DatastreamId(
            thing_id="a:b", observed_property="wind_speed")),
        ("v1.1/Datastreams(pole-1:wind_speed)/Observations", DatastreamId(
            thing_id="pole-1", observed_property="wind_speed")),
        ("v1.1/Observations", None),
        ("v1.1/Datastreams('pole')/Observations", Reason.BAD_THING),
        ("v1.1/Datastreams(7)/Observations", Reason.BAD_THING),
        ("v1.1/Datastreams('')/Observations", Reason.BAD_THING),
        ("v1.1/Datastreams('ポール:wind_speed')/Observations", Reason.BAD_THING),
        ("v1.1/Datastreams('a:wind_speed)/Observations", Reason.UNKNOWN_TOPIC),
        ("v1.1/FeaturesOfInterest('a:wind_speed')/Observations", Reason.UNKNOWN_TOPIC),
        ("v1.1/Datastreams('a:wind_speed')/Observations/x", Reason.UNKNOWN_TOPIC),
        ("v1.0/Datastreams('a:wind_speed')/Observations", Reason.UNKNOWN_TOPIC),
    ],
)  # fmt: skip
def test_topics_name_datastreams(topic: str, expected: object) -> None:
    try:
        found: object = parse_sensorthings_topic(topic)
    except RejectedError as error:
        found = error.rejection.reason
    assert found == expected


def test_topics_built_are_topics_parsed() -> None:
    one = DatastreamId(thing_id="a.b:c-1", observed_property="pm2_5")
    assert parse_sensorthings_topic(datastream_observations_topic(one)) == one


def test_an_unknown_property_is_refused() -> None:
    topic = "v1.1/Datastreams('pole:mood')/Observations"
    body = {"phenomenonTime": "2026-04-01T00:00:00Z", "result": 5}
    assert reason(decode(body, topic)) is Reason.UNKNOWN_PROPERTY
