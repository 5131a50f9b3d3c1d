"""Whatever arrives, decoding ends in observations and rejections; whatever is written can be read."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tsuji_platform.contract import (
    OBSERVED_PROPERTIES,
    Observation,
    Reason,
    RejectedError,
    Thing,
    decode_observations,
    decode_thing,
    encode_observations,
    encode_thing,
)
from tsuji_platform.contract.rejection import quote

NOW = datetime(2026, 4, 1, tzinfo=UTC)

times = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001 (hypothesis adds the zone)
    datetime(2026, 3, 30),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
)


@st.composite
def observations_of_one_thing(draw: st.DrawFn) -> list[Observation]:
    made = {}
    for _ in range(draw(st.integers(1, 12))):
        known = OBSERVED_PROPERTIES[draw(st.sampled_from(sorted(OBSERVED_PROPERTIES)))]
        time = draw(times)
        if known.is_count:
            result = float(draw(st.integers(0, 1_000_000)))
        else:
            result = draw(st.floats(known.low, known.high))
        made[known.id, time.timestamp()] = Observation(
            thing_id="pole-001",
            observed_property=known.id,
            phenomenon_time=time,
            result=result,
            period_s=draw(st.integers(1, 86_400)) if known.is_count else None,
        )
    return list(made.values())


def ordered(observations: list[Observation]) -> list[Observation]:
    return sorted(observations, key=lambda one: (one.phenomenon_time, one.observed_property))


@given(observations_of_one_thing())
def test_observations_written_are_observations_read(written: list[Observation]) -> None:
    decoded = decode_observations("pole-001", encode_observations(written), NOW)
    assert decoded.rejections == []
    assert ordered(decoded.observations) == ordered(written)


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200).map(str.strip)


@given(
    st.builds(
        Thing,
        thing_id=st.just("pole-001"),
        name=names.filter(bool),
        name_en=names,
        kind=names.filter(bool),
        longitude=st.floats(-180, 180),
        latitude=st.floats(-90, 90),
        datastreams=st.lists(
            st.sampled_from(sorted(OBSERVED_PROPERTIES)), min_size=1, unique=True
        ).map(tuple),
        effective_width_m=st.none() | st.floats(0.1, 1000),
        capacity=st.none() | st.integers(1, 10**8),
        owner=names,
    )
)
def test_things_written_are_things_read(thing: Thing) -> None:
    assert decode_thing("pole-001", encode_thing(thing)) == thing


def decode_everything(payload: bytes) -> None:
    """Decode as either kind of message; every outcome must be one of ours and fit to be stored."""
    decoded = decode_observations("pole-001", payload, NOW)
    assert decoded.observations or decoded.rejections
    rejections = list(decoded.rejections)
    try:
        decode_thing("pole-001", payload)
    except RejectedError as error:
        rejections.append(error.rejection)
    for one in rejections:
        assert one.reason in Reason
        assert "\x00" not in one.detail
        one.detail.encode()


@given(st.binary())
@example(b"[" * 1_000 + b"]" * 1_000)
@example(b'{"time":' + b"[" * 1_000 + b"]" * 1_000 + b"}")
@example(b'{"location":' + b'{"a":' * 1_000 + b"1" + b"}" * 1_001)
def test_hostile_bytes_are_rejected_not_raised(payload: bytes) -> None:
    decode_everything(payload)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(
    ["time", "results", "period_s", "name", "kind", "location", "datastreams", "capacity"]
)
plausible_times = times.map(datetime.isoformat)
documents = st.dictionaries(
    fields,
    json_values
    | plausible_times
    | st.dictionaries(st.sampled_from(sorted(OBSERVED_PROPERTIES)), json_values)
    | st.builds(
        lambda kind, coordinates: {"type": kind, "coordinates": coordinates},
        st.just("Point") | json_values,
        st.lists(json_values, max_size=3),
    ),
)


@given(documents | st.lists(documents, max_size=5))
def test_hostile_documents_are_rejected_not_raised(document: Any) -> None:
    decode_everything(json.dumps(document).encode())


@given(st.text())
def test_hostile_times_are_rejected_not_raised(time: str) -> None:
    document = {"time": time, "results": {"air_temperature": 1}}
    decode_everything(json.dumps(document).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("result", [float("nan"), float("inf"), float("-inf"), 60.001])
def test_an_observation_can_not_be_made_of_what_is_not_believed(result: float) -> None:
    with pytest.raises(RejectedError) as caught:
        Observation(
            thing_id="pole-001",
            observed_property="air_temperature",
            phenomenon_time=NOW,
            result=result,
        )
    assert caught.value.rejection.reason is Reason.IMPLAUSIBLE_VALUE


def test_an_observation_needs_an_aware_time() -> None:
    with pytest.raises(RejectedError) as caught:
        Observation(
            thing_id="pole-001",
            observed_property="air_temperature",
            phenomenon_time=datetime(2026, 4, 1, 9),  # noqa: DTZ001
            result=12.3,
        )
    assert caught.value.rejection.reason is Reason.BAD_TIME
    assert "2026-04-01T09:00:00" in caught.value.rejection.detail


def test_writing_no_observation_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        encode_observations([])


@given(json_values, st.integers(2, 100))
def test_quotes_are_short_and_printable(value: Any, limit: int) -> None:
    shown = quote(value, limit)
    assert len(shown) <= max(limit, 40)
    assert shown.isprintable()


def test_quotes_of_huge_integers_do_not_spell_them_out() -> None:
    assert quote(10**5_000) == "an integer of 16610 bits"


def test_many_refusals_of_one_kind_share_their_sentence() -> None:
    results = ",".join(f'"x{n}":1' for n in range(60))
    payload = (
        f'[{",".join([f"""{{"time":"2026-04-01T00:00:00Z","results":{{{results}}}}}"""] * 100)}]'
    )
    decoded = decode_observations("a", payload.encode(), datetime(2026, 5, 1, tzinfo=UTC))
    assert len(decoded.rejections) == 6_000
    assert len({id(one) for one in decoded.rejections}) < 30
    assert {one.reason for one in decoded.rejections} == {Reason.UNKNOWN_PROPERTY}
