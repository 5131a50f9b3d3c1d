"""The golden payloads: what each becomes, kept beside them in `expected.json`.

After a change of what a payload becomes, on purpose, `TSUJI_WRITE_EXPECTED=1` writes that file anew;
its difference is then read before it is committed.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tsuji_platform.contract import (
    Reason,
    RejectedError,
    decode_observations,
    decode_thing,
    encode_observations,
    encode_thing,
)
from tsuji_platform.contract.messages import MAX_PERIOD_S

PAYLOADS = Path(__file__).resolve().parents[1] / "payloads"
EXPECTED = PAYLOADS / "expected.json"
NOW = datetime(2026, 4, 1, tzinfo=UTC)
VALID = sorted((PAYLOADS / "valid").glob("*.json"))
INVALID = sorted((PAYLOADS / "invalid").glob("*.json"))


def is_thing(file: Path) -> bool:
    return file.stem.startswith(("thing-", "bad_thing-"))


def shown(reason: str, detail: str) -> list[str]:
    """Reason and detail; the words of the JSON parser are not ours."""
    return [reason] if reason == Reason.BROKEN_JSON else [reason, detail]


def outcome(file: Path) -> dict[str, Any]:
    """What the decoder makes of a file, in a form that reads well as JSON."""
    payload = file.read_bytes()
    if is_thing(file):
        try:
            thing = decode_thing("golden", payload)
        except RejectedError as error:
            return {"rejections": [shown(error.rejection.reason, error.rejection.detail)]}
        return {"thing": json.loads(encode_thing(thing))}
    decoded = decode_observations("golden", payload, NOW)
    described: dict[str, Any] = {}
    if decoded.observations:
        described["observations"] = [
            [
                one.phenomenon_time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
                one.observed_property,
                one.result,
                *([one.period_s] if one.period_s is not None else []),
            ]
            for one in decoded.observations
        ]
    if decoded.rejections:
        reasons = [shown(one.reason, one.detail) for one in decoded.rejections]
        described["rejections"] = reasons[:3]
        if len(reasons) > 3:
            described["rejections_in_all"] = len(reasons)
    return described


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    if os.environ.get("TSUJI_WRITE_EXPECTED"):
        written = {f"{file.parent.name}/{file.name}": outcome(file) for file in VALID + INVALID}
        EXPECTED.write_text(json.dumps(written, ensure_ascii=False, indent=1) + "\n", "utf-8")
    loaded: dict[str, Any] = json.loads(EXPECTED.read_text("utf-8"))
    return loaded


@pytest.mark.parametrize("file", VALID + INVALID, ids=lambda file: file.stem)
def test_payload_becomes_what_is_expected(file: Path, expected: dict[str, Any]) -> None:
    assert outcome(file) == expected[f"{file.parent.name}/{file.name}"]


def test_expected_names_every_file_and_no_other(expected: dict[str, Any]) -> None:
    assert set(expected) == {f"{file.parent.name}/{file.name}" for file in VALID + INVALID}


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_valid_payload_has_no_rejection(file: Path) -> None:
    assert "rejections" not in outcome(file)


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_invalid_payload_is_rejected_for_the_reason_in_its_name(file: Path) -> None:
    reasons = {rejection[0] for rejection in outcome(file)["rejections"]}
    assert reasons == {file.stem.split("-")[0]}


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_details_can_be_stored_and_read(file: Path) -> None:
    for _, *details in outcome(file)["rejections"]:
        for detail in details:
            assert 10 < len(detail) < 500
            assert detail.isprintable()


def test_every_reason_of_the_decoders_has_a_golden_payload() -> None:
    elsewhere = {
        Reason.UNKNOWN_TOPIC,  # of topics
        Reason.UNMAPPED,  # of other formats
        Reason.UNREGISTERED_THING,  # of the store
        Reason.UNDECLARED_DATASTREAM,
        Reason.NOT_STORABLE,
    }
    assert {file.stem.split("-")[0] for file in INVALID} == set(Reason) - elsewhere


@pytest.mark.parametrize(
    "file", [file for file in VALID if not is_thing(file)], ids=lambda file: file.stem
)
def test_valid_observations_survive_being_written_again(file: Path) -> None:
    first = decode_observations("golden", file.read_bytes(), NOW).observations
    again = decode_observations("golden", encode_observations(first), NOW)
    assert again.rejections == []
    assert sorted(map(repr, again.observations)) == sorted(map(repr, first))


@pytest.mark.parametrize(
    "file", [file for file in VALID if is_thing(file)], ids=lambda file: file.stem
)
def test_valid_things_survive_being_written_again(file: Path) -> None:
    first = decode_thing("golden", file.read_bytes())
    assert decode_thing("golden", encode_thing(first)) == first


@pytest.mark.parametrize(
    ("period_s", "believed"), [(1, True), (MAX_PERIOD_S, True), (MAX_PERIOD_S + 1, False)]
)
def test_the_longest_period_is_a_period(period_s: int, believed: bool) -> None:
    document = {"time": "2026-03-01T00:00:00Z", "results": {"pedestrians": 1}, "period_s": period_s}
    decoded = decode_observations("golden", json.dumps(document).encode(), NOW)
    assert [one.period_s for one in decoded.observations] == [period_s] * believed
    assert [one.reason for one in decoded.rejections] == [Reason.WRONG_SHAPE] * (not believed)


@pytest.mark.parametrize(("more", "fits"), [([], True), ([12.5], True), ([12.5, 0], False)])
def test_a_point_has_an_altitude_at_the_most(more: list[float], fits: bool) -> None:
    location = {"type": "Point", "coordinates": [139.7, 35.7, *more]}
    payload = json.dumps({"location": location, "datastreams": ["rainfall"]}).encode()
    if fits:
        assert decode_thing("golden", payload).latitude == 35.7
        return
    with pytest.raises(RejectedError, match="must be a GeoJSON point"):
        decode_thing("golden", payload)


def test_a_payload_over_the_limit_is_refused_whole() -> None:
    payload = b'{"time":"2026-03-31T00:00:00Z","results":{"air_temperature":1}}'.ljust(262_145)
    decoded = decode_observations("golden", payload, NOW)
    assert [one.reason for one in decoded.rejections] == [Reason.OVERSIZE]
    assert decode_observations("golden", payload[:-1], NOW).rejections == []
