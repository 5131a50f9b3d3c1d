"""Figures of one area with how each was made, as details and profiles show them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from tsuji_platform.analytics import estimate
from tsuji_platform.analytics.estimate import Estimate
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.analytics.quarters import PROFILED
from tsuji_platform.analytics.readings import FigureValue
from tsuji_platform.analytics.typical import PERCENT_METHOD, PERCENT_METHOD_JA
from tsuji_platform.api import links, models, shape
from tsuji_platform.api.nearby import distances
from tsuji_platform.api.typical_models import ExplainedTypicalNow, TypicalNow

_PROFILED = {one.id for one in FIGURES.values() if set(one.properties) <= set(PROFILED)}


def explained(
    values: Mapping[str, FigureValue],
    usual: Mapping[str, TypicalNow],
    time: datetime,
    made_of: timedelta | None,
    area: tuple[str, str],
) -> dict[str, models.ExplainedFigure]:
    """Figures by id, each with age and method; what does not apply is left unset.

    Args:
        values: figures of the area.
        usual: what is usual for it, by figure id.
        time: the moment in question.
        made_of: length of the sums that stand in for observations that are gone; none where they are kept.
        area: set and code, to lead on from.
    """
    of_sums = shape.of_sums(made_of) if made_of else ("", "")
    figures = {
        name: _explained(name, it, usual.get(name), time, of_sums) for name, it in values.items()
    }
    for name, figure in figures.items():
        figure.links = links.figure(*area, name, is_profiled=name in _PROFILED)
    return figures


def _explained(
    name: str,
    it: FigureValue,
    typical: TypicalNow | None,
    time: datetime,
    of_sums: tuple[str, str],
) -> models.ExplainedFigure:
    known = FIGURES[name]
    english, japanese = known.method, known.method_ja
    if isinstance(it, Estimate):
        english, japanese = estimate.METHOD, estimate.METHOD_JA
    figure = models.ExplainedFigure(
        value=it.told,
        n=it.n,
        time=it.time,
        age_s=max(0.0, (time - it.time).total_seconds()),
        unit=known.unit,
        unit_label=known.unit_label,
        method=f"{english} {of_sums[0]}".rstrip(),
        method_ja=f"{japanese} {of_sums[1]}".rstrip(),
        **shape.withheld(it),
    )
    near = distances(it)
    if near is not None:
        figure.estimated = models.Estimated(**near)
    if typical is not None:
        figure.typical = ExplainedTypicalNow(
            **typical.model_dump(), method=PERCENT_METHOD, method_ja=PERCENT_METHOD_JA
        )
    return figure
