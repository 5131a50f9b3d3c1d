"""The figures of the data API for Prometheus, for callers whose key has the scope."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from tsuji_platform.api.callers import needs
from tsuji_platform.api.hub import HubDep
from tsuji_platform.api.worker_metrics import WorkerFigures, all_figures
from tsuji_platform.contract.scopes import Scope

router = APIRouter(tags=["health"], dependencies=[needs(Scope.METRICS)])


@router.get("/metrics", summary="Figures for Prometheus (scope: metrics)", response_class=Response)
def metrics(request: Request, hub: HubDep) -> Response:
    """Prometheus' text format; of the hub only that its database is away, where it is."""
    worker: WorkerFigures = request.app.state.figures
    worker.look()
    return Response(
        generate_latest(all_figures(hub, worker.registry)),
        media_type=CONTENT_TYPE_LATEST,
        headers={"Cache-Control": "no-store"},
    )
