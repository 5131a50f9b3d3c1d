"""Uplinks of The Things Stack, by the examples of its own documentation."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from samples import RECEIVED, T0, after, observations
from tsuji_ingest.decoders import DecoderError, Decoders
from tsuji_ingest.decoders.the_things_stack import Mapping, decoder, load_mapping
from tsuji_ingest.packet import Packet
from tsuji_platform.contract import Observation, Reason
from tsuji_platform.store.records import Received

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "the-things-stack.toml"
TOPIC = "v3/app1@ttn/devices/dev1/up"
WEATHER = "v3/city-weather@tenant/devices/ws-7/up"


def mapping(**device: Any) -> Mapping:
    fields = device.pop(
        "fields",
        {
            "temperature": {"observed_property": "air_temperature"},
            "humidity": {"observed_property": "relative_humidity"},
        },
    )
    return Mapping.model_validate({"devices": [device | {"fields": fields}]})


def decode(mapping: Mapping, payload: bytes | dict[str, Any], topic: str = TOPIC) -> Received:
    raw = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    return Decoders([decoder(mapping)]).decode(
        Packet(topic=topic, payload=raw, received_at=RECEIVED)
    )


def uplink(received_at: str = "2026-04-01T00:00:00Z", **decoded: Any) -> dict[str, Any]:
    return {
        "received_at": "2026-04-01T00:00:02Z",
        "uplink_message": {
            "decoded_payload": decoded,
            "received_at": received_at,
            "rx_metadata": [
                {"gateway_ids": {"gateway_id": "a"}},
                {"gateway_ids": {"gateway_id": "b"}, "time": "2026-03-31T23:59:58.123456789Z"},
                {"gateway_ids": {"gateway_id": "c"}, "time": "2026-03-31T23:59:59Z"},
            ],
        },
    }


def reason(received: Received) -> Reason:
    assert list(received.observations) == []
    (one,) = received.rejections
    return one.reason


@pytest.fixture(scope="session")
def uplinks(data_folder: Path) -> dict[str, bytes]:
    folder = data_folder / "payloads" / "the_things_stack"
    return {file.stem: file.read_bytes() for file in folder.glob("*.json")}


def test_documented_examples_become_observations_or_say_why_not(uplinks: dict[str, bytes]) -> None:
    found = {name: decode(mapping(), body) for name, body in uplinks.items()}
    (good,) = [name for name, received in found.items() if received.observations]
    assert good == "valid_integrations__cloud-integrations__ubidots_1"
    time = datetime(2021, 7, 8, 11, 17, 58, 984396, tzinfo=UTC)  # …984396504Z in the payload
    assert found.pop(good).observations == observations(
        "dev1", time, air_temperature=32, relative_humidity=44
    )
    assert {name.removesuffix(".json"): reason(one) for name, one in found.items()} == {
        "invalid_integrations__data-formats_2": Reason.BROKEN_JSON,
        "invalid_integrations__data-formats_3": Reason.BROKEN_JSON,
        "invalid_integrations__payload-formatters__cayenne_1": Reason.BROKEN_JSON,
        "invalid_integrations__payload-formatters__cayenne_2": Reason.BROKEN_JSON,
        "invalid_integrations__storage__retrieve_1": Reason.BROKEN_JSON,
        # valid JSON, but wrapped by another way out of The Things Stack
        "valid_enterprise__aws__ami__application-server-telemetry_0": Reason.WRONG_SHAPE,
        "valid_integrations__storage__retrieve_3": Reason.WRONG_SHAPE,
        # no payload formatter
        "valid_integrations__other-integrations__mqtt_2": Reason.WRONG_SHAPE,
        "valid_integrations__webhooks__creating-webhooks_0": Reason.WRONG_SHAPE,
        # what a payload formatter gives, without the times that the network adds
        "valid_integrations__payload-formatters__javascript__uplink_8": Reason.BAD_TIME,
    }


def test_the_wrapped_example_is_read_once_unwrapped(uplinks: dict[str, bytes]) -> None:
    wrapped = orjson.loads(uplinks["valid_enterprise__aws__ami__application-server-telemetry_0"])
    fields = {
        "temp": {"observed_property": "air_temperature"},
        "count": {"observed_property": "pedestrians", "period_s": 600},
    }
    received = decode(mapping(fields=fields), wrapped["payload"])
    time = datetime(2020, 1, 15, 16, 2, 10, 448769, tzinfo=UTC)
    assert received.observations == observations(
        "dev1", time, 600, air_temperature=6, pedestrians=226
    )


@pytest.mark.parametrize(
    ("clock", "time"),
    [
        ("network", T0),
        ("application", after(seconds=2)),
        ("gateway", after(seconds=-2, microseconds=123456)),
    ],
)
def test_the_mapping_chooses_the_clock(clock: str, time: datetime) -> None:
    (one,) = decode(mapping(time=clock), uplink(temperature=5)).observations
    assert one.phenomenon_time == time
    message = uplink(temperature=5)
    message.pop("received_at")
    message["uplink_message"].pop("received_at")
    message["uplink_message"].pop("rx_metadata")
    assert reason(decode(mapping(time=clock), message)) is Reason.BAD_TIME


def test_the_example_file_is_read_and_does_what_it_says() -> None:
    example = load_mapping(EXAMPLE)
    received = decode(
        example,
        uplink(temperature=5, humidity=60, pressure_pa=101_325, wind={"kmh": 36}, battery=3.1),
        WEATHER,
    )
    assert received.rejections == []
    assert {one.observed_property: one.result for one in received.observations} == {
        "air_temperature": 5,
        "relative_humidity": 60,
        "air_pressure": pytest.approx(1013.25),
        "wind_speed": pytest.approx(10),
    }
    assert {one.thing_id for one in received.observations} == {"city-weather:ws-7"}

    counts = decode(example, uplink(count_in=3, count_out=0), "v3/any/devices/gate-1/up")
    assert list(counts.observations) == observations(
        "gate-1", T0, 600, pedestrians_in=3, pedestrians_out=0
    )
    assert reason(decode(example, uplink(a=1), "v3/other@t/devices/ws-7/up")) is Reason.UNMAPPED


def test_a_bad_value_does_not_sink_the_good_one_beside_it() -> None:
    received = decode(mapping(), uplink(temperature=99, humidity=60))
    assert list(received.observations) == observations("dev1", T0, relative_humidity=60)
    assert [one.reason for one in received.rejections] == [Reason.IMPLAUSIBLE_VALUE]
    for value in (None, True, "60", [60], {"value": 60}):
        received = decode(mapping(), uplink(temperature=5, humidity=value))
        assert [one.reason for one in received.rejections] == [Reason.NOT_A_NUMBER]
        assert len(received.observations) == 1


def test_fields_without_a_mapping_are_passed_over_and_nothing_but_them_is_refused() -> None:
    received = decode(mapping(), uplink(temperature=5, battery=3.1, status="ok"))
    assert (len(received.observations), list(received.rejections)) == (1, [])
    received = decode(mapping(), uplink(battery=3.1, status="ok"))
    assert reason(received) is Reason.UNMAPPED
    assert "['battery', 'status']" in received.rejections[0].detail
    assert received.thing_id == "dev1"


def test_a_field_of_the_whole_name_comes_before_one_inside() -> None:
    fields = {"a.b": {"observed_property": "air_temperature"}}
    both = decode(mapping(fields=fields), uplink(**{"a.b": 1, "a": {"b": 2}}))
    assert [one.result for one in both.observations] == [1]
    for inside in (2, {"c": 2}, None):
        assert reason(decode(mapping(fields=fields), uplink(a=inside))) is Reason.UNMAPPED


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", Reason.BROKEN_JSON),
        (b"[]", Reason.WRONG_SHAPE),
        (b"{}", Reason.WRONG_SHAPE),
        (b'{"uplink_message":[]}', Reason.WRONG_SHAPE),
        (b'{"uplink_message":{"decoded_payload":null}}', Reason.WRONG_SHAPE),
        (b'{"uplink_message":{"decoded_payload":{}}}', Reason.WRONG_SHAPE),
        (b'{"uplink_message":{"decoded_payload":{"temperature":1},"received_at":7}}',
         Reason.BAD_TIME),
    ],
)  # fmt: skip
def test_other_shapes_are_refused(payload: bytes, expected: Reason) -> None:
    assert reason(decode(mapping(), payload)) is expected


@pytest.mark.parametrize("gateways", [None, 7, {}, [7], [{"time": 7}], [{"time": "yesterday"}]])
def test_strange_gateways_give_no_time(gateways: object) -> None:
    message = uplink(temperature=5)
    message["uplink_message"]["rx_metadata"] = gateways
    assert reason(decode(mapping(time="gateway"), message)) is Reason.BAD_TIME


def test_ids_that_make_no_thing_are_refused() -> None:
    received = decode(mapping(thing="{device} 1"), uplink(temperature=5))
    assert reason(received) is Reason.BAD_THING
    assert reason(decode(mapping(thing="-{tenant}"), uplink(temperature=5))) is Reason.BAD_THING
    one = mapping(thing="{tenant}.{application}.{device}")
    assert decode(one, uplink(temperature=5)).thing_id == "ttn.app1.dev1"


def test_a_factor_that_leads_nowhere_is_no_observation() -> None:
    fields = {"t": {"observed_property": "air_temperature", "factor": 1e300}}
    received = decode(mapping(fields=fields), uplink(t=1e300))
    assert reason(received) is Reason.IMPLAUSIBLE_VALUE


FIELD = '\n[devices.fields]\nt = {{ observed_property = "{}" {} }}\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "devices: Field required"),
        ("devices = 7", "devices"),
        ("[[devices]]", "devices.0.fields: Field required"),
        ("[[devices]]\nfields = {}", "devices.0.fields"),
        ("[[devices]]" + FIELD.format("mood", ""), "'mood' is not one of air_temperature"),
        ("[[devices]]" + FIELD.format("pedestrians", ""), "needs period_s"),
        ("[[devices]]" + FIELD.format("pedestrians", ", period_s = 0"), "period_s"),
        ("[[devices]]" + FIELD.format("pm2_5", ", period_s = 60"), "means nothing"),
        ("[[devices]]" + FIELD.format("pm2_5", ", factor = nan"), "factor"),
        ("[[devices]]" + FIELD.format("pm2_5", ", scale = 2"), "scale: Extra inputs"),
        ("[[devices]]\ntime = 'hub'" + FIELD.format("pm2_5", ""), "devices.0.time"),
        ("[[devices]]\nthing = '{place}'" + FIELD.format("pm2_5", ""), "'{place}' may hold"),
        ("[[devices]]\nthing = '{'" + FIELD.format("pm2_5", ""), "devices.0.thing"),
        ("[[devices]]\nthing = '{device.__class__}'" + FIELD.format("pm2_5", ""), "may hold"),
        (
            "[[devices]]\n[devices.fields]\na = { observed_property = 'pm2_5' }\n"
            "b = { observed_property = 'pm2_5' }",
            "several fields give pm2_5",
        ),
        ("[[devices", "can't be read"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(DecoderError) as caught:
        load_mapping(file)
    assert "mapping.toml" in str(caught.value)
    assert words in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    for file in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(DecoderError, match="can't be read"):
            load_mapping(file)


def test_the_topic_is_the_authority_and_only_uplinks_are_read() -> None:
    assert reason(decode(mapping(), b"{}", "v3/app1@ttn/devices/dev1/join")) is Reason.UNKNOWN_TOPIC
    (one,) = decode(mapping(), uplink(temperature=5), "v3/open-source/devices/dev9/up").observations
    assert isinstance(one, Observation)
    assert one.thing_id == "dev9"
