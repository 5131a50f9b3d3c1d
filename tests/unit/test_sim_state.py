"""The state file: spans tile the past exactly, through stops and crashes at any moment."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuji_simulators.state import Span, State, left_to_others

NOW = 1_775_401_234
"""34 seconds into a minute."""
MINUTE = NOW // 60 * 60
DAY = 86_400


def state(folder: Path, now: int = NOW, history_days: float = 3) -> State:
    return State(folder / "state.json", now=now, history_days=history_days)


def drain(one: State, length_s: int = 7_200) -> list[Span]:
    chunks = []
    while chunk := one.newest_chunk(length_s):
        chunks.append(chunk)
        one.chunk_acknowledged(chunk)
    return chunks


def test_first_start_has_history_then_minutes_then_live(tmp_path: Path) -> None:
    one = state(tmp_path)
    history, minutes = one.backlog
    assert history.step_s == 300
    assert history.start % 300 == history.end % 300 == 0
    assert history.start == (NOW - 3 * DAY) // 300 * 300
    assert minutes.step_s == 60
    assert history.end == minutes.start
    assert minutes.end == one.live_from == MINUTE - 60


def test_without_history_only_the_last_minutes_are_filled(tmp_path: Path) -> None:
    one = state(tmp_path, history_days=0)
    assert all(span.step_s == 60 for span in one.backlog)


def test_chunks_come_newest_first_and_tile_the_backlog(tmp_path: Path) -> None:
    one = state(tmp_path)
    spans = one.backlog
    chunks = drain(one)
    assert chunks[0].end == spans[-1].end
    assert chunks[-1].start == spans[0].start
    for newer, older in itertools.pairwise(chunks):
        assert older.end == newer.start
        assert older.start < older.end
    assert all(chunk.end - chunk.start <= 7_200 for chunk in chunks)
    assert all((chunk.end - chunk.start) % chunk.step_s == 0 for chunk in chunks)
    assert one.backlog == ()


def test_a_restart_goes_on_with_what_was_not_acknowledged(tmp_path: Path) -> None:
    before = state(tmp_path)
    for _ in range(3):
        chunk = before.newest_chunk(7_200)
        assert chunk is not None
        before.chunk_acknowledged(chunk)
    before.live_acknowledged(MINUTE)
    unacknowledged = before.backlog
    after = state(tmp_path, now=NOW + 2 * 3600)
    assert after.live_from == MINUTE + 2 * 3600 - 60
    trimmed, gap = after.backlog
    assert trimmed.end == unacknowledged[-1].end
    assert gap == Span(start=MINUTE, end=after.live_from, step_s=60)


def test_a_restart_within_the_minute_repeats_nothing_acknowledged(tmp_path: Path) -> None:
    before = state(tmp_path, history_days=0)
    drain(before)
    before.live_acknowledged(MINUTE)
    after = state(tmp_path, now=NOW + 5, history_days=0)
    assert after.live_from == MINUTE
    assert after.backlog == ()


def test_a_long_gap_is_filled_only_as_far_as_history_goes(tmp_path: Path) -> None:
    drain(state(tmp_path))
    after = state(tmp_path, now=NOW + 30 * DAY)
    (gap,) = after.backlog
    assert gap.step_s == 60
    assert gap.start == (NOW + 27 * DAY) // 300 * 300
    assert gap.end == after.live_from


def left(folder: Path, now: int, days: float = 22) -> list[Span]:
    found = left_to_others(folder / "state.json", now=now, days=days, live_since=now - 600)
    assert found is not None
    return found


def test_the_time_before_the_first_start_is_left_to_others(tmp_path: Path) -> None:
    one = state(tmp_path, history_days=0)
    begun = one.backlog[0].start if one.backlog else one.live_from
    (span,) = left(tmp_path, NOW)
    assert (span.start, span.end, span.step_s) == (begun - 22 * DAY, begun, 300)
    later = state(tmp_path, now=NOW + DAY, history_days=0)
    assert left(tmp_path, NOW + DAY) == [span]
    assert left(tmp_path, NOW + DAY, days=0) == []
    assert later.backlog[-1].step_s == 60


def test_what_the_fleet_leaves_is_not_known_before_it_has_started(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert left_to_others(path, now=NOW, days=22, live_since=NOW - 600) is None
    state(tmp_path)
    assert left_to_others(path, now=NOW + DAY, days=22, live_since=NOW + DAY - 600) is None


def test_a_fleet_of_an_older_version_leaves_only_what_it_has_noted(tmp_path: Path) -> None:
    saved = {"version": 1, "live_to": MINUTE - 10 * DAY, "backlog": []}
    (tmp_path / "state.json").write_text(json.dumps(saved))
    (gap,) = state(tmp_path).backlog
    (history, *rest) = left(tmp_path, NOW)
    assert history.end == gap.start
    assert sum(span.end - span.start for span in (history, *rest)) == gap.start - saved["live_to"]


def test_a_clock_set_back_publishes_no_minute_twice(tmp_path: Path) -> None:
    before = state(tmp_path)
    drain(before)
    after = state(tmp_path, now=NOW - 3600)
    assert after.live_from == before.live_from
    assert after.backlog == ()


def test_live_that_fell_behind_becomes_backlog_while_a_chunk_is_under_way(tmp_path: Path) -> None:
    one = state(tmp_path)
    chunk = one.newest_chunk(7_200)
    assert chunk is not None
    one.skip_live_to(MINUTE + 1_200)
    one.chunk_acknowledged(chunk)
    assert one.live_to == MINUTE + 1_200
    assert one.backlog[-1] == Span(start=MINUTE - 60, end=MINUTE + 1_200, step_s=60)
    assert drain(one)[-1].start == (NOW - 3 * DAY) // 300 * 300


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5), st.integers(1, 5 * DAY)), max_size=8)
)
def test_whatever_happens_no_count_is_left_out_or_covered_twice(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int, int]]
) -> None:
    """Runs publish some chunks and live minutes, are killed, and start again later."""
    folder = tmp_path_factory.mktemp("state")
    published: list[Span] = []
    now = NOW
    for chunks, minutes, pause in [*runs, (10**6, 0, 0)]:
        one = state(folder, now=now, history_days=1)
        for _ in range(chunks):
            chunk = one.newest_chunk(7_200)
            if chunk is None:
                break
            one.chunk_acknowledged(chunk)
            published.append(chunk)
        for _ in range(minutes):
            live = Span(start=one.live_to, end=one.live_to + 60, step_s=60)
            one.live_acknowledged(live.end)
            published.append(live)
        now += 60 * minutes + pause
    published.sort(key=lambda span: span.start)
    for before, after in itertools.pairwise(published):
        assert before.end <= after.start
    state(folder, now=now, history_days=1)
    others = left(folder, now, days=60)
    if not published:
        published = [Span(start=others[0].end, end=others[0].end + 60, step_s=60)]
    whole = sorted((*published, *others), key=lambda span: span.start)
    for before, after in itertools.pairwise(whole):
        assert before.end == after.start
    assert whole[0].end - whole[0].start == 60 * DAY


def test_the_file_is_replaced_whole(tmp_path: Path) -> None:
    one = state(tmp_path)
    one.live_acknowledged(MINUTE)
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]
    assert json.loads((tmp_path / "state.json").read_text())["live_to"] == MINUTE


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"version":1,"live_to":')
    with pytest.raises(ValueError, match=r"state\.json can't be read; delete it"):
        state(tmp_path)


def test_a_chunk_that_is_not_the_newest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not the end of any"):
        state(tmp_path).chunk_acknowledged(Span(start=0, end=60, step_s=60))
