"""Recorded messages sent again: as they were, moved to now, killed and gone on with, damaged."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub_processes import HubProcesses
from taped import Ear, Eventually, tape
from tsuji_platform.settings import BrokerAddress
from tsuji_simulators import replaying
from tsuji_simulators.publish import Publisher
from tsuji_simulators.tape.message import Carried
from tsuji_simulators.tape.player import Position
from tsuji_simulators.tape.writer import TapeWriter


def test_a_replay_sends_what_was_recorded_as_it_was(
    address: BrokerAddress, tmp_path: Path, eventually: Eventually
) -> None:
    path = tape(tmp_path / "some.tsuji", 90)
    with Ear(address) as ear, replaying(path, broker=address, speed=2.0) as replay:
        final = replay.finish(240)
        assert final.is_complete
        assert (final.sent, final.acknowledged, final.unheard) == (90, 90, 0)
        eventually(lambda: len(ear.messages) == 90)
    for qos in range(3):  # MQTT keeps no order between them
        numbers = [int(one.payload) for one in ear.messages if one.qos == qos]
        assert numbers == list(range(qos, 90, 3))
    with Ear(address) as late:
        eventually(lambda: late.messages)
        assert [(one.topic, one.payload, one.retain) for one in late.messages] == [
            ("test/1", b"1", True)
        ]


def test_a_replay_to_nowhere_does_not_wait_for_ever(tmp_path: Path) -> None:
    path = tape(tmp_path / "some.tsuji", 3)
    with (
        pytest.raises(ConnectionError, match=r"no broker answers at 127\.0\.0\.1"),
        replaying(path, broker="mqtt://127.0.0.1:9", connect_timeout_s=0),
    ):
        pass


def test_times_moved_to_now_keep_their_spacing_and_are_never_ahead(
    address: BrokerAddress, tmp_path: Path, eventually: Eventually
) -> None:
    begun, path = datetime(2026, 4, 1, tzinfo=UTC), tmp_path / "minute.tsuji"
    times = [begun + timedelta(seconds=2 * n) for n in range(30)]
    writer = TapeWriter(path, started_us=0)
    writer.write(
        [
            Carried(
                int(one.timestamp() * 1e6),
                "tsuji/v1/things/pole/observations",
                b'{"time": "%s", "results": {}}' % one.isoformat().encode(),
            )
            for one in times
        ]
    )
    writer.close()
    with (
        Ear(address) as ear,
        replaying(path, broker=address, speed=100, to_now=True, passes=2) as replay,
    ):
        final = replay.finish(240)
        eventually(lambda: len(ear.messages) == 60)
        ended = datetime.now(UTC)
    assert (final.sent, final.timeless, final.position) == (60, 0, Position(passes=1, messages=30))
    sent = [datetime.fromisoformat(json.loads(one.payload)["time"]) for one in ear.messages]
    for one in (sent[:30], sent[30:]):
        assert [time - one[0] for time in one] == [time - begun for time in times]
        assert ended - timedelta(hours=1) < one[-1] <= ended
    assert sent[30] >= sent[0]


def test_what_reaches_nobody_is_said(hub: HubProcesses, tmp_path: Path) -> None:
    path = tape(tmp_path / "some.tsuji", 90)
    done = hub.run("replay", str(path), "--speed", "max")
    assert done.returncode == 3
    assert "29 messages reached no subscriber" in done.stderr
    assert "tsuji ingest" in done.stderr
    with Ear(BrokerAddress.parse(hub.broker_url), "test/#"):
        done = hub.run("replay", str(path), "--speed", "max")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_simulated_fleet_says_that_it_reaches_nobody(
    hub: HubProcesses, eventually: Eventually
) -> None:
    hub.environment["TSUJI_HISTORY_DAYS"] = "0.01"
    hub.start("simulate")
    eventually(lambda: "reached no subscriber and are lost" in hub.log("simulate").read_text())


def test_what_no_broker_takes_is_passed_over_and_said(hub: HubProcesses, tmp_path: Path) -> None:
    path = tmp_path / "hostile.jsonl"
    lines = [
        {"time": "2026-04-01T00:00:00Z", "topic": topic, "payload": "x", "qos": 2}
        for topic in ("test/#", "test/\0", "test/good")
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with Ear(BrokerAddress.parse(hub.broker_url)):
        done = hub.run("replay", str(path))
    assert done.returncode == 3
    assert "1 messages sent, 1 of them acknowledged" in done.stdout
    assert "2 more could not be sent" in done.stderr


def test_a_killed_replay_goes_on_where_it_was(
    hub: HubProcesses, address: BrokerAddress, tmp_path: Path, eventually: Eventually
) -> None:
    path, state = tape(tmp_path / "long.tsuji", 4_000, gap_us=20_000), tmp_path / "state"
    arguments = ["replay", str(path), "--state", str(state)]
    with Ear(address) as ear:
        process = subprocess.Popen(
            [sys.executable, "-m", "tsuji", *arguments], env={**hub.environment}
        )
        try:
            eventually(lambda: state.exists() and len(ear.messages) < 4_000, what="a state")
        finally:
            process.kill()
            process.wait()
        with Publisher(address) as publisher:  # which comes behind all that the killed one has sent
            publisher.publish("end", b"0")
            eventually(lambda: any(one.topic == "end" for one in ear.messages))
        ear.messages[:] = [one for one in ear.messages if one.topic != "end"]
        first = len(ear.messages)
        done = hub.run(*arguments, "--speed", "max")
        assert done.returncode == 0, done.stderr
        assert "going on behind" in done.stderr
        eventually(lambda: set(ear.numbers) == set(range(4_000)), what="every message")
        again = len(ear.messages) - 4_000
        assert 0 <= again < first  # what the killed one had not noted yet
    assert not state.exists()


def test_a_damaged_file_is_named_and_skipped_on_demand(hub: HubProcesses, tmp_path: Path) -> None:
    path = tape(tmp_path / "damaged.tsuji", 50)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with Ear(BrokerAddress.parse(hub.broker_url)):
        done = hub.run("replay", str(path))
        assert done.returncode == 1
        assert "is damaged from byte" in done.stderr
        assert "--skip-damaged" in done.stderr
        done = hub.run("replay", str(path), "--skip-damaged")
        assert done.returncode == 0
        assert "50 messages are lost" in done.stderr


def test_a_dry_run_prints_what_a_replay_reads(hub: HubProcesses, tmp_path: Path) -> None:
    path = tape(tmp_path / "some.tsuji", 12)
    done = hub.run("replay", str(path), "--dry-run", "--topic", "test/2")
    lines = done.stdout.splitlines()
    assert [json.loads(one)["payload"] for one in lines] == ["2", "6", "10"]
    (tmp_path / "some.jsonl").write_text(done.stdout)
    assert hub.run("replay", str(tmp_path / "some.jsonl"), "--dry-run").stdout == done.stdout
    refused = hub.run("replay", str(path), "--dry-run", "--to-now", "--loop", "2")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "are for a broker: leave them out, or --dry-run" in " ".join(refused.stderr.split())


def test_a_choice_that_leaves_nothing_is_said(hub: HubProcesses, tmp_path: Path) -> None:
    path = tape(tmp_path / "some.tsuji", 12)
    done = hub.run("replay", str(path), "--thing", "nobody")
    assert (done.returncode, done.stdout) == (
        0,
        "0 messages sent, 0 of them acknowledged by the broker\n",
    )
    assert "--topic, --thing, --from or --to leave out every message" in done.stderr
