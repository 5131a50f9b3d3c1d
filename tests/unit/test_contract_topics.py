import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuji_platform.contract import (
    Reason,
    RejectedError,
    Topic,
    observations_topic,
    parse_topic,
    thing_topic,
)
from tsuji_platform.contract.topics import THING_ID

thing_ids = st.from_regex(THING_ID, fullmatch=True)


@given(thing_ids)
def test_topics_built_are_topics_parsed(thing_id: str) -> None:
    assert parse_topic(thing_topic(thing_id)) == Topic(thing_id=thing_id, is_observations=False)
    assert parse_topic(observations_topic(thing_id)) == Topic(
        thing_id=thing_id, is_observations=True
    )


@given(st.text())
def test_any_text_parses_or_is_rejected(topic: str) -> None:
    try:
        parsed = parse_topic(topic)
    except RejectedError:
        return
    built = (observations_topic if parsed.is_observations else thing_topic)(parsed.thing_id)
    assert built == topic


@given(st.text())
def test_no_text_makes_a_topic_with_more_levels_or_wildcards(thing_id: str) -> None:
    try:
        topic = observations_topic(thing_id)
    except RejectedError:
        return
    assert topic.count("/") == 4
    assert not set(topic) & {"+", "#", "\x00", "\n"}


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("", Reason.UNKNOWN_TOPIC),
        ("tsuji/v1/things", Reason.UNKNOWN_TOPIC),
        ("tsuji/v2/things/pole-001", Reason.UNKNOWN_TOPIC),
        ("tsuji/v1/things/pole-001/commands", Reason.UNKNOWN_TOPIC),
        ("tsuji/v1/things/pole-001/observations/more", Reason.UNKNOWN_TOPIC),
        ("Tsuji/v1/things/pole-001", Reason.UNKNOWN_TOPIC),
        ("tsuji/v1/things/", Reason.BAD_THING),
        ("tsuji/v1/things//observations", Reason.BAD_THING),
        ("tsuji/v1/things/pole 001/observations", Reason.BAD_THING),
        ("tsuji/v1/things/ポール/observations", Reason.BAD_THING),
        ("tsuji/v1/things/-pole", Reason.BAD_THING),
        (f"tsuji/v1/things/{'a' * 65}", Reason.BAD_THING),
        ("tsuji/v1/things/pole-001\n", Reason.BAD_THING),
    ],
)
def test_foreign_topics_are_rejected_with_their_reason(topic: str, reason: Reason) -> None:
    with pytest.raises(RejectedError) as caught:
        parse_topic(topic)
    assert caught.value.rejection.reason is reason
