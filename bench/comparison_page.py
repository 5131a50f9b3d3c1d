"""Draws the plots of docs/comparison.md and writes its tables anew: `make comparison`."""

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np

from bench.comparison import (
    COUNTERS,
    Floats,
    Footfall,
    Temperature,
    amedas,
    correlation,
    melbourne,
    simulated_footfall,
    simulated_temperature,
)
from tsuji_simulators.people import DAY_KINDS

mpl.use("Agg")
from matplotlib import pyplot as plt

_ROOT = Path(__file__).parents[1]
_DATA = _ROOT.parent / "shared" / "data"
_PAGE = _ROOT / "docs" / "comparison.md"
_IMAGES = _ROOT / "docs" / "images"
_REAL, _OURS = "#1f5fa8", "#c8541b"
_SHOWN = {"weekday": "weekdays", "saturday": "Saturdays", "holiday": "Sundays and holidays"}


def main() -> None:
    """Do it."""
    plt.rcParams.update(
        {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "savefig.dpi": 120}
    )
    counted = melbourne(_DATA / "footfall" / "melbourne_hourly_2014_raw.csv")
    simulated = simulated_footfall()
    weather = _DATA / "weather"
    measured, days = amedas(weather / "amedas_tokyo_hourly_2023-07_2023-12.csv")
    stations = weather / "amedas_tokyo_stations.csv"
    ours = simulated_temperature(stations, days, measured.hours)
    _shapes(counted, simulated)
    _dispersion(counted, simulated)
    _temperature(measured, ours)
    text = _PAGE.read_text(encoding="utf-8")
    text = _between(text, "shapes", "\n".join(_shape_rows(counted, simulated)))
    text = _between(text, "dispersion", "\n".join(_dispersion_rows(counted, simulated)))
    text = _between(text, "temperature", "\n".join(_temperature_rows(measured, ours)))
    _PAGE.write_text(text, encoding="utf-8")


def _between(text: str, name: str, content: str) -> str:
    begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    before, found, rest = text.partition(begin)
    _, also, after = rest.partition(end)
    if not found or not also:
        raise ValueError(
            f"docs/comparison.md needs a table between {begin.strip()} and {end.strip()}"
        )
    return before + begin + content + end + after


def _save(figure: "plt.Figure", name: str) -> None:
    figure.savefig(_IMAGES / f"{name}.png", metadata={"Software": None}, bbox_inches="tight")
    plt.close(figure)


def _shapes(counted: Mapping[str, Footfall], simulated: Mapping[str, Footfall]) -> None:
    figure, rows = plt.subplots(
        len(COUNTERS),
        len(DAY_KINDS),
        figsize=(9, 10),
        sharex=True,
        sharey="row",
        layout="constrained",
    )
    hours = np.arange(24) + 0.5
    for row, kind in zip(rows, COUNTERS, strict=True):
        for axes, day in zip(row, DAY_KINDS, strict=True):
            for of, colour, label in (
                (counted[kind], _REAL, "Melbourne, counted"),
                (simulated[kind], _OURS, "Tsuji, simulated"),
            ):
                every = of.days[day]
                shares = every / every.sum(axis=2, keepdims=True)
                low, high = np.nanquantile(shares.reshape(-1, 24), (0.1, 0.9), axis=0)
                axes.fill_between(hours, 100 * low, 100 * high, color=colour, alpha=0.18, lw=0)
                axes.plot(hours, 100 * of.shape(day), color=colour, lw=1.6, label=label)
            axes.set_xlim(0, 24)
            axes.set_xticks(range(0, 25, 6))
            axes.set_title(f"{kind}, {_SHOWN[day]}", loc="left")
        row[0].set_ylabel("% of the day")
    rows[0][0].legend(frameon=False, loc="upper left")
    for axes in rows[-1]:
        axes.set_xlabel("hour, local time")
    _save(figure, "comparison-shapes")


def _dispersion(counted: Mapping[str, Footfall], simulated: Mapping[str, Footfall]) -> None:
    figure, both = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    axes = both[0]
    for of, colour, label in ((counted, _REAL, "Melbourne"), (simulated, _OURS, "Tsuji")):
        mean, variance = (
            np.concatenate(one)
            for one in zip(*(it.cells("weekday") for it in of.values()), strict=True)
        )
        axes.loglog(mean, variance, ".", color=colour, ms=3, alpha=0.5, label=label)
    line = np.array([50.0, 12_000.0])
    axes.loglog(line, line, color="grey", lw=0.8, label="as even as chance (Poisson)")
    axes.loglog(line, (0.15 * line) ** 2, color="grey", lw=0.8, ls="--", label="15 % of the mean")
    axes.set_xlabel("mean of an hour on weekdays")
    axes.set_ylabel("variance from day to day")
    axes.legend(frameon=False)
    axes = both[1]
    place = np.arange(len(COUNTERS))
    for of, colour, shift in ((counted, _REAL, -0.2), (simulated, _OURS, 0.2)):
        axes.bar(
            place + shift, [of[kind].spread("weekday") for kind in COUNTERS], 0.38, color=colour
        )
    axes.set_xticks(place, list(COUNTERS))
    axes.set_ylabel("standard deviation / mean")
    axes.set_title("of an hour from weekday to weekday (median)", loc="left")
    _save(figure, "comparison-dispersion")


def _temperature(measured: Temperature, ours: Temperature) -> None:
    figure, rows = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for axes, month, name in zip(rows[0], (8, 11), ("August", "November"), strict=True):
        for of, colour, label in ((measured, _REAL, "AMeDAS 2023"), (ours, _OURS, "Tsuji")):
            cycle = of.cycle(month)
            known = np.isfinite(cycle)
            axes.plot(np.arange(24)[known], cycle[known], color=colour, lw=1.6, label=label)
        axes.set_xlabel("hour, JST")
        axes.set_ylabel("°C beside the day's mean")
        axes.set_title(f"the usual day, {name}", loc="left")
    rows[0][0].legend(frameon=False)
    bins = np.arange(0, 18, 1)
    later = (1, 3, 6, 12, 18, 24, 36, 48, 72, 96)
    for of, colour in ((measured, _REAL), (ours, _OURS)):
        rows[1][0].hist(of.range().ravel(), bins, color=colour, alpha=0.5, density=True)
        rows[1][1].plot(later, [of.persistence(one) for one in later], ".-", color=colour)
    rows[1][0].set_xlabel("°C from the coldest to the warmest hour of a day")
    rows[1][0].set_ylabel("share of the days")
    rows[1][1].set_xlabel("hours later")
    rows[1][1].set_ylabel("correlation of what is unusual")
    rows[1][1].axhline(0, color="grey", lw=0.6)
    _save(figure, "comparison-temperature")


def _shape_rows(counted: Mapping[str, Footfall], simulated: Mapping[str, Footfall]) -> list[str]:
    rows = [
        "| place | day | correlation of shapes | busiest hour | people, times a weekday's |",
        "|---|---|--:|--:|--:|",
    ]
    for kind in COUNTERS:
        for day in DAY_KINDS:
            real, ours = counted[kind], simulated[kind]
            one, other = real.shape(day), ours.shape(day)
            rows.append(
                f"| {kind} | {_SHOWN[day]} | {correlation(one, other):.2f} "
                f"| {one.argmax()}, {other.argmax()} | {real.total(day):.2f}, {ours.total(day):.2f} |"
            )
    return rows


def _dispersion_rows(
    counted: Mapping[str, Footfall], simulated: Mapping[str, Footfall]
) -> list[str]:
    rows = [
        "| place, weekdays | index of dispersion | standard deviation / mean | from one hour to the next |",
        "|---|--:|--:|--:|",
    ]
    for kind in COUNTERS:
        real, ours = counted[kind], simulated[kind]
        rows.append(
            f"| {kind} | {real.dispersion('weekday'):.0f}, {ours.dispersion('weekday'):.0f} "
            f"| {real.spread('weekday'):.2f}, {ours.spread('weekday'):.2f} "
            f"| {real.persistence('weekday'):.2f}, {ours.persistence('weekday'):.2f} |"
        )
    return rows


def _temperature_rows(measured: Temperature, ours: Temperature) -> list[str]:
    def hours(of: Temperature, which: Callable[[Floats], np.intp]) -> str:
        return " ".join(str(which(of.cycle(month))) for month in (8, 9, 10, 11))

    def means(of: Temperature) -> str:
        return " ".join(f"{np.nanmean(of.of(month)):.1f}" for month in (8, 9, 10, 11))

    figures: list[tuple[str, Callable[[Temperature], str]]] = [
        ("monthly means, August to November, °C", means),
        ("warmest hour, August to November", lambda of: hours(of, np.nanargmax)),
        ("coldest hour, August to November", lambda of: hours(of, np.nanargmin)),
        (
            "from the coldest to the warmest hour of a day, mean, °C",
            lambda of: f"{of.range().mean():.1f}",
        ),
        ("  its standard deviation, °C", lambda of: f"{of.range().std():.1f}"),
        (
            "standard deviation of daily means within a month, °C",
            lambda of: f"{of.between_days():.1f}",
        ),
        (
            "change from hour to hour that the hour does not explain, °C",
            lambda of: f"{of.step():.2f}",
        ),
        ("correlation of what is unusual, 1 hour later", lambda of: f"{of.persistence(1):.2f}"),
        ("  24 hours later", lambda of: f"{of.persistence(24):.2f}"),
        ("  72 hours later", lambda of: f"{of.persistence(72):.2f}"),
        ("  between stations, 11 to 35 km apart", lambda of: f"{of.togetherness():.2f}"),
    ]
    shapes = [correlation(measured.cycle(month), ours.cycle(month)) for month in (8, 9, 10, 11)]
    return [
        "| temperature | AMeDAS | Tsuji |",
        "|---|--:|--:|",
        *(f"| {name.strip()} | {tell(measured)} | {tell(ours)} |" for name, tell in figures),
        f"| correlation of the usual day, the lowest of four months | | {min(shapes):.2f} |",
    ]


if __name__ == "__main__":
    main()
