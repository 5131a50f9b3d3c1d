"""`tsuji rejected` as people type it, on a real database."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

import warm_tsuji
from samples import T0, broken, message, registration
from tsuji_ingest.decoders import decode
from tsuji_ingest.packet import Packet
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.contract.topics import observations_topic
from tsuji_platform.store import Database, Reader
from tsuji_platform.store.records import RejectedRow, Tally
from tsuji_platform.store.retention import Limits, Retention
from tsuji_platform.store.writer import Writer

Run = Callable[..., subprocess.CompletedProcess[str]]
UPLINK = "v3/city@ttn/devices/ws-1/up"
HOSTILE = b'{"\x1b[31m": "\x1b]0;owned\x07", "\xe6\xb8\xa9": 1}\nreason      harmless'


@pytest.fixture
def environment(hub_url: str, tmp_path: Path) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TSUJI_")}
    return {**inherited, "TSUJI_DATABASE_URL": hub_url, "TSUJI_HOME": str(tmp_path)}


@pytest.fixture
def rejected(environment: dict[str, str]) -> Run:
    def run(*arguments: object, typed: str = "", **settings: str) -> Run:
        return warm_tsuji.run_text(
            "rejected",
            *map(str, arguments),
            env={**environment, **settings},
            stdin=typed.encode(),
        )

    return run


@pytest.fixture
def reader(hub_database: Database) -> Reader:
    return Reader(hub_database)


@pytest.fixture
def writer(hub_url: str):
    writer = Writer(hub_url, "tsuji-ingest")
    yield writer
    writer.close()


def received(topic: str, payload: bytes, at: datetime | None = None):
    """What ingest makes of a packet."""
    return decode(Packet(topic=topic, payload=payload, received_at=at or datetime.now(UTC)))


def kept(reader: Reader) -> dict[str, RejectedRow]:
    return {row.reason: row for row in reader.rejected()}


def values(url: str) -> dict[tuple[str, str], float]:
    with psycopg.connect(url) as connection:
        return {
            (thing, name): result
            for thing, name, result in connection.execute(
                "SELECT thing_id, observed_property, result"
                " FROM observation JOIN datastream USING (datastream_id)"
            )
        }


@pytest.fixture
def some(writer: Writer) -> None:
    """Three messages: a hostile one, one of an unknown thing, one with two bad values."""
    topic = observations_topic("pole")
    bad = [Rejection(reason=Reason.NOT_A_NUMBER, detail=f"'{one}' is None") for one in "ab"]
    writer.save(
        [
            received(topic + "\x1b[2J", HOSTILE),
            replace(message("gate", air_temperature=5), received_at=datetime.now(UTC)),
            broken(topic, b"\xff\x00\x1b", *bad),
            broken(topic, b"\xff\x00\x1b", *bad),
        ]
    )


def test_list_shows_the_newest_and_obeys_nobody(rejected: Run, some: None) -> None:
    done = rejected("list")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 6
    assert "unknown_topic  tsuji/v1/things/pole/observations\\x1b[2J\n" in done.stdout
    assert "not_a_number ×2  tsuji/v1/things/pole/observations\n    'a' is None; 'b'" in done.stdout
    assert "\x1b" not in done.stdout


def test_list_filters_and_counts(rejected: Run, some: None) -> None:
    assert rejected("list", "--reason", "not_a_number").stdout.count("\n") == 2
    assert rejected("list", "--thing", "gate").stdout.count("unregistered_thing") == 1
    assert rejected("list", "--since", "1h").stdout.count("\n") == 4
    assert rejected("list", "--before", "2026-04-01T21:00:00.001+09:00").stdout.count("\n") == 2
    limited = rejected("list", "--limit", 1)
    assert limited.stdout.count("\n") == 2
    assert "--limit shows more" in limited.stderr
    nothing = rejected("list", "--thing", "nobody")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "no rejected message fits" in nothing.stderr

    lines = rejected("list", "--summary").stdout.splitlines()
    assert [line.split("  ")[:4] for line in lines[:3]] == [
        ["1", "not_a_number", "pole", "4 values"],
        ["1", "unknown_topic", "-", "1 values"],
        ["1", "unregistered_thing", "gate", "1 values"],
    ]
    assert lines[3] == (
        "3 messages with 6 values are kept; 6 values are counted as rejected, 0 of them were forgotten, "
        "0 purged"
    )


def test_show_prints_text_and_hex_and_only_raw_gives_the_bytes(
    rejected: Run, reader: Reader, some: None, environment: dict[str, str]
) -> None:
    rows = kept(reader)
    text = rejected("show", rows["unknown_topic"].rejected_id).stdout
    assert '  {"\\x1b[31m": "\\x1b]0;owned\\x07", "温": 1}\n' in text
    assert "  reason      harmless\n" in text, "indented, so that no payload passes for a field"
    assert "reason       unknown_topic\n" in text
    assert "\x1b" not in text

    number = rows["not_a_number"].rejected_id
    dumped = rejected("show", number).stdout
    assert "000000  ff 00 1b  " in dumped
    assert "2 times, first 2026-04-01T12:00:00Z, last 2026-04-01T12:00:00Z" in dumped
    raw = subprocess.run(
        [sys.executable, "-m", "tsuji", "rejected", "show", str(number), "--raw"],
        env=environment, capture_output=True, check=True,
    )  # fmt: skip
    assert raw.stdout == b"\xff\x00\x1b"


def test_show_cuts_what_is_long(rejected: Run, reader: Reader, writer: Writer) -> None:
    writer.save([received(observations_topic("pole"), "長".encode() * 3000)])
    (row,) = reader.rejected()
    shown = rejected("show", row.rejected_id).stdout
    assert shown.count("長") == 1365
    assert "payload      9000 bytes" in shown
    assert "4904 more bytes" in shown
    assert rejected("show", row.rejected_id, "--whole").stdout.count("長") == 3000


def test_retry_takes_in_what_a_new_mapping_explains(
    rejected: Run, reader: Reader, writer: Writer, hub_url: str, tmp_path: Path
) -> None:
    time = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    payload = json.dumps(
        {"uplink_message": {"decoded_payload": {"t": 21.5, "h": 60}, "received_at": time}}
    ).encode()
    unmapped = Rejection(reason=Reason.UNMAPPED, detail="no mapping covers device 'ws-1'")
    refused = replace(broken(UPLINK, payload, unmapped), thing_id="ws-1")
    writer.save([registration("ws-1", "air_temperature", "relative_humidity"), refused])

    without = rejected("retry", "--reason", "unmapped")
    assert without.returncode == 0
    assert "1 refused as before" in without.stdout

    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        "[[devices]]\n[devices.fields]\nt = { observed_property = 'air_temperature' }\n"
        "h = { observed_property = 'relative_humidity' }\n"
    )
    done = rejected("retry", "--reason", "unmapped", TSUJI_THE_THINGS_STACK=str(mapping))
    assert done.returncode == 0, done.stderr
    assert "1 settled" in done.stdout
    assert "2 values stored" in done.stdout
    assert values(hub_url) == {("ws-1", "air_temperature"): 21.5, ("ws-1", "relative_humidity"): 60}
    assert reader.rejected() == []
    assert reader.counters().tally == Tally(messages=2, received=2, stored=2)


def test_retry_takes_in_a_future_that_has_become_past(
    rejected: Run, reader: Reader, writer: Writer, hub_url: str
) -> None:
    topic, payload = (
        observations_topic("pole"),
        b'{"time":"2026-04-01T00:00:00Z","results":{"air_temperature":5}}',
    )
    writer.save([registration("pole"), received(topic, payload, T0 - timedelta(hours=1))])
    assert list(kept(reader)) == ["future_time"]
    (row,) = reader.rejected()
    assert "1 values stored" in rejected("retry", row.rejected_id).stdout
    assert values(hub_url) == {("pole", "air_temperature"): 5.0}
    assert reader.counters().tally == Tally(messages=2, received=1, stored=1)


def test_retry_registers_and_assigns_what_was_refused(
    rejected: Run, reader: Reader, writer: Writer, hub_url: str
) -> None:
    good = registration("pole", longitude=139.7, latitude=35.69)
    refusal = Rejection(reason=Reason.BAD_THING, detail="by rules that were too strict")
    writer.save([replace(good, thing=None, rejections=[refusal])])
    assert subprocess.run(
        [sys.executable, "-m", "tsuji", "areas", "mesh", "139.69", "35.68", "139.71", "35.70"],
        env={**os.environ, "TSUJI_DATABASE_URL": hub_url}, capture_output=True, check=False,
    ).returncode == 0  # fmt: skip
    assert "1 settled" in rejected("retry", "--all").stdout
    with psycopg.connect(hub_url) as connection:
        found = connection.execute("SELECT thing_id FROM area_thing").fetchall()
    assert found == [("pole",)]


def test_retry_goes_on_beside_what_the_database_refuses(
    rejected: Run, reader: Reader, writer: Writer, hub_url: str
) -> None:
    pole = observations_topic("pole")
    writer.save([registration("pole")])
    for degrees in (5, 40, 6):
        body = f'{{"time":"2026-04-01T00:0{degrees % 10}:00Z","results":{{"air_temperature":{degrees}}}}}'
        refusal = Rejection(reason=Reason.IMPLAUSIBLE_VALUE, detail="by other rules")
        writer.save([broken(pole, body.encode(), refusal)])
    with psycopg.connect(hub_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE observation ADD CONSTRAINT mild CHECK (result < 30)")
        try:
            done = rejected("retry", "--thing", "pole")
        finally:
            connection.execute("ALTER TABLE observation DROP CONSTRAINT mild")
    assert "the database refuses it" in done.stdout
    assert "3 messages read again: 2 settled, 0 in part" in done.stdout
    assert reader.counters().tally == Tally(messages=4, received=3, stored=2, rejected=1)


def test_what_was_forgotten_is_told_apart_from_what_was_purged(
    rejected: Run, some: None, hub_url: str
) -> None:
    limits = Limits(age=timedelta(days=90), messages=2, octets=10**9)
    retention = Retention(hub_url, "tsuji-ingest", limits)
    assert retention.forget(datetime.now(UTC)).messages == 1
    retention.close()
    rejected("purge", "--reason", "unregistered_thing", "--yes")
    summary = rejected("list", "--summary").stdout
    assert (
        "1 messages with 1 values are kept; 6 values are counted as rejected, 4 of them were forgotten, "
        "1 purged" in summary
    )


def test_purge_asks_first_and_leaves_the_counters(
    rejected: Run, reader: Reader, some: None
) -> None:
    before = reader.counters()
    asked = rejected("purge", "--all", typed="n\n")
    assert asked.returncode == 1
    assert "1 × unregistered_thing" in asked.stdout
    assert "wait for their thing" in asked.stdout
    assert rejected("purge", "--all").returncode == 1, "nobody there to answer"
    assert len(reader.rejected()) == 3

    done = rejected("purge", "--reason", "not_a_number", typed="y\n")
    assert "deleted 1 messages with 4 values" in done.stdout
    done = rejected("purge", "--before", "0s", "--yes")
    assert "deleted 2 messages with 2 values" in done.stdout
    assert reader.rejected() == []
    assert reader.counters() == before
    assert (
        "0 messages with 0 values are kept; 6 values are counted as rejected, 0 of them were forgotten, "
        "6 purged" in rejected("list", "--summary").stdout
    )
    assert "no rejected message fits" in rejected("purge", "--all").stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("retry",), "say which"),
        (("purge", "--yes"), "say which"),
        (("purge", "--all", "--thing", "pole", "--yes"), "exclude each other"),
        (("list", "--since", "yesterday"), "'yesterday' is neither a time"),
        (("list", "--since", "2026-04-01T09:00:00"), "with offset"),
        (("list", "--reason", "bad_mood"), "'bad_mood' is not one of"),
    ],
)
def test_wrong_use_is_explained(rejected: Run, arguments: tuple, words: str) -> None:
    done = rejected(*arguments)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_what_is_not_there_is_one_line(rejected: Run) -> None:
    done = rejected("retry", 17, 18)
    assert done.returncode == 1
    assert done.stderr == (
        "tsuji: there is no rejected message 17, 18; see `tsuji rejected list`\n"
    )


def test_a_database_that_is_away_is_one_line(rejected: Run) -> None:
    done = rejected("list", TSUJI_DATABASE_URL="postgresql://127.0.0.1:9/nowhere")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("tsuji: ")
