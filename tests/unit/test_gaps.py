"""Gaps of series: where they are, and the reason that is told."""

from datetime import UTC, datetime, timedelta

from tsuji_platform.analytics.gaps import Absence, Evidence, Gap, Span, gaps

_T = datetime(2026, 4, 1, tzinfo=UTC)
_STEP = timedelta(minutes=15)


def at(step: float) -> datetime:
    return _T + step * _STEP


def span(start: float, end: float) -> Span:
    return Span(start=at(start), end=at(end))


def found(
    observed: set[int], existed: list[Span], refused: list[Span]
) -> list[tuple[int, int, str]]:
    ends = [at(n) for n in range(1, 11)]
    evidence = Evidence(existed=existed, refused=refused)
    return [
        (int((it.start - _T) / _STEP), int((it.end - _T) / _STEP), it.reason.value)
        for it in gaps(ends, _STEP, {at(n) for n in observed}, evidence)
    ]


def test_a_full_series_has_none() -> None:
    assert found(set(range(1, 11)), [], []) == []


def test_neighbours_of_the_same_reason_are_one_gap() -> None:
    assert found({3, 7}, [span(-9, 99)], []) == [
        (0, 2, "silent"), (3, 6, "silent"), (7, 10, "silent"),
    ]  # fmt: skip


def test_before_and_after_all_datastreams_there_was_none() -> None:
    assert found({4}, [span(2.5, 6)], []) == [
        (0, 2, "none"), (2, 3, "silent"), (4, 6, "silent"), (6, 10, "none"),
    ]  # fmt: skip
    assert found(set(), [], []) == [(0, 10, "none")]
    assert found(set(), [span(0, 1), span(8, 10)], []) == [
        (0, 1, "silent"), (1, 8, "none"), (8, 10, "silent"),
    ]  # fmt: skip


def test_a_refusal_explains_the_steps_in_which_it_came_and_no_other() -> None:
    assert found({5}, [span(0, 99)], [span(-3, -2), span(1, 2), span(4, 7)]) == [
        (0, 1, "silent"), (1, 2, "rejected"), (2, 4, "silent"), (5, 7, "rejected"),
        (7, 10, "silent"),
    ]  # fmt: skip


def test_a_step_that_begins_where_keeping_begins_is_kept() -> None:
    evidence = Evidence(existed=[span(0, 99)], refused=[], kept_since=at(2))
    assert gaps([at(n) for n in (1, 2, 3)], _STEP, set(), evidence) == [
        Gap(start=at(0), end=at(2), reason=Absence.NO_LONGER_KEPT),
        Gap(start=at(2), end=at(3), reason=Absence.SILENT),
    ]


def test_a_gap_is_a_span() -> None:
    (gap,) = gaps([at(1)], _STEP, set(), Evidence(existed=[], refused=[]))
    assert gap == Gap(start=at(0), end=at(1), reason=Absence.NONE)
