"""Every moment of a span is read from one source, and never from a rollup that may be wrong."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tsuji_platform.store.cover import (
    DAY,
    FIVE_MINUTES,
    HOUR,
    RAW,
    cover,
    floor_to_step,
    widths,
)
from tsuji_platform.store.horizon import Horizon, divided, known

_MIDNIGHT = datetime.fromisoformat("2026-04-01T00:00:00+09:00")
_minutes = st.integers(-4000, 4000)
_moments = st.builds(
    lambda minutes, odd: _MIDNIGHT + timedelta(minutes=minutes, microseconds=odd),
    _minutes,
    st.sampled_from([0, 0, 0, 1, -1, 30_000_000]),
)
_runs = st.lists(st.tuples(st.integers(-900, 900), st.integers(1, 40)), max_size=6)


def intervals(runs: list[tuple[int, int]]) -> list[tuple[datetime, datetime]]:
    """Runs of buckets as the store tells them: in order, merged where they touch."""
    buckets = sorted({first + i for first, length in runs for i in range(length)})
    found: list[list[int]] = []
    for bucket in buckets:
        if found and found[-1][1] == bucket - 1:
            found[-1][1] = bucket
        else:
            found.append([bucket, bucket])
    return [
        (_MIDNIGHT + (first - 1) * FIVE_MINUTES, _MIDNIGHT + last * FIVE_MINUTES)
        for first, last in found
    ]


@settings(max_examples=500, deadline=None)
@given(start=_moments, end=_moments, runs=_runs, step=st.sampled_from([DAY, HOUR, FIVE_MINUTES]))
def test_pieces_fill_the_span_once_and_stay_clear_of_what_is_stale(start, end, runs, step) -> None:
    stale = intervals(runs)
    pieces = list(cover(start, end, stale, widths(step)))
    reached = start
    for width, piece_start, piece_end in pieces:
        assert piece_start == reached < piece_end
        reached = piece_end
        if width:
            assert floor_to_step(piece_start, width) == piece_start
            assert floor_to_step(piece_end, width) == piece_end
            for stale_start, stale_end in stale:
                assert stale_end <= piece_start or piece_end <= stale_start
    assert reached == max(start, end)
    # and observations are read only where they have to be
    for width, piece_start, piece_end in pieces:
        if width == RAW:
            ends = piece_start == start or piece_end == end
            assert ends or any(a <= piece_start and piece_end <= b for a, b in stale)


def test_the_coarsest_source_is_chosen_and_finer_ones_only_at_the_ends() -> None:
    start = _MIDNIGHT - timedelta(minutes=67)
    end = _MIDNIGHT + timedelta(days=3, hours=2, minutes=11)
    assert list(cover(start, end, [], widths(DAY))) == [
        (RAW, start, _MIDNIGHT - timedelta(minutes=65)),
        (FIVE_MINUTES, _MIDNIGHT - timedelta(minutes=65), _MIDNIGHT - HOUR),
        (HOUR, _MIDNIGHT - HOUR, _MIDNIGHT),
        (DAY, _MIDNIGHT, _MIDNIGHT + 3 * DAY),
        (HOUR, _MIDNIGHT + 3 * DAY, _MIDNIGHT + timedelta(days=3, hours=2)),
        (FIVE_MINUTES, end - timedelta(minutes=11), end - timedelta(minutes=1)),
        (RAW, end - timedelta(minutes=1), end),
    ]


def test_what_is_no_longer_kept_is_not_read() -> None:
    since = _MIDNIGHT
    kept = {RAW: Horizon(since=since, drops=1, dropped_at=since, late_since=None, too_late=0)}
    before, behind = since - HOUR, since + HOUR
    pieces = [
        (RAW, before, behind),
        (RAW, before, since),
        (HOUR, before, since),
        (RAW, since, behind),
    ]
    assert divided(pieces, kept) == (
        [(RAW, since, behind), (HOUR, before, since), (RAW, since, behind)],
        [(before, since), (before, since)],
    )
    early = before - HOUR
    assert divided([(RAW, early, before)], kept) == ([], [(early, before)])
    stale = [(early, before), (before, behind), (behind, behind + HOUR)]
    assert known(stale, kept) == ((since, behind), (behind, behind + HOUR))
    assert known(stale, {}) == tuple(stale)


def test_a_step_is_made_of_what_divides_it() -> None:
    assert widths(timedelta(days=2)) == (DAY, HOUR, FIVE_MINUTES)
    assert widths(timedelta(minutes=90)) == (FIVE_MINUTES,)
    assert widths(timedelta(hours=36)) == (HOUR, FIVE_MINUTES)
    assert widths(timedelta(minutes=7)) == ()
