"""What was not believed, counted by reason and thing.

Only counts: topics and payloads come from strangers and may hold anything, and are for the hub's
operators (`tsuji rejected`).
"""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from tsuji_platform.api import links, models
from tsuji_platform.api.answers import RowsDep, offered
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.hub import Hub, HubDep
from tsuji_platform.api.paging import CountQuery, counted
from tsuji_platform.api.tables import of_items
from tsuji_platform.contract import Reason
from tsuji_platform.store.records import Amount, RejectedCount

router = APIRouter(tags=["rejected messages"])

_LATELY = timedelta(hours=24)


@router.get(
    "/rejected",
    summary="Rejected messages, counted by thing and reason, page by page",
    response_model=models.RejectedCounts,
    responses=offered(),
)
def rejected(
    hub: HubDep,
    wanted: RowsDep,
    reason: Annotated[
        Reason | None, Query(description="only of this reason", examples=["future_time"])
    ] = None,
    thing: Annotated[
        str | None,
        Query(max_length=64, description="only of this thing", examples=["pole-001"]),
    ] = None,
    count: CountQuery = None,
    limit: Annotated[
        int, Query(ge=1, le=10_000, description="counts on a page", examples=[1000])
    ] = 1_000,
    after: Annotated[
        str | None,
        Query(
            max_length=1_000,
            description="the thing and reason before the page; what names no thing comes last",
            examples=["pole-001/future_time"],
        ),
    ] = None,
) -> Response:
    """How many rejected messages are kept of each thing for each reason, in order of their ids.

    Things need not be registered to be listed here: that may be the very reason. Messages are kept for
    some time and up to some number; `/v1/health` says how many are kept no longer.
    """
    rows = hub.rejected.counts(
        limit=limit + 1,
        after=_parse_after(after),
        reason=None if reason is None else reason.value,
        thing_id=thing,
    )
    page = rows[:limit]
    body = models.RejectedCounts(
        items=[_count(row) for row in page],
        next=wanted.address(after=_after(page[-1])) if len(rows) > limit else None,
        count=counted(
            count,
            lambda way: hub.rejected.count_counts(
                way, reason=None if reason is None else reason.value, thing_id=thing
            ),
        ),
        links={"self": wanted.address(), "messages": links.to("rejected", "messages")},
    )
    return wanted.answer(body, lambda: of_items(models.RejectedCount, body.items))


def _after(row: RejectedCount) -> str:
    return f"{row.thing_id or ''}/{row.reason}"


def _parse_after(text: str | None) -> tuple[str | None, str] | None:
    if text is None:
        return None
    thing_id, slash, reason = text.rpartition("/")
    if not slash or reason not in frozenset(Reason):
        raise BadParameterError(
            f"after {text!r:.80} is not a thing and a reason, such as pole-001/future_time; "
            "take it from `next`"
        )
    return thing_id or None, reason


def _count(row: RejectedCount) -> models.RejectedCount:
    return models.RejectedCount(
        thing=row.thing_id,
        reason=row.reason,
        messages=row.messages,
        values=row.value_count,
        last_received_at=row.last_received_at,
    )


def of_thing(hub: Hub, thing_id: str) -> list[models.RejectedOfThing]:
    """What is kept of one thing's rejected messages."""
    return [
        models.RejectedOfThing(
            reason=row.reason,
            messages=row.messages,
            values=row.value_count,
            messages_24h=row.messages_lately,
            last_received_at=row.last_received_at,
        )
        for row in hub.rejected.of_thing(thing_id, hub.clock() - _LATELY)
    ]


def health(hub: Hub) -> models.RejectedHealth:
    """What is kept of all rejected messages, and what no longer."""
    by_reason = hub.rejected.by_reason()
    return models.RejectedHealth(
        kept=sum(amount.messages for amount in by_reason.values()),
        by_reason={reason: _amount(amount) for reason, amount in by_reason.items()},
        forgotten=_amount(hub.rejected.forgotten()),
    )


def _amount(amount: Amount) -> models.RejectedAmount:
    return models.RejectedAmount(messages=amount.messages, values=amount.value_count)
