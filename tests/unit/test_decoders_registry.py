"""Which decoder reads what, what happens to a bad one, and the one that the documentation shows."""

import re
import tomllib
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import warm_tsuji
from samples import RECEIVED, T0, observations
from tsuji_ingest.decoders import Decoder, DecoderError, Decoders, registered
from tsuji_ingest.decoders.registry import GROUP, installed
from tsuji_ingest.packet import Packet
from tsuji_platform.contract import Observation, Reason, RejectedError, Rejection
from tsuji_platform.settings import DecoderSettings
from tsuji_platform.store.records import Received

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "decoders.md"


def packet(topic: str, payload: bytes = b"{}") -> Packet:
    return Packet(topic=topic, payload=payload, received_at=RECEIVED)


def mark(packet: Packet) -> Received:
    return packet.read_as("mark")


def reading(*filters: str, name: str = "one") -> Decoders:
    return Decoders([Decoder(name=name, filters=filters, decode=mark)])


@pytest.mark.parametrize(
    ("topic_filter", "topic", "matches"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a.b", "aXb", False),
        ("a/+", "a/b", True),
        ("a/+", "a/", True),
        ("a/+", "a/b/c", False),
        ("a/+/c", "a/b\n/c", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "ab", False),
        ("a/+/#", "a/b", True),
        ("a/+/#", "a", False),
        ("#", "a/b", True),
        ("+", "a/b", False),
    ],
)
def test_a_decoder_reads_the_topics_of_its_filters(
    topic_filter: str, topic: str, matches: bool
) -> None:
    received = reading(topic_filter).decode(packet(topic))
    assert (received.thing_id == "mark") is matches
    assert [one.reason for one in received.rejections] == (
        [] if matches else [Reason.UNKNOWN_TOPIC]
    )


@pytest.mark.parametrize("topic_filter", ["", "a+", "a/#/b", "#a", "a/b#", "a\x00", "a" * 1001])
def test_what_is_no_filter_is_refused(topic_filter: str) -> None:
    with pytest.raises(DecoderError, match="no MQTT topic filter"):
        reading(topic_filter)


def test_two_that_claim_the_same_are_refused() -> None:
    one = Decoder(name="one", filters=("a/+",), decode=mark)
    with pytest.raises(DecoderError, match="'one' and 'two' both claim 'a/\\+'"):
        Decoders([one, Decoder(name="two", filters=("b", "a/+"), decode=mark)])
    with pytest.raises(DecoderError, match="two decoders of the name 'one'"):
        Decoders([one, Decoder(name="one", filters=("b",), decode=mark)])


def test_the_first_whose_filter_fits_reads() -> None:
    def other(packet: Packet) -> Received:
        return packet.read_as("other")

    both = Decoders(
        [
            Decoder(name="one", filters=("a/b",), decode=mark),
            Decoder(name="two", filters=("a/+",), decode=other),
        ]
    )
    assert both.filters == ("a/b", "a/+")
    assert both.decode(packet("a/b")).thing_id == "mark"
    assert both.decode(packet("a/c")).thing_id == "other"


def test_a_defect_ends_as_a_rejection_with_the_raw_message() -> None:
    def defective(packet: Packet) -> Received:
        raise ZeroDivisionError("x" * 1000)

    def empty_handed(packet: Packet) -> Any:
        return None

    def refusing(packet: Packet) -> Received:
        raise RejectedError(Reason.BAD_TIME, "no time")

    for function, reason, words in (
        (defective, Reason.NOT_STORABLE, "ZeroDivisionError"),
        (empty_handed, Reason.NOT_STORABLE, "returned a NoneType, no Received"),
        (refusing, Reason.BAD_TIME, "no time"),
    ):
        received = Decoders([Decoder(name="bad", filters=("a",), decode=function)]).decode(
            packet("a", b"\x00raw")
        )
        assert (received.payload, received.topic) == (b"\x00raw", "a")
        (rejection,) = received.rejections
        assert rejection.reason is reason
        assert words in rejection.detail
        assert len(rejection.detail) < 300


def test_tsujis_own_are_always_there_and_the_things_stack_by_setting(tmp_path: Path) -> None:
    own = registered(DecoderSettings(the_things_stack=None)).filters
    assert own == (
        "tsuji/v1/things/+",
        "tsuji/v1/things/+/observations",
        "v1.1/Observations",
        "v1.1/+/Observations",
    )
    mapping = DOCUMENT.parent / "the-things-stack.toml"
    assert registered(DecoderSettings(the_things_stack=mapping)).filters == (
        *own,
        "v3/+/devices/+/up",
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no_such_module:DECODER", "can't be loaded.*no_such_module"),
        ("tsuji_ingest.packet:NOTHING", "can't be loaded"),
        ("tsuji_ingest.packet:Packet", "must be a tsuji_ingest.decoders.Decoder"),
    ],
)
def test_an_installed_decoder_that_cannot_be_used_is_named(value: str, words: str) -> None:
    with pytest.raises(DecoderError, match=f"decoder 'acme' .*{words}"):
        installed([EntryPoint(name="acme", value=value, group=GROUP)])


def _block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert len(found) == 1
    return found[0]


def _install_documented_decoder(folder: Path) -> None:
    """What an installer makes of the two files that the documentation shows."""
    project = tomllib.loads(_block("toml"))["project"]
    (folder / "acme_decoder.py").write_text(_block("python"), "utf-8")
    info = folder / f"acme_decoder-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in members.items())
        for group, members in project["entry-points"].items()
    )
    (info / "entry_points.txt").write_text(points)


def test_the_documented_decoder_works_once_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install_documented_decoder(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    decoders = registered(DecoderSettings(the_things_stack=None))
    assert "acme/+/weather" in decoders.filters

    message = re.search(r"`(\{\"at\".*?\})`", DOCUMENT.read_text("utf-8"))
    assert message is not None
    received = decoders.decode(packet("acme/7/weather", message[1].encode()))
    found = {one.observed_property: one for one in received.observations}
    assert list(map(found.get, ("air_temperature", "relative_humidity"))) == observations(
        "acme-7", T0, air_temperature=21.5, relative_humidity=60
    )
    mixed = decoders.decode(
        packet("acme/7/weather", b'{"at":"2026-04-01T00:00:00Z","t":999,"rh":60}')
    )
    assert [one.observed_property for one in mixed.observations] == ["relative_humidity"]
    assert [one.reason for one in mixed.rejections] == [Reason.IMPLAUSIBLE_VALUE]
    for payload, reason in ((b"{", Reason.BROKEN_JSON), (b"7", Reason.WRONG_SHAPE)):
        (rejection,) = decoders.decode(packet("acme/7/weather", payload)).rejections
        assert rejection.reason is reason


def test_ingest_says_in_one_line_why_a_decoder_keeps_it_from_starting(tmp_path: Path) -> None:
    done = warm_tsuji.run_text(
        "ingest",
        env={
            "TSUJI_DATABASE_URL": "postgresql://127.0.0.1:9/nowhere",
            "TSUJI_BROKER_URL": "mqtt://127.0.0.1:9",
            "TSUJI_THE_THINGS_STACK": str(tmp_path / "missing.toml"),
            "TSUJI_HOME": str(tmp_path),
        },
    )
    assert done.returncode == 1
    assert "missing.toml can't be read" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_message_that_speaks_for_several_things_is_refused() -> None:
    def decode(packet: Packet) -> Received:
        found = [
            Observation(
                thing_id=thing_id,
                observed_property="air_temperature",
                phenomenon_time=packet.received_at,
                result=1.0,
            )
            for thing_id in ("a", "b")
        ]
        return packet.read_as("a", observations=found)

    decoders = Decoders([Decoder(name="both", filters=("both",), decode=decode)])
    packet = Packet(topic="both", payload=b"{}", received_at=datetime(2026, 4, 1, tzinfo=UTC))
    received = decoders.decode(packet)
    assert received.observations == ()
    assert [one.reason for one in received.rejections] == [Reason.NOT_STORABLE]
    assert "one message must speak for one thing" in received.rejections[0].detail


@pytest.mark.parametrize(
    "parts",
    [
        {"observations": iter(observations("pole", T0, air_temperature=1))},
        {"observations": {}},
        {"rejections": None},
        {"rejections": ["a text"]},
        {"rejections": [Rejection(reason="mine", detail="")]},
        {"thing": {"thing_id": "pole"}},
        {"thing_id": 5, "observations": observations(5, T0, air_temperature=1)},
    ],
    ids=[
        "an iterator",
        "a mapping",
        "none",
        "a text",
        "no reason",
        "no thing",
        "no text for an id",
    ],
)
def test_what_is_not_made_of_the_right_parts_is_a_defect_of_its_decoder(
    parts: dict[str, Any],
) -> None:
    """Nothing behind it is prepared for such: ingest would end, and meet the message again."""

    def decode(packet: Packet) -> Received:
        return packet.read_as(**{"thing_id": "pole", **parts})

    received = Decoders([Decoder(name="odd", filters=("a",), decode=decode)]).decode(packet("a"))
    (rejection,) = received.rejections
    assert rejection.reason is Reason.NOT_STORABLE
    assert "a defect of the decoder 'odd'" in rejection.detail
    assert received.observations == ()
