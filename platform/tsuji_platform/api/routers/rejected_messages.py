"""The rejected messages themselves, for callers whose key has the scope: they may hold anything."""

from base64 import b64encode
from typing import Annotated

from fastapi import APIRouter, Path, Query

from tsuji_platform.api import links, models
from tsuji_platform.api.callers import needs
from tsuji_platform.api.errors import NotFoundError
from tsuji_platform.api.hub import HubDep, parse_moment
from tsuji_platform.contract import Reason
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.store.records import RejectedFilter, RejectedRow

router = APIRouter(tags=["rejected messages"], dependencies=[needs(Scope.REJECTED)])

_SHOWN_BYTES = 4_096
_TIME = "RFC 3339 with offset"


@router.get("/rejected/messages", summary="Rejected messages, the newest first (scope: rejected)")
def rejected_messages(
    hub: HubDep,
    reason: Annotated[
        Reason | None, Query(description="only of this reason", examples=["future_time"])
    ] = None,
    thing: Annotated[
        str | None,
        Query(max_length=64, description="only of this thing", examples=["pole-001"]),
    ] = None,
    since: Annotated[
        str | None,
        Query(
            description=f"last received at this time or later, {_TIME}",
            examples=["2026-04-01T00:00:00Z"],
        ),
    ] = None,
    before: Annotated[
        str | None,
        Query(description=f"last received before, {_TIME}", examples=["2026-04-02T00:00:00Z"]),
    ] = None,
    limit: Annotated[
        int, Query(ge=1, le=1_000, description="how many at the most", examples=[100])
    ] = 100,
) -> models.RejectedMessages:
    """What was refused, with the topic and the beginning of each payload."""
    which = RejectedFilter(
        reason=None if reason is None else reason.value,
        thing_id=thing,
        since=parse_moment(since, "since"),
        before=parse_moment(before, "before"),
    )
    rows = hub.rejected.find(which, limit=limit, payload_bytes=_SHOWN_BYTES)
    return models.RejectedMessages(
        items=[_message(row) for row in rows], links={"counts": links.to("rejected")}
    )


@router.get("/rejected/messages/{id}", summary="One rejected message, whole (scope: rejected)")
def rejected_message(
    hub: HubDep,
    id_: Annotated[
        int, Path(alias="id", ge=1, le=2**63 - 1, description="of the message", examples=[17])
    ],
) -> models.RejectedMessage:
    """One message with its whole payload."""
    row = hub.rejected.get(id_)
    if row is None:
        raise NotFoundError("rejected message", str(id_), "/v1/rejected/messages")
    return _message(row)


def _message(row: RejectedRow) -> models.RejectedMessage:
    return models.RejectedMessage(
        id=row.rejected_id,
        topic=row.topic,
        thing=row.thing_id,
        reason=row.reason,
        detail=row.detail,
        values=row.value_count,
        seen=row.seen,
        first_received_at=row.first_received_at,
        last_received_at=row.last_received_at,
        payload_size=row.payload_size,
        payload=b64encode(row.payload).decode(),
        links={"self": links.to("rejected", "messages", str(row.rejected_id))},
    )
