"""The front door: where people begin, and the catalogue that portals harvest."""

from html import escape
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse, JSONResponse

from tsuji_platform.api.catalogue import catalogue
from tsuji_platform.api.formats import weight
from tsuji_platform.api.hub import HubDep
from tsuji_platform.guarded import page_policy

router = APIRouter(tags=["front door"])

_RESOURCES = (
    ("things", "/v1/things", "スマートポール・カウンター", "smart poles and counters"),
    ("datastreams", "/v1/datastreams", "データストリーム", "what things measure"),
    ("things_geojson", "/v1/things.geojson", "地図用の地点", "things on a map (GeoJSON)"),
    ("latest", "/v1/latest", "最新の観測値", "newest observations"),
    (
        "observations",
        "/v1/observations?interval=PT1H",
        "観測値 (JSON・CSV・Parquet)",
        "observations",
    ),
    ("aggregates", "/v1/aggregates?interval=P1D&step=1h", "集計値", "aggregates"),
    ("area_sets", "/v1/area-sets", "区域", "areas"),
    ("datasets", "/v1/datasets", "行政オープンデータ", "administrative open data"),
    ("alerts", "/v1/alerts", "アラート", "alerts"),
    (
        "observed_properties",
        "/v1/observed-properties",
        "観測項目と単位",
        "observed properties, units",
    ),
    ("figures", "/v1/figures", "指標とその算出方法", "figures and how each is made"),
    (
        "derived_figures",
        "/v1/derived-figures",
        "派生指標とその算出方法",
        "derived figures and how each is made",
    ),
    ("quality", "/v1/quality", "品質フラグ", "what looks wrong"),
    ("rejected", "/v1/rejected", "拒否されたメッセージの件数", "rejected messages, counted"),
    ("live", "/v1/live?area_set={area_set}", "ライブ配信 (SSE)", "live stream (SSE)"),
    ("health", "/v1/health", "稼働状況", "how the hub fares"),
    ("metrics", "/metrics", "稼働指標 (Prometheus)", "figures for Prometheus"),
    ("catalogue", "/v1/catalogue", "カタログ (DCAT)", "catalogue (DCAT)"),
    ("documentation", "/docs", "API 仕様", "documentation"),
    ("openapi", "/openapi.json", "OpenAPI 3.1", "OpenAPI 3.1"),
)
_PAGE = """<!doctype html>
<html lang="ja">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tsuji data API</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; font: 16px/1.6 system-ui, "Noto Sans JP", sans-serif; }}
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #8888; }}
code {{ overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
<h1>Tsuji <span lang="en">data API</span></h1>
<p>都市センサーの観測値と行政オープンデータを、だれでも登録なしで読めます。時刻は UTC、単位は UCUM です。</p>
<p lang="en">Observations of the city's sensors and administrative open data, open to everybody without
registration. Times are UTC, units are UCUM.</p>
<table>
<thead><tr><th scope="col">内容</th><th scope="col" lang="en">What</th>
<th scope="col">アドレス</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p>例 / <span lang="en">for example</span>:
<code>curl '{base}/v1/observations?interval=PT1H&amp;format=csv'</code></p>
</main>
</body>
</html>
"""


@router.get(
    "",
    summary="Where to begin: links to all resources",
    response_model=dict[str, str],
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def front(request: Request, hub: HubDep) -> Response:
    """Addresses by name; browsers get a page for people."""
    base = str(request.base_url).rstrip("/")
    area_set = next((quote(it.area_set_id, safe="") for it in hub.areas.sets()), "")
    resources = [
        (name, path.replace("{area_set}", area_set), ja, en) for name, path, ja, en in _RESOURCES
    ]
    headers = {"Cache-Control": "max-age=3600"}
    if _is_a_browser(",".join(request.headers.getlist("accept"))):
        rows = "\n".join(
            f'<tr><td>{ja}</td><td lang="en">{en}</td>'
            f'<td><a href="{escape(path)}"><code>{escape(path)}</code></a></td></tr>'
            for _, path, ja, en in resources
        )
        page = _PAGE.format(rows=rows, base=escape(base))
        return HTMLResponse(page, headers=headers | {"Content-Security-Policy": page_policy(page)})
    return JSONResponse({name: base + path for name, path, *_ in resources}, headers=headers)


def _is_a_browser(accept: str) -> bool:
    """Whether a caller names HTML and likes JSON no better; programs take anything and name nothing."""
    (html, html_at), (data, data_at) = (
        weight(accept, name) for name in ("text/html", "application/json")
    )
    return "text/html" in accept.lower() and (-html, html_at) <= (-data, data_at)


class _JsonLd(JSONResponse):
    media_type = "application/ld+json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


@router.get(
    "/catalogue",
    summary="DCAT catalogue (JSON-LD) of observations, area sets and datasets",
    response_class=_JsonLd,
    response_model=dict[str, Any],
)
def the_catalogue(request: Request, hub: HubDep) -> Response:
    """What there is, with publisher, licence and addresses of each format, as CKAN and others harvest it."""
    return _JsonLd(
        catalogue(
            str(request.base_url).rstrip("/"),
            publisher=hub.publisher,
            licence=hub.licence,
            observed=hub.finding.observed(),
            area_sets=hub.areas.sets(),
            datasets=hub.datasets.datasets(),
        ),
        headers={"Cache-Control": "public, max-age=300"},
    )
