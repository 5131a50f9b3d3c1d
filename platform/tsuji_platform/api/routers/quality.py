"""Which readings look wrong now."""

from collections import Counter

from fastapi import APIRouter

from tsuji_platform.api import models, shape
from tsuji_platform.api.hub import Hub, HubDep
from tsuji_platform.contract.quality import Flag

router = APIRouter(tags=["quality"])


@router.get("/quality", summary="Newest observations that look wrong")
def quality(hub: HubDep) -> models.Quality:
    """The datastreams whose newest observation is flagged; the answer is up to 30 seconds old.

    What is flagged is kept and used like any other observation: a sensor could report it, but it looks
    wrong. `/v1/observed-properties` has the limits.
    """
    found, since = hub.flags.with_beginnings()
    return models.Quality(
        time=found.time,
        items=[
            models.QualityItem(
                thing=it.thing_id,
                observed_property=it.observed_property,
                flag=flag,
                since=since.get((it.thing_id, it.observed_property), it.time)
                if flag is Flag.STUCK
                else it.time,
                time=it.time,
                result=it.result,
                unit=shape.unit_of(it.observed_property),
            )
            for it in found.flags
            for flag in it.flags
        ],
    )


def health(hub: Hub) -> models.QualityHealth:
    """How many datastreams' newest observations look wrong."""
    counts = Counter(flag for it in hub.flags.now().flags for flag in it.flags)
    return models.QualityHealth(stuck=counts[Flag.STUCK], step=counts[Flag.STEP])
