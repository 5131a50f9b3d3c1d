"""The hostile corpus in every decoder: a rejection with a reason, or a correct observation."""

from pathlib import Path

import pytest

from samples import T0, after
from tsuji_ingest.decoders import Decoders, registered
from tsuji_ingest.packet import Packet
from tsuji_platform.contract import Reason
from tsuji_platform.settings import DecoderSettings
from tsuji_platform.store.records import Received

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = sorted((ROOT / "tests" / "payloads" / "hostile").iterdir())
TOPICS = (
    "tsuji/v1/things/pole",
    "tsuji/v1/things/pole/observations",
    "v1.1/Datastreams('pole:air_temperature')/Observations",
    "v1.1/Observations",
    "v3/any@ttn/devices/gate-1/up",
)


@pytest.fixture(scope="module")
def decoders() -> Decoders:
    return registered(DecoderSettings(the_things_stack=ROOT / "docs" / "the-things-stack.toml"))


def decode(decoders: Decoders, file: Path, topic: str) -> Received:
    return decoders.decode(
        Packet(topic=topic, payload=file.read_bytes(), received_at=after(days=1))
    )


@pytest.mark.parametrize("file", HOSTILE, ids=lambda file: file.stem)
def test_a_payload_becomes_what_its_name_says(decoders: Decoders, file: Path) -> None:
    outcome = file.stem.split("-")[0]
    received = decode(decoders, file, "tsuji/v1/things/pole/observations")
    if outcome == "stored":
        assert list(received.rejections) == []
        assert {one.observed_property for one in received.observations} == {"air_temperature"}
        odd = {"stored-1e-999": 0.0, "stored-minus-zero": 0.0}
        assert {one.result for one in received.observations} == {odd.get(file.stem, 21.5)}
        assert received.observations[0].phenomenon_time == T0
        assert len({one.phenomenon_time for one in received.observations}) == (
            1000 if "1000" in file.stem else 1
        )
    else:
        assert {one.reason.value for one in received.rejections} == {outcome}


@pytest.mark.parametrize("topic", TOPICS)
def test_no_decoder_meets_a_defect_or_says_what_cannot_be_kept(
    decoders: Decoders, topic: str
) -> None:
    for file in HOSTILE:
        received = decode(decoders, file, topic)
        empty = topic == "tsuji/v1/things/pole" and not received.payload  # clears what was retained
        assert received.observations or received.rejections or empty, file.stem
        for one in received.rejections:
            assert one.reason is not Reason.NOT_STORABLE, file.stem
            assert 5 < len(one.detail) < 600, file.stem
            assert one.detail.isprintable(), file.stem
