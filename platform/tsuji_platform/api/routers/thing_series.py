"""What a thing measured over time."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from tsuji_platform.analytics import combine
from tsuji_platform.analytics.quarters import PROFILED
from tsuji_platform.api import links, models
from tsuji_platform.api.answers import RowsDep, offered
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.hub import Hub, HubDep, ThingPath
from tsuji_platform.api.routers.series import explained, fill, left_out, resolve
from tsuji_platform.api.spans import Span, SpanDep
from tsuji_platform.api.tables import of_series
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.store.quality import Wanted

router = APIRouter(tags=["things"])


@router.get(
    "/things/{thing_id}/series",
    summary="One observed property of a thing over time",
    response_model=models.ThingSeries,
    responses=offered(),
)
def thing_series(
    hub: HubDep,
    wanted: RowsDep,
    thing_id: ThingPath,
    observed_property: Annotated[
        str, Query(description="id of an observed property", examples=["air_temperature"])
    ],
    span: SpanDep,
    quality: Annotated[
        Wanted,
        Query(
            description="made of all observations, of those with flags or of those without",
            examples=["good"],
        ),
    ] = "all",
) -> Response:
    """Observations combined into steps; one without any is null, and `gaps` says why there are none."""
    with hub.database.held():
        body = _series(hub, thing_id, observed_property, span, quality)
    said = {"thing": thing_id, "observed_property": observed_property}
    return wanted.answer(body, lambda: of_series(said, body))


def _series(
    hub: Hub, thing_id: str, observed_property: str, span: Span, quality: Wanted
) -> models.ThingSeries:
    hub.check_thing(thing_id)
    known = OBSERVED_PROPERTIES.get(observed_property)
    if known is None:
        raise BadParameterError(
            f"observed_property {observed_property!r:.80} is not one of "
            + ", ".join(OBSERVED_PROPERTIES)
        )
    full = resolve(hub, span, [thing_id], [observed_property])
    asked = [thing_id], [observed_property], full.start, full.end, full.step
    steps = hub.reader.steps(*asked, quality)
    unwanted = set() if quality == "all" else {it.end for it in hub.reader.steps(*asked)}
    values = {it.end: combine.step_value(it, known.aggregation) for it in steps}
    times, filled = fill(full, values)
    gaps = explained(
        hub,
        full,
        [thing_id],
        [observed_property],
        times,
        {it.end for it in steps},
        {it.end for it in steps if it.suppressed},
        unwanted,
    )
    return models.ThingSeries(
        thing=thing_id,
        observed_property=observed_property,
        unit=known.unit,
        unit_label=known.unit_label,
        start=full.start,
        end=full.end,
        step_s=int(full.step / timedelta(seconds=1)),
        times=times,
        values=filled,
        gaps=gaps,
        left_out=left_out(times, steps),
        links=links.datastream(
            thing_id, observed_property, is_profiled=observed_property in PROFILED
        ),
    )
