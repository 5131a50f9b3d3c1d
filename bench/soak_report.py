"""What came of a soak: whether memory, files, connections and lag stayed as they were, and the page on it."""

import itertools
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
import psutil

mpl.use("Agg")
from matplotlib import pyplot as plt

WARM_UP = 1 / 3
"""The part of a run in which caches fill; it counts for nothing."""
_GROWTH = 0.05
_LEAST_MIB = 10.0
"""So much may a process's memory have grown by the slope over the rest of the run, the larger of the two."""
_LEAST = 3.0
"""So many files or connections."""
_INTRODUCTION = """\
# Soak: the whole hub under load

`make soak` runs database, broker, two ingests on a shared subscription, two workers of the data API, the
dashboard and 2,000 simulated things that report once a minute, with 50 open maps, 10 live streams of the API
and a client that asks one question after the other, up to 5 a second, for `MINUTES` (30), looks at all of
them the whole time, and writes this page.
(`make outage` lets a million messages wait while the database is away, [ingest.md](ingest.md).)
"""
_RULES = """\
*At first* and *at last* are medians of the first and the last third after the warm-up; growth is the median
of the slopes between all pairs of samples (Theil and Sen). Memory is flat where the slope over the rest of
the run comes to less than 5 % or 10 MiB (the database's: less than half, since its shared buffers fill
first), files and connections where it comes to less than 5 % or 3, lag where it comes to less than half of
itself or 0.1 s. Memory is proportional (PSS): what processes share is counted once. The simulated things
begin with some minutes of the past, which counts as lag in the warm-up.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How everything stood at one moment; by process where it is a dict."""

    minute: float
    memory_mib: dict[str, float]
    files: dict[str, float]
    threads: dict[str, float]
    connections: float
    tables_mib: dict[str, float]
    stored: int
    rejected: int
    waiting: int
    commit_p95_s: float
    publish_p95_s: float
    rollup_lag_s: float
    rollup_rows: float
    answer_p50_s: float
    answer_p95_s: float
    answers: int

    def line(self) -> str:
        """For whoever waits."""
        memory = ", ".join(f"{name} {mib:.0f}" for name, mib in self.memory_mib.items())
        return (
            f"{self.minute:5.1f} min  {self.stored:,} stored, published to committed within "
            f"{self.publish_p95_s:.2f} s; MiB: {memory}; {self.connections:.0f} connections; "
            f"answers within {self.answer_p95_s:.2f} s"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that is to stay as it was.

    Attributes:
        what: its name.
        at_first: median of the first third after the warm-up.
        at_last: median of the last third.
        an_hour: by how much it grows in an hour: the median of the slopes between all pairs of samples
            (Theil and Sen).
        good: whether it stays.
        digits: that are shown.
    """

    what: str
    at_first: float
    at_last: float
    an_hour: float
    good: bool
    digits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the hub stayed as it was, and what speaks against it."""

    rows: Sequence[Row]
    against: Sequence[str]

    @property
    def good(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.against

    def text(self) -> str:
        """In a sentence."""
        if self.good:
            return "The hub stayed as it was: memory, files, connections and lag are flat after the warm-up."
        return "The hub did not stay as it was: " + "; ".join(self.against) + "."


def slope(minutes: Sequence[float], values: Sequence[float]) -> float:
    """Growth in an hour, by Theil and Sen: single peaks say nothing."""
    pairs = itertools.combinations(zip(minutes, values, strict=True), 2)
    slopes = [(after[1] - before[1]) / (after[0] - before[0]) for before, after in pairs]
    return 60 * statistics.median(slopes) if slopes else 0.0


def judge(samples: Sequence[Sample], refused: Mapping[str, int]) -> Verdict:
    """What stayed and what did not."""
    end = samples[-1].minute
    warm = [one for one in samples if one.minute >= WARM_UP * end]
    minutes = [one.minute for one in warm]
    span_h = (minutes[-1] - minutes[0]) / 60
    third = max(1, len(warm) // 3)

    def row(
        what: str,
        of: Callable[[Sample], float],
        least: float,
        share: float = _GROWTH,
        digits: int = 0,
    ) -> Row:
        values = [of(one) for one in warm]
        an_hour = slope(minutes, values)
        level = statistics.median(values)
        return Row(
            what=what,
            at_first=statistics.median(values[:third]),
            at_last=statistics.median(values[-third:]),
            an_hour=an_hour,
            good=an_hour * span_h <= max(least, share * level),
            digits=digits,
        )

    names = list(warm[-1].memory_mib)
    rows = [
        row(f"memory of {name}, MiB", lambda it, name=name: it.memory_mib[name], _LEAST_MIB)
        for name in names
        if name != "database"
    ]
    # shared buffers fill until they are as large as they may be
    rows.append(row("memory of database, MiB", lambda it: it.memory_mib["database"], 200, 0.5))
    rows += [
        row(f"files of {name}", lambda it, name=name: it.files[name], _LEAST)
        for name in names
        if name != "database"  # which opens each table in each connection that asks for it
    ]
    rows.append(row("connections to the database", lambda it: it.connections, _LEAST))
    rows.append(row("published to committed, 95 %, s", lambda it: it.publish_p95_s, 0.1, 0.5, 2))
    rows.append(row("arrived to committed, 95 %, s", lambda it: it.commit_p95_s, 0.1, 0.5, 2))
    rows.append(row("answers of the API, 95 %, s", lambda it: it.answer_p95_s, 0.2, 0.5, 2))
    rows.append(row("values waiting", lambda it: float(it.waiting), 1_000))
    rows.append(row("rollups behind, s", lambda it: it.rollup_lag_s, 30))
    rows.append(row("rows of the rollup log", lambda it: it.rollup_rows, 10_000))
    against = [f"{it.what} grows by {it.an_hour:,.1f} an hour" for it in rows if not it.good]
    against += [f"{number} times {what}" for what, number in refused.items()]
    if warm[-1].rejected:
        against.append(f"{warm[-1].rejected:,} values were rejected")
    return Verdict(rows=rows, against=against)


def write(
    page: Path | None,
    samples: Sequence[Sample],
    said: Sequence[str],
    refused: Mapping[str, int],
    note: str,
) -> Verdict:
    """Judge, and write the page where one is wanted.

    Args:
        page: to write, with a picture in `images` beside it.
        samples: of the run.
        said: warnings and errors of the services.
        refused: questions that were not answered.
        note: what else is to be known of the run.
    """
    verdict = judge(samples, refused)
    if page is not None:
        picture = page.parent / "images" / f"{page.stem}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        _draw(picture, samples)
        page.write_text("\n".join(_lines(samples, verdict, said, note, picture)), encoding="utf-8")
    return verdict


def _lines(
    samples: Sequence[Sample], verdict: Verdict, said: Sequence[str], note: str, picture: Path
) -> list[str]:
    last = samples[-1]
    first = next(one for one in samples if one.minute >= WARM_UP * last.minute)
    seconds = 60 * (last.minute - first.minute)
    grown = last.tables_mib["observation"] - first.tables_mib["observation"]
    rows = last.stored - first.stored
    memory = psutil.virtual_memory().total / 2**30
    return [
        _INTRODUCTION,
        f"Last run: {datetime.now(UTC):%Y-%m-%d}, {last.minute:.0f} minutes on {os.cpu_count()} cores and "
        f"{memory:.0f} GiB, Python {platform.python_version()}.{' ' + note if note else ''}",
        "",
        f"**{verdict.text()}**",
        "",
        f"![Memory, files, lag and growth over the run](images/{picture.name})",
        "",
        f"The first third is warm-up and counts for nothing. In the rest {rows:,} values were stored "
        f"({rows / seconds:,.0f} a second), for which `observation` grew by {grown:,.0f} MiB with its index "
        f"({2**20 * grown / max(1, rows):,.0f} bytes a value); the database grew from "
        f"{first.tables_mib['all']:,.0f} to {last.tables_mib['all']:,.0f} MiB.",
        f"{sum(one.answers for one in samples):,} questions were answered, half of them within "
        f"{statistics.median(one.answer_p50_s for one in samples):.2f} s. "
        f"Services logged {len(said)} warnings" + (":" if said else "."),
        *(f"- `{line[:160]}`" for line in dict.fromkeys(said[:10])),
        "",
        "| what | at first | at last | growth in an hour | |",
        "|---|--:|--:|--:|---|",
        *(
            f"| {it.what} | {it.at_first:,.{it.digits}f} | {it.at_last:,.{it.digits}f} "
            f"| {it.an_hour:+,.{max(1, it.digits)}f} | {'flat' if it.good else '**grows**'} |"
            for it in verdict.rows
        ),
        "",
        _RULES,
    ]


def _draw(picture: Path, samples: Sequence[Sample]) -> None:
    plt.rcParams.update(
        {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "savefig.dpi": 110}
    )
    minutes = [one.minute for one in samples]
    figure, axes = plt.subplots(3, 2, figsize=(10, 8), sharex=True, layout="constrained")
    memory, files, lag, tables, answers, queue = axes.flat
    for name in samples[-1].memory_mib:
        memory.plot(minutes, [one.memory_mib[name] for one in samples], label=name, lw=1)
        files.plot(minutes, [one.files[name] for one in samples], label=name, lw=1)
    files.plot(minutes, [one.connections for one in samples], "k:", label="connections", lw=1)
    lag.plot(minutes, [one.publish_p95_s for one in samples], label="published to committed", lw=1)
    lag.plot(minutes, [one.commit_p95_s for one in samples], label="arrived to committed", lw=1)
    for name in ("observation", "rollup_5min", "rollup_hour", "all"):
        tables.plot(minutes, [one.tables_mib.get(name, 0) for one in samples], label=name, lw=1)
    answers.plot(minutes, [one.answer_p95_s for one in samples], label="95 %", lw=1)
    answers.plot(minutes, [one.answer_p50_s for one in samples], label="half", lw=1)
    queue.plot(minutes, [one.rollup_lag_s for one in samples], label="rollups behind, s", lw=1)
    queue.plot(minutes, [one.waiting for one in samples], label="values waiting", lw=1)
    for one, title in zip(
        axes.flat,
        (
            "memory, MiB (PSS)", "open files", "lag, s (95 %)", "tables, MiB", "answers of the API, s",
            "what waits",
        ),
        strict=True,
    ):  # fmt: skip
        one.set_title(title, loc="left")
        one.set_ylim(bottom=0)
        one.axvspan(0, WARM_UP * minutes[-1], color="0.93", lw=0)
        one.legend(frameon=False, fontsize=6, ncols=2)
    for one in (lag, answers, queue):  # what came in the warm-up may leave the picture
        warm = [
            y
            for line in one.lines
            for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
            if x >= WARM_UP * minutes[-1]
        ]
        one.set_ylim(0, max(1.2 * max(warm, default=1.0), 0.1))
    for one in axes[-1]:
        one.set_xlabel("minutes")
    figure.savefig(picture, metadata={"Software": None})
    plt.close(figure)
