"""Files of recorded messages: what is written is read again, and of what is damaged everything else."""

import io
import json
import struct
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuji_simulators.tape.blocks import HEAD_BYTES, MAGIC, MAX_MESSAGES, Note, find_head
from tsuji_simulators.tape.choice import Choice, check_filter, topic_pattern
from tsuji_simulators.tape.lists import JsonLines, ParquetMessages, holds_messages, line_of
from tsuji_simulators.tape.merge import Merged
from tsuji_simulators.tape.message import Carried, TapeError
from tsuji_simulators.tape.player import Position
from tsuji_simulators.tape.position import StateFile, fingerprint
from tsuji_simulators.tape.reader import DamagedError, Tape
from tsuji_simulators.tape.shift import shifted
from tsuji_simulators.tape.writer import TapeWriter

START = 1_775_000_000_000_000
BLOCKS, IN_BLOCK = 6, 20
POLE = "tsuji/v1/things/pole/observations"


def numbered(number: int, topic: str = "test/numbers") -> Carried:
    return Carried(START + number * 1_500, topic, str(number).encode(), number % 3, False)


def write(path: Path, messages: list[Carried], in_block: int = IN_BLOCK, **options: Any) -> Path:
    writer = TapeWriter(path, started_us=START, **options)
    for begin in range(0, len(messages), in_block):
        writer.write(messages[begin : begin + in_block])
    writer.close()
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("tape") / "whole.tsuji"
    return write(path, [numbered(n) for n in range(BLOCKS * IN_BLOCK)]).read_bytes()


messages = st.builds(
    Carried,
    st.integers(0, 2**50),
    st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
    st.binary(max_size=200),
    st.integers(0, 2),
    st.booleans(),
)


@settings(max_examples=25)
@given(st.lists(messages, max_size=50), st.integers(1, 20))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, carried: list[Carried], in_block: int
) -> None:
    path = tmp_path_factory.mktemp("tape") / "one.tsuji"
    said: list[str] = []
    tape = Tape(write(path, carried, in_block), tell=said.append)
    assert list(tape.messages()) == carried
    span = tape.span()
    assert (0 if span is None else span.messages) == len(carried)
    assert said == []


@settings(max_examples=40)
@given(st.data())
def test_a_cut_file_gives_every_whole_block(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.mktemp("tape") / "cut.tsuji"
    path.write_bytes(whole[:length])
    said: list[str] = []
    numbers = [int(one.payload) for one in Tape(path, tell=said.append).messages()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) % IN_BLOCK == 0
    assert (said == []) == (length == len(whole))
    if length > len(whole) - HEAD_BYTES:  # the mark at the end only
        assert len(numbers) == BLOCKS * IN_BLOCK


@settings(max_examples=60)
@given(st.data())
def test_a_flipped_bit_costs_one_block_and_its_place_is_told(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.mktemp("tape") / "flipped.tsuji"
    path.write_bytes(damaged)
    with pytest.raises(DamagedError, match="is damaged from byte") as error:
        list(Tape(path).messages())
    begin = int(str(error.value).split("from byte ")[1].split(" ")[0].replace(",", ""))
    end = int(str(error.value).split(" to ")[1].split(":")[0].replace(",", ""))
    assert begin <= place <= max(end, begin + HEAD_BYTES)

    span = Tape(path).span()
    assert span is not None
    assert span.messages >= (BLOCKS - 1) * IN_BLOCK

    said: list[str] = []
    numbers = [
        int(one.payload) for one in Tape(path, skip_damaged=True, tell=said.append).messages()
    ]
    lost = sorted(set(range(BLOCKS * IN_BLOCK)) - set(numbers))
    assert numbers == sorted(numbers)
    assert len(lost) in (0, IN_BLOCK)
    if lost:
        assert lost == list(range(lost[0], lost[0] + IN_BLOCK))
    assert "passed over" in said[0]


def test_a_block_that_was_cut_out_is_missed(tmp_path: Path, whole: bytes) -> None:
    second = whole.index(b"\xf0TSUJI", whole.index(b"\xf0TSUJI", 1) + 1)
    third = whole.index(b"\xf0TSUJI", second + 1)
    path = tmp_path / "shorter.tsuji"
    path.write_bytes(whole[:second] + whole[third:])
    with pytest.raises(DamagedError, match="block 3 follows block 1"):
        list(Tape(path).messages())
    assert len(list(Tape(path, skip_damaged=True).messages())) == (BLOCKS - 1) * IN_BLOCK


def test_recordings_can_be_put_one_behind_the_other(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "two.tsuji"
    path.write_bytes(whole + whole)
    assert len(list(Tape(path).messages())) == 2 * BLOCKS * IN_BLOCK


def test_what_a_recording_misses_is_told(tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path / "gap.tsuji", started_us=START)
    writer.write([numbered(1)])
    writer.note(Note(from_us=START, until_us=START, text="nothing is recorded from a to b"))
    writer.write([numbered(2)])
    writer.close()
    said: list[str] = []
    tape = Tape(writer.path, tell=said.append)
    assert [one.payload for one in tape.messages()] == [b"1", b"2"]
    assert list(tape.messages())
    assert said == [f"{writer.path}: nothing is recorded from a to b"]


def test_a_recording_goes_on_in_another_file_by_size_and_by_time(tmp_path: Path) -> None:
    carried = [numbered(n) for n in range(200)]
    for options in ({"rotate_bytes": 1_000}, {"rotate_s": 0.05}):
        folder = tmp_path / str(next(iter(options)))
        folder.mkdir()
        write(folder / "city.tsuji", carried, **options)
        files = list(folder.iterdir())
        assert len(files) > 2
        assert all(one.name.startswith("city-20260331T") for one in files)
        merged = Merged([Tape(one) for one in files])
        assert list(merged.messages()) == carried


def test_no_file_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "precious.tsuji"
    path.write_text("mine")
    with pytest.raises(TapeError, match="not written over"):
        TapeWriter(path, started_us=START)
    assert path.read_text() == "mine"


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, 50), max_size=20).map(sorted), min_size=1, max_size=4))
def test_files_are_merged_in_the_order_of_arrival(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    tracks = []
    for place, times in enumerate(files):
        carried = [Carried(START + time, f"from/{place}", b"") for time in times]
        tracks.append(Tape(write(folder / f"{place}.tsuji", carried)))
    merged = Merged(tracks)
    found = [(one.time_us - START, int(one.topic[5:])) for one in merged.messages()]
    assert found == sorted((time, place) for place, times in enumerate(files) for time in times)
    span = merged.span()
    assert (span.messages if span else 0) == len(found)


@pytest.mark.parametrize(
    ("text", "fits", "fits_not"),
    [
        ("#", ["a", "a/b", "/"], ["$SYS/x"]),
        ("+/b", ["a/b", "/b"], ["a/b/c", "$SYS/b", "b"]),
        ("a/#", ["a", "a/b", "a/b/c"], ["ab", "b/a"]),
        ("a/+/c", ["a/b/c", "a//c"], ["a/b/b/c", "a/c"]),
        ("$SYS/#", ["$SYS/x"], ["x"]),
        ("a.b/c", ["a.b/c"], ["axb/c"]),
    ],
)
def test_topic_filters_are_mqtts(text: str, fits: list[str], fits_not: list[str]) -> None:
    pattern = topic_pattern([text])
    assert [one for one in fits if not pattern.fullmatch(one)] == []
    assert [one for one in fits_not if pattern.fullmatch(one)] == []


@pytest.mark.parametrize("text", ["", "a#", "#/a", "a/b+", "a/#/b"])
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(TapeError, match="not a topic filter"):
        check_filter(text)


def test_messages_are_chosen_by_topic_thing_and_time(tmp_path: Path) -> None:
    topics = [
        "tsuji/v1/things/pole-1",
        "tsuji/v1/things/pole-1/observations",
        "tsuji/v1/things/gate/observations",
        "v1.1/Datastreams('pole-2:air_temperature')/Observations",
        "v3/city@ttn/devices/pole-3/up",
        "other/pole-4",
    ]
    carried = [
        Carried(START + n, topic, b"x", 1, topic.endswith("pole-1"))
        for n, topic in enumerate(topics)
    ]
    track = Tape(write(tmp_path / "all.tsuji", carried))

    def chosen(**options: Any) -> list[int]:
        choice = Choice(**options)
        return [topics.index(one.topic) for one in choice.of(track)]

    assert chosen() == [0, 1, 2, 3, 4, 5]
    assert chosen(things=["pole-*"]) == [0, 1, 3, 4]
    assert chosen(things=["gate", "pole-3"]) == [2, 4]
    assert chosen(topics=["tsuji/v1/things/+/observations"]) == [1, 2]
    assert chosen(topics=["#"], things=["gate"]) == [2]
    assert chosen(end_us=START + 2) == [0, 1]
    # what was retained before comes first, as a broker gives it to a late subscriber
    assert chosen(start_us=START + 3) == [0, 3, 4, 5]
    assert chosen(start_us=START + 3, things=["pole-1"]) == []


@pytest.mark.parametrize(
    ("topic", "payload", "moved"),
    [
        (
            POLE,
            b'{"time": "2026-04-01T23:59:30.250+09:00", "results": {"rainfall": 1.0}}',
            b'{"time": "2026-04-02T01:00:00.250+09:00", "results": {"rainfall": 1.0}}',
        ),
        (POLE, b'[{"time":"2026-04-01T00:00:00Z"', b'[{"time":"2026-04-01T01:00:30Z"'),
        (POLE, b'{"time": "2026-04-01T00:00:00", "time": 5}', None),
        (POLE, b'{"time": "2026-02-31T00:00:00Z"}', b'{"time": "2026-02-31T00:00:00Z"}'),
        (
            "v1.1/Datastreams('a:b')/Observations",
            b'{"phenomenonTime": "2026-04-01T00:00:00Z/2026-04-01T00:05:00Z", "result": 3}',
            b'{"phenomenonTime": "2026-04-01T01:00:30Z/2026-04-01T01:05:30Z", "result": 3}',
        ),
        (
            "v3/a@t/devices/d/up",
            b'{"received_at":"2026-04-01T00:00:01.123456789Z","f_port":1}',
            b'{"received_at":"2026-04-01T01:00:31.123456789Z","f_port":1}',
        ),
        ("other", b'{"time": "2026-04-01T00:00:00Z"}', None),
    ],
)
def test_times_in_payloads_move_and_nothing_else(
    topic: str, payload: bytes, moved: bytes | None
) -> None:
    assert shifted(Carried(START, topic, payload), 3_630) == (
        (payload, False) if moved is None else (moved, True)
    )


def test_json_lines_carry_every_message(tmp_path: Path) -> None:
    carried = [
        Carried(START, "a/b", "東京".encode(), 1, True),
        Carried(START + 1, "a/c", b"\xff\x00", 2, False),
        Carried(START + 2, "a/d", b"", 0, False),
    ]
    path = tmp_path / "some.jsonl"
    path.write_bytes(b"\n".join(line_of(one) for one in carried))
    assert holds_messages(path, "jsonl")
    assert list(JsonLines(path).messages()) == carried


def test_what_mosquitto_sub_prints_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sub.jsonl"
    path.write_text(
        '{"tst":"2026-04-01T09:00:00.250000+0900","topic":"a","qos":0,"retain":0,"payloadlen":2,'
        '"payload":{"n":[1]}}\n'
    )
    (one,) = JsonLines(path).messages()
    assert one.time.isoformat() == "2026-04-01T00:00:00.250000+00:00"
    assert (one.topic, one.payload, one.qos, one.retain) == ("a", b'{"n":[1]}', 0, False)


def test_parquet_of_messages_is_read(tmp_path: Path) -> None:
    path = tmp_path / "some.parquet"
    times = pa.array([START, START + 7], pa.timestamp("us", "UTC"))
    pq.write_table(
        pa.table({"time": times, "topic": ["a", "b"], "payload": [b"\xff", b""], "qos": [1, 2]}),
        path,
    )
    assert holds_messages(path, "parquet")
    assert list(ParquetMessages(path).messages()) == [
        Carried(START, "a", b"\xff", 1, False),
        Carried(START + 7, "b", b"", 2, False),
    ]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('{"time": "2026-04-01T09:00:00", "topic": "a"}', "has no offset"),
        ('{"time": "soon", "topic": "a"}', "soon"),
        ('{"time": "2026-04-01T09:00:00Z"}', "str"),
        ('{"time": "2026-04-01T09:00:00Z", "topic": "a", "qos": 3}', "<= 2"),
        ('{"time": "2026-04-01T09:00:00Z", "topic": "a", "payload_base64": "?"}', "Base64"),
        ('{"time": "9999-12-31T23:59:59-23:00", "topic": "a"}', "out of range"),
        ("[]", "not an object"),
        ("{", "not JSON"),
    ],
)
def test_a_line_that_is_no_message_is_named_and_can_be_passed_over(
    tmp_path: Path, line: str, named: str
) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_bytes(line.encode() + b"\n" + line_of(numbered(1)) + b"\n")
    with pytest.raises(TapeError, match=f"line 1: .*{named}"):
        list(JsonLines(path).messages())
    said: list[str] = []
    assert list(JsonLines(path, skip_damaged=True, tell=said.append).messages()) == [numbered(1)]
    assert "passed over" in said[0]


def test_a_state_is_of_one_replay_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsuji", [numbered(1)])
    state = StateFile(tmp_path / "state", fingerprint([path], Choice().text))
    assert state.load() == Position()
    state.save(Position(passes=1, messages=5))
    assert state.load() == Position(passes=1, messages=5)
    other = StateFile(tmp_path / "state", fingerprint([path], Choice(topics=["a"]).text))
    with pytest.raises(TapeError, match="of a replay of other files"):
        other.load()
    state.forget()
    assert state.load() == Position()


def test_the_import_formats_are_messages_in_the_order_of_time(tmp_path: Path) -> None:
    from tsuji.replay_rows import RowsTrack
    from tsuji_platform.imports.files import ReadingOptions
    from tsuji_platform.imports.things import load_things

    rows = tmp_path / "rows.csv"
    rows.write_text(
        "thing,observed_property,time,result,period_s\n"
        "pole,air_temperature,2026-04-01T09:05:00+09:00,12.5,\n"
        "gate,pedestrians_in,2026-04-01T09:00:00+09:00,31,300\n"
        "pole,air_temperature,2026-04-01T09:00:00+09:00,12.0,\n"
        "pole,relative_humidity,2026-04-01T09:00:00+09:00,40,\n"
        "pole,air_temperature,2026-04-01T09:10:00+09:00,999,\n"
    )
    things = tmp_path / "things.json"
    things.write_text(
        '[{"thing_id": "pole", "name": "P", "location": {"type": "Point", "coordinates": [139.7, 35.7]},'
        '"datastreams": ["air_temperature", "relative_humidity"]}]'
    )
    said: list[str] = []
    track = RowsTrack(rows, ReadingOptions(), load_things(things), said.append)
    found = [(one.topic, json.loads(one.payload)) for one in track.messages()]
    assert found[0][0] == "tsuji/v1/things/pole"
    assert sorted(found[1:3], key=lambda one: one[0]) == [
        (
            "tsuji/v1/things/gate/observations",
            {
                "time": "2026-04-01T00:00:00+00:00",
                "period_s": 300,
                "results": {"pedestrians_in": 31},
            },
        ),
        (
            POLE,
            {
                "time": "2026-04-01T00:00:00+00:00",
                "results": {"air_temperature": 12.0, "relative_humidity": 40},
            },
        ),
    ]
    assert found[3:] == [
        (POLE, {"time": "2026-04-01T00:05:00+00:00", "results": {"air_temperature": 12.5}})
    ]
    assert "line 6" in said[0]
    assert "999" in said[0]
    span = track.span()
    assert span is not None
    assert span.messages == len(found)


_FULL = """
import resource, sys
from pathlib import Path
from tsuji_simulators.tape.message import Carried, TapeError
from tsuji_simulators.tape.writer import TapeWriter

resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
writer = TapeWriter(Path(sys.argv[1]), started_us=0)
written = 0
try:
    while True:
        writer.write([Carried(n, "a", bytes(range(256))) for n in range(written, written + 10)])
        written += 10
except TapeError as error:
    print(written, error)
"""


def test_a_full_disk_ends_a_recording_that_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "full.tsuji"
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(path)], capture_output=True, text=True, check=True
    )
    written, error = done.stdout.split(" ", 1)
    assert "can't be written on" in error
    assert int(written) > 10
    said: list[str] = []
    assert len(list(Tape(path, tell=said.append).messages())) == int(written)
    assert said == [f"{path} was not closed: what came in its last second may be missing"]


def block(body: bytes, *, count: int = 1, first_us: int = 0, last_us: int = 0) -> bytes:
    """A block of messages with good check sums, whatever is in it."""
    stored = pa.Codec("zstd").compress(body, asbytes=True)
    head = struct.pack(
        "<8sBBBBIIIqqII", MAGIC, 1, 2, 1, 0, count, len(stored), len(body), first_us, last_us, 0,
        crc32(stored),
    )  # fmt: skip
    return head + struct.pack("<I", crc32(head)) + stored


ONE = b"\x95\x01\xa1x\xc4\x00\x01\xc2"
_LATE = 2**63 - 1


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (block(b"\x91\x96" + ONE[1:] + b"\x91" * 100_000 + b"\xc0"), "recursion"),
        (block(b"\xdd" + struct.pack(">I", 2**20) + ONE * 2**20), "1,048,576 messages"),
        (block(b"\xdd" + struct.pack(">I", 2**20) + ONE * 2**20, count=2**20), "makes no sense"),
        (block(b"\x91" + ONE, first_us=-_LATE, last_us=_LATE), "makes no sense"),
        (block(b"\x91" + ONE, first_us=9, last_us=3), "makes no sense"),
        (block(b"\xc0"), "no array"),
        (block(b""), "no array"),
    ],
)
def test_a_file_that_was_made_to_do_harm_is_damaged(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "made.tsuji"
    path.write_bytes(data + block(b"\x91" + ONE))
    with pytest.raises(DamagedError, match=what):
        list(Tape(path).messages())
    assert len(list(Tape(path, skip_damaged=True).messages())) == 1


def test_many_false_heads_are_passed_over_in_one_look(tmp_path: Path) -> None:
    path = tmp_path / "heads.tsuji"
    path.write_bytes(b"x" + MAGIC * 300_000 + block(b"\x91" + ONE))
    reads = 0

    class Counted(io.FileIO):
        def readinto(self, buffer: Any) -> int | None:
            nonlocal reads
            reads += 1
            return super().readinto(buffer)

    with io.BufferedReader(Counted(path)) as file:
        assert find_head(file, 1) == 1 + len(MAGIC) * 300_000
    assert reads < 100


def test_times_in_parquet_that_are_none_cost_their_row_only(tmp_path: Path) -> None:
    path = tmp_path / "times.parquet"
    times = pa.array([START, 2**62], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"time": times, "topic": ["a", "b"]}), path)
    with pytest.raises(TapeError, match="row 2"):
        list(ParquetMessages(path).messages())
    assert len(list(ParquetMessages(path, skip_damaged=True).messages())) == 1


_REPEATED = """
import resource, sys
from pathlib import Path
from tsuji_simulators.tape.lists import ParquetMessages

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(sum(len(one.payload) for one in ParquetMessages(Path(sys.argv[1])).messages()))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("use_dictionary", [True, False])
def test_parquet_that_repeats_a_long_payload_needs_little_memory(
    tmp_path: Path, use_dictionary: bool
) -> None:
    path = tmp_path / "repeated.parquet"
    payload = "x" * 500_000
    rows = {
        "time": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 600),
        "topic": pa.array(["a"] * 600),
        "payload": pa.DictionaryArray.from_arrays(pa.array([0] * 600), pa.array([payload])),
    }
    if not use_dictionary:
        rows["payload"] = rows["payload"].cast(pa.string())
    pq.write_table(pa.table(rows), path, compression="zstd", use_dictionary=use_dictionary)
    done = subprocess.run(
        [sys.executable, "-c", _REPEATED, str(path)], capture_output=True, text=True, check=True
    )
    read, mib = map(int, done.stdout.split())
    assert read == 300_000_000
    assert mib < 150


def test_lines_of_any_length_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    sent = [Carried(START, "a", b"x" * size, 1, False) for size in (3, 3_000_000, 0, 1 << 20, 7)]
    path.write_bytes(b"\n".join(line_of(one) for one in sent))
    assert list(JsonLines(path).messages()) == sent


def test_a_great_many_messages_are_several_blocks(tmp_path: Path) -> None:
    one = Carried(START, "a", b"", 0, False)
    path = write(tmp_path / "many.tsuji", [one] * (MAX_MESSAGES + 1), MAX_MESSAGES + 1)
    assert sum(1 for _ in Tape(path).messages()) == MAX_MESSAGES + 1
