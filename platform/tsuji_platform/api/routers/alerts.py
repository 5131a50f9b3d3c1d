"""Alerts that are on, those of the past, and the rules that raise them."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from tsuji_platform.analytics.suppression import Gate, counts_people
from tsuji_platform.api import alert_models as models
from tsuji_platform.api import links, shape
from tsuji_platform.api.answers import RowsDep, offered
from tsuji_platform.api.errors import BadParameterError, NotFoundError
from tsuji_platform.api.hub import Hub, HubDep
from tsuji_platform.api.intervals import IntervalQuery, bounds
from tsuji_platform.api.paging import CountQuery, counted
from tsuji_platform.api.tables import of_items
from tsuji_platform.store.alert_outbox import AlertFilter, AlertRow, Alerts

router = APIRouter(prefix="/alerts", tags=["alerts"])

_SILENT_AFTER = timedelta(seconds=30)


@router.get(
    "", summary="Alerts, page by page", response_model=models.AlertList, responses=offered()
)
def alerts(
    hub: HubDep,
    wanted: RowsDep,
    state: Annotated[
        Literal["on", "ended", "all"],
        Query(description="on now, ended, or all", examples=["on"]),
    ] = "all",
    rule: Annotated[
        str | None, Query(max_length=64, description="only of this rule", examples=["heat"])
    ] = None,
    area_set: Annotated[
        str | None,
        Query(
            max_length=64,
            description="only about areas of this set, and about things that stand in one now",
            examples=["mesh500-central"],
        ),
    ] = None,
    area: Annotated[
        str | None,
        Query(
            max_length=64,
            description="only of the area with this code; needs area_set",
            examples=["533945373"],
        ),
    ] = None,
    thing: Annotated[
        str | None,
        Query(max_length=64, description="only about this thing", examples=["pole-001"]),
    ] = None,
    interval: IntervalQuery = None,
    start: Annotated[
        str | None,
        Query(
            description="RFC 3339 with offset: only those that had not ended before",
            examples=["2026-04-01T00:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        str | None,
        Query(
            description="RFC 3339 with offset: only those that had begun by then",
            examples=["2026-04-01T09:00:00+09:00"],
        ),
    ] = None,
    count: CountQuery = None,
    limit: Annotated[
        int, Query(ge=1, le=1_000, description="alerts on a page", examples=[100])
    ] = 100,
    after: Annotated[
        str | None,
        Query(
            max_length=64,
            description="id of the alert before the page, as `next` has it",
            examples=["a1b2c3"],
        ),
    ] = None,
) -> Response:
    """Newest start first. An alert ends by itself; nobody has to acknowledge it.

    They say what sensors measured by rules that this hub's operator chose, and are no official warning.
    """
    if area is not None and area_set is None:
        raise BadParameterError(f"area {area!r:.80} needs area_set, the set that it is of")
    since, until = bounds(interval, start, end, hub.clock())
    if since is not None and until is not None and since > until:
        raise BadParameterError(
            f"start {shape.iso(since)} must not be after end {shape.iso(until)}"
        )
    found = Alerts(hub.database)
    place = None
    if after is not None:
        before = found.find(AlertFilter(alert_id=after), limit=1)
        if not before:
            raise BadParameterError(f"after {after!r:.80} is not the id of an alert; take `next`")
        place = before[0].start, before[0].alert_no
    which = AlertFilter(
        on=None if state == "all" else state == "on",
        rule_id=rule,
        thing_id=thing,
        area_set_id=area_set,
        area_code=area,
        start=since,
        end=until,
    )
    rows = found.find(which, limit=limit + 1, after=place)
    page, more = rows[:limit], None
    if len(rows) > limit:
        more = wanted.address(
            interval=None,
            start=None if since is None else shape.iso(since),
            end=None if until is None else shape.iso(until),
            after=page[-1].alert_id,
        )
    body = models.AlertList(
        items=[_alert(row, hub.gate) for row in page],
        next=more,
        count=counted(count, lambda way: found.count(which, way)),
        links={"self": wanted.address(), "rules": links.to("alerts", "rules")},
    )
    return wanted.answer(body, lambda: of_items(models.Alert, body.items))


@router.get("/rules", summary="The rules in force")
def rules(hub: HubDep) -> models.AlertRules:
    """As the evaluator last read them from its file."""
    return models.AlertRules(
        items=[
            models.AlertRule(
                id=one["document"]["id"],
                label=models.AlertLabel(**one["document"]["label"]),
                definition=one["document"],
                problem=one["problem"],
                links={"alerts": links.to("alerts", rule=one["document"]["id"])},
            )
            for one in Alerts(hub.database).rules()
        ],
        links={"alerts": links.to("alerts")},
    )


@router.get("/{alert}", summary="One alert")
def alert(
    hub: HubDep,
    alert: Annotated[str, Path(max_length=64, description="its id", examples=["a1b2c3"])],
) -> models.Alert:
    """An alert of now or of the past."""
    for row in Alerts(hub.database).find(AlertFilter(alert_id=alert), limit=1):
        return _alert(row, hub.gate)
    raise NotFoundError("alert", alert, "/v1/alerts")


def _alert(row: AlertRow, gate: Gate) -> models.Alert:
    area = None
    hidden = bool(gate) and counts_people(row.rule.get("observed_property"), row.rule.get("figure"))
    if row.area_set_id is not None and row.area_code is not None:
        area = models.AlertArea(area_set=row.area_set_id, code=row.area_code)
    return models.Alert(
        id=row.alert_id,
        rule=row.rule_id,
        label=models.AlertLabel(**row.rule["label"]),
        state="ended" if row.end else "clearing" if row.phase == "clearing" else "on",
        thing=row.thing_id,
        area=area,
        start=row.start,
        end=row.end,
        end_reason=row.end_reason,
        peak=models.AlertPeak(
            value=None if hidden else row.peak, time=row.start if hidden else row.peak_at
        ),
        unit=row.rule["unit"],
        value=None if hidden else row.value,
        value_time=row.value_at,
        definition=row.rule,
        suppressed=hidden,
        links=_links(row),
    )


def _links(row: AlertRow) -> dict[str, str]:
    found = {"self": links.to("alerts", row.alert_id), "collection": links.to("alerts")}
    if row.thing_id is not None:
        found["thing"] = links.to("things", row.thing_id)
    if row.area_set_id is not None and row.area_code is not None:
        found["area"] = links.area(row.area_set_id, row.area_code)["self"]
    return found


def _without_host(target: str) -> str:
    """Where webhooks are is the operator's affair (`tsuji alerts targets`)."""
    parts = target.split()
    return " ".join(dict.fromkeys((parts[0], parts[-1])))


def health(hub: Hub) -> models.AlertsHealth:
    """Who evaluates, how many alerts are on, and what waits for whom."""
    found, now = Alerts(hub.database), hub.clock()
    evaluator = found.evaluator(_SILENT_AFTER)
    targets = [
        models.AlertTarget(
            target=_without_host(one.target),
            waiting=one.waiting,
            oldest_s=None
            if one.oldest_at is None
            else max(0.0, (now - one.oldest_at).total_seconds()),
            given_up=one.given_up,
            delivered_at=one.delivered_at,
            problem=one.problem,
        )
        for one in found.targets()
    ]
    state: Literal["ok", "silent", "none"] = "none"
    if evaluator is not None:
        state = "ok" if evaluator["alive"] else "silent"
    return models.AlertsHealth(
        state=state,
        rules=len(found.rules()),
        on=found.count_on(),
        evaluator=None if evaluator is None else evaluator["holder"],
        seen_at=None if evaluator is None else evaluator["seen_at"],
        judged_until=None if evaluator is None else evaluator["judged_until"],
        problem="" if evaluator is None else evaluator["problem"],
        targets=targets,
    )
