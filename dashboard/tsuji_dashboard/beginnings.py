"""Why the first part of a chart is empty: since when there are values at all."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from tsuji_dashboard.charts import is_total, moment
from tsuji_dashboard.client import Series
from tsuji_dashboard.texts import Lang, text


def begins(series: Series) -> datetime | None:
    """Since when there are values, where the first part of the chart has none; else None.

    Where what is missing is less than a 24th of the chart nobody asks why.
    """
    for time, value in zip(series.times, series.values, strict=True):
        if value is not None or time in series.suppressed:
            since = time - timedelta(seconds=series.step_s) if is_total(series.of) else time
            return since if since - series.start > (series.end - series.start) / 24 else None
    return None


def late(found: Mapping[str, Series], lang: Lang) -> list[str]:
    """Why the first part of charts is empty, in a sentence for each moment at which some begin.

    Args:
        found: the series by what they are called; one without a name stands alone.
        lang: the reader's language.
    """
    moments: dict[datetime, list[str]] = {}
    for name, series in found.items():
        if (since := begins(series)) is not None:
            moments.setdefault(since, []).append(name)
    sentences = []
    for since, names in sorted(moments.items()):
        said = text("chart.begins", lang, time=moment(since, lang))
        named = text("usual.and", lang).join(name for name in names if name)
        sentences.append(f"{named}: {said}" if named else said)
    return sentences
