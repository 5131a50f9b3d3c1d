"""Which readings look wrong now."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query, Response

from tsuji_platform.api import links, models, shape
from tsuji_platform.api.answers import RowsDep, offered
from tsuji_platform.api.choosing import ChosenDep
from tsuji_platform.api.hub import Hub, HubDep
from tsuji_platform.api.tables import of_items
from tsuji_platform.contract.quality import Flag

router = APIRouter(tags=["quality"])


@router.get(
    "/quality",
    summary="Newest observations that look wrong",
    response_model=models.Quality,
    responses=offered(),
)
def quality(
    hub: HubDep,
    wanted: RowsDep,
    chosen: ChosenDep,
    flag: Annotated[
        Flag | None, Query(description="only what is flagged so", examples=["stuck"])
    ] = None,
) -> Response:
    """The datastreams whose newest observation is flagged; the answer is up to 30 seconds old.

    What is flagged is kept and used like any other observation: a sensor could report it, but it looks
    wrong. `/v1/observed-properties` has the limits.
    """
    found, since = hub.flags.with_beginnings()
    only = None if chosen.thing_ids is None else set(chosen.thing_ids)
    body = models.Quality(
        time=found.time,
        items=[
            models.QualityItem(
                thing=it.thing_id,
                observed_property=it.observed_property,
                flag=one,
                since=since.get((it.thing_id, it.observed_property), it.time)
                if one is Flag.STUCK
                else it.time,
                time=it.time,
                result=it.result,
                unit=shape.unit_of(it.observed_property),
            )
            for it in found.flags
            if only is None or it.thing_id in only
            if not chosen.observed_properties or it.observed_property in chosen.observed_properties
            for one in it.flags
            if flag is None or one is flag
        ],
        links={"self": wanted.address(), "latest": links.to("latest")},
    )
    return wanted.answer(body, lambda: of_items(models.QualityItem, body.items))


def health(hub: Hub) -> models.QualityHealth:
    """How many datastreams' newest observations look wrong."""
    counts = Counter(flag for it in hub.flags.now().flags for flag in it.flags)
    return models.QualityHealth(stuck=counts[Flag.STUCK], step=counts[Flag.STEP])
