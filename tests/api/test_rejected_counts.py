"""What was not believed is counted in the open, and what strangers have written is not repeated."""

import pytest
from fastapi.testclient import TestClient

from samples import after, broken, message, received_at
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.contract.topics import observations_topic
from tsuji_platform.store.writer import Writer

HEAT = Rejection(reason=Reason.IMPLAUSIBLE_VALUE, detail="99 is outside")
TIME = Rejection(reason=Reason.BAD_TIME, detail="no offset")
STRANGE = Rejection(
    reason=Reason.UNKNOWN_TOPIC, detail="topic 'elsewhere/<script>' is none of ours"
)


@pytest.fixture
def refused(writer: Writer, api: TestClient) -> None:
    """Of pole-1 two messages with three reasons, one of them a day old; of others one each."""
    pole = observations_topic("pole-1")
    some = [
        broken(pole, b"<secret 1>", HEAT, HEAT, TIME),
        broken(pole, b"<secret 2>", HEAT),
        broken("elsewhere/<script>", b"<secret 3>", STRANGE),
        message("ghost", air_temperature=1, wind_speed=1),
        message("stray", wind_speed=1),
    ]
    times = [after(hours=3), after(hours=-21, minutes=-1), after(), after(), after()]
    writer.save([received_at(*pair) for pair in zip(some, times, strict=True)])
    writer.save([received_at(some[0], times[0])])


def test_health_counts_what_is_kept_by_reason(api: TestClient, refused: None) -> None:
    assert api.get("/v1/health").json()["rejected"] == {
        "kept": 6,
        "by_reason": {
            "bad_time": {"messages": 1, "values": 2},
            "implausible_value": {"messages": 2, "values": 5},
            "unknown_topic": {"messages": 1, "values": 1},
            "unregistered_thing": {"messages": 2, "values": 3},
        },
        "forgotten": {"messages": 0, "values": 0},
    }


def test_counts_come_by_thing_and_reason(api: TestClient, refused: None) -> None:
    answer = api.get("/v1/rejected")
    assert answer.json()["next"] is None
    assert [
        (it["thing"], it["reason"], it["messages"], it["values"]) for it in answer.json()["items"]
    ] == [
        ("ghost", "unregistered_thing", 1, 2),
        ("pole-1", "bad_time", 1, 2),
        ("pole-1", "implausible_value", 2, 5),
        ("stray", "unregistered_thing", 1, 1),
        (None, "unknown_topic", 1, 1),
    ]
    assert answer.json()["items"][2]["last_received_at"] == "2026-04-01T03:00:00Z"
    for written in ("secret", "script", "outside", "elsewhere"):
        assert written not in answer.text


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("reason=unregistered_thing", ["ghost", "stray"]),
        ("thing=pole-1", ["pole-1", "pole-1"]),
        ("thing=pole-1&reason=bad_time", ["pole-1"]),
        ("reason=unknown_topic", [None]),
        ("thing=nobody", []),
        ("reason=oversize", []),
    ],
)
def test_counts_can_be_narrowed(
    api: TestClient, refused: None, asked: str, found: list[str | None]
) -> None:
    assert [it["thing"] for it in api.get(f"/v1/rejected?{asked}").json()["items"]] == found


@pytest.mark.parametrize("limit", [1, 2, 4, 5])
@pytest.mark.parametrize("narrowed", ["", "&reason=unregistered_thing", "&thing=pole-1"])
def test_counts_come_page_by_page(
    api: TestClient, writer: Writer, refused: None, limit: int, narrowed: str
) -> None:
    nobody = Rejection(reason=Reason.BAD_THING, detail="no id")
    writer.save([broken("elsewhere", b"", STRANGE, nobody)])
    whole = api.get(f"/v1/rejected?limit=100{narrowed}").json()["items"]
    seen, address = [], f"/v1/rejected?limit={limit}{narrowed}"
    while address is not None:
        answer = api.get(address).json()
        assert 1 <= len(answer["items"]) <= limit
        seen += answer["items"]
        address = answer["next"]
    assert seen == whole


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("reason=bad_mood", "bad_mood"),
        ("after=pole-1", "'pole-1' is not a thing and a reason"),
        ("after=pole-1/bad_mood", "'pole-1/bad_mood' is not a thing and a reason"),
        ("limit=0", "limit"),
        ("thing=%00", "NUL"),
    ],
)
def test_what_cannot_be_asked_is_told(api: TestClient, asked: str, words: str) -> None:
    answer = api.get(f"/v1/rejected?{asked}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]


def test_a_thing_says_what_of_it_was_rejected_and_how_much_lately(
    api: TestClient, refused: None
) -> None:
    assert api.get("/v1/things/pole-1").json()["rejected"] == [
        {
            "reason": "bad_time",
            "messages": 1,
            "values": 2,
            "messages_24h": 1,
            "last_received_at": "2026-04-01T03:00:00Z",
        },
        {
            "reason": "implausible_value",
            "messages": 2,
            "values": 5,
            "messages_24h": 1,
            "last_received_at": "2026-04-01T03:00:00Z",
        },
    ]
    assert api.get("/v1/things/gate-1").json()["rejected"] == []
