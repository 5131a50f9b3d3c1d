"""Administrative open data: datasets, their features by area and box, and the population of areas."""

from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Depends, Path, Query, Response

from tsuji_platform.api import links
from tsuji_platform.api.answers import SELDOM, PlacesDep, RowsDep, offered
from tsuji_platform.api.bbox import parse_bbox
from tsuji_platform.api.choosing import check_areas
from tsuji_platform.api.errors import BadParameterError, NotFoundError
from tsuji_platform.api.formats import PLACES
from tsuji_platform.api.geo_json import GeoJsonResponse
from tsuji_platform.api.hub import CodePath, Hub, HubDep, SetPath
from tsuji_platform.api.models import GeoJson
from tsuji_platform.api.models import datasets as models
from tsuji_platform.api.paging import CountQuery, counted
from tsuji_platform.api.routers.area_sets import area_of
from tsuji_platform.api.tables import of_items
from tsuji_platform.contract.features import FeatureFlag, PopulationCount
from tsuji_platform.store.dataset_records import (
    DatasetRow,
    FeatureFilter,
    FeatureRow,
    Join,
    PopulationTotal,
)

router = APIRouter(tags=["datasets"])

Limit = Annotated[int, Query(ge=1, le=10_000, description="rows on a page", examples=[1000])]
After = Annotated[
    int,
    Query(
        ge=0,
        le=2**62,
        description="the number before the page; take it from `next`",
        examples=[1000],
    ),
]
DatasetPath = Annotated[
    str, Path(description="id of a dataset", examples=["130001-evacuation-center"])
]


@router.get(
    "/datasets",
    summary="Datasets of administrative open data",
    response_model=models.Datasets,
    responses=offered(),
)
def datasets(hub: HubDep, wanted: RowsDep) -> Response:
    """What was imported, each with publisher, licence, source and date, which go wherever it is shown."""
    body = models.Datasets(
        items=[_dataset(row) for row in hub.datasets.datasets()], links={"self": wanted.address()}
    )
    return wanted.answer(body, lambda: of_items(models.Dataset, body.items), cache=SELDOM)


@router.get("/datasets/{dataset}", summary="One dataset with what its import did")
def one_dataset(hub: HubDep, dataset: DatasetPath) -> models.DatasetDetail:
    """Where it is from, which columns were recognised, and which rows were repaired or refused."""
    row = _found(hub, dataset)
    return models.DatasetDetail(
        **_dataset(row).model_dump(),
        file_name=row.file_name,
        encoding=row.encoding,
        columns=row.columns,
        contradicting=hub.datasets.contradicting(dataset).get(dataset, 0),
        report=models.Report.model_validate(row.report),
    )


def _filter(
    hub: HubDep,
    bbox: Annotated[
        str | None,
        Query(
            max_length=200,
            description="west,south,east,north in degrees; what has no position is not in it",
            examples=["139.69,35.68,139.71,35.70"],
        ),
    ] = None,
    area_set: Annotated[
        str | None,
        Query(max_length=64, description="with `area`", examples=["municipalities-13"]),
    ] = None,
    area: Annotated[
        str | None, Query(max_length=64, description="code of an area", examples=["13104"])
    ] = None,
    join: Annotated[
        Join,
        Query(
            description="how features belong to the area: by the code in their row (municipalities "
            "only), or by their position"
        ),
    ] = "position",
    flagged: Annotated[
        bool | None,
        Query(description="only what has a flag, or only what has none", examples=[True]),
    ] = None,
    flag: Annotated[
        FeatureFlag | None,
        Query(description="only what has this flag", examples=["position_contradicts_code"]),
    ] = None,
) -> FeatureFilter:
    if (area_set is None) != (area is None):
        raise BadParameterError("area_set and area name an area together: give both or neither")
    place = None
    if area_set is not None and area is not None:
        if not hub.areas.areas(area_set, area):  # a look at one of perhaps 30,000
            check_areas(hub, area_set, [area])
        place = (area_set, area)
        if join == "code" and hub.area_set(area_set).kind != "municipality":
            raise BadParameterError(
                f"join 'code' needs an area set of municipalities, and {area_set!r} is none: "
                "use join=position"
            )
    return FeatureFilter(bbox=parse_bbox(bbox), area=place, join=join, flagged=flagged, flag=flag)


Filter = Annotated[FeatureFilter, Depends(_filter)]


@router.get(
    "/datasets/{dataset}/features",
    summary="Features of a dataset, page by page",
    response_model=models.Features,
    responses=offered(PLACES),
)
def features(
    hub: HubDep,
    shown: PlacesDep,
    dataset: DatasetPath,
    wanted: Filter,
    count: CountQuery = None,
    limit: Limit = 1_000,
    after: After = 0,
) -> Response:
    """Rows in their order in the file, with the columns that were recognised and all as published."""
    row = _found(hub, dataset)
    rows = hub.datasets.features(dataset, wanted, limit=limit + 1, after=after)
    page = rows[:limit]
    body = models.Features(
        dataset=_credit(row),
        items=[_feature(feature) for feature in page],
        next=shown.address(after=page[-1].number) if len(rows) > limit else None,
        count=counted(count, lambda way: hub.datasets.count_features(dataset, wanted, way)),
        links=links.dataset(dataset),
    )
    return shown.answer(
        body,
        lambda: of_items(
            models.Feature,
            body.items,
            about=body.dataset.model_dump(),
            points=[one.coordinates for one in body.items],
        ),
        cache=SELDOM,
    )


@router.get(
    "/datasets/{dataset}/features.geojson",
    summary="Features of a dataset as GeoJSON, page by page",
    response_model=GeoJson,
    response_class=GeoJsonResponse,
)
def features_geojson(
    hub: HubDep, dataset: DatasetPath, wanted: Filter, limit: Limit = 1_000, after: After = 0
) -> Response:
    """A FeatureCollection (RFC 7946) with the dataset's publisher and licence beside its features.

    What has no position has no geometry. `next` is the next page, null on the last one.
    """
    row = _found(hub, dataset)
    page, more = _page(hub, dataset, wanted, limit, after, "features.geojson")
    body = {
        "type": "FeatureCollection",
        "dataset": _credit(row).model_dump(),
        "next": more,
        "links": links.dataset(dataset),
        "features": [_geojson(feature) for feature in page],
    }
    link = {"Link": f'<{more}>; rel="next"'} if more else {}
    return GeoJsonResponse(orjson.dumps(body), headers={"Cache-Control": SELDOM, **link})


@router.get(
    "/area-sets/{area_set}/areas/{code}/population",
    summary="Who lives in an area, by age and sex",
    response_model=models.Population,
    responses=offered(),
)
def population(
    hub: HubDep,
    wanted: RowsDep,
    area_set: SetPath,
    code: CodePath,
    dataset: Annotated[
        str | None,
        Query(
            max_length=64, description="only of this dataset", examples=["population-tokyo-2023"]
        ),
    ] = None,
    limit: Limit = 1_000,
    after: After = 0,
) -> Response:
    """The newest numbers of people and households, and page by page all that is counted."""
    area = area_of(hub, area_set, code)
    if dataset is not None:
        _found(hub, dataset)
    rows = hub.datasets.counts(code, dataset_id=dataset, limit=limit + 1, after=after)
    page = rows[:limit]
    people = hub.datasets.population(area_set, code=code).get(code)
    households = hub.datasets.population(area_set, code=code, measure="households").get(code)
    named = {it.dataset_id for it in page} | {it.dataset_id for it in (people, households) if it}
    body = models.Population(
        area_set=area_set,
        code=code,
        name=area.name,
        name_en=area.name_en,
        people=_total(people),
        households=_total(households),
        items=[_counted(it.dataset_id, it.counted) for it in page],
        datasets=[_credit(row) for row in hub.datasets.datasets() if row.dataset_id in named],
        next=wanted.address(after=page[-1].key) if len(rows) > limit else None,
        links=links.area(area_set, code)
        | {it.dataset_id: links.to("datasets", it.dataset_id) for it in (people, households) if it},
    )
    return wanted.answer(body, lambda: of_items(models.PopulationCount, body.items), cache=SELDOM)


def _found(hub: Hub, dataset: str) -> DatasetRow:
    for row in hub.datasets.datasets(dataset):
        return row
    raise NotFoundError("dataset", dataset, "/v1/datasets")


def _page(
    hub: Hub, dataset: str, wanted: FeatureFilter, limit: int, after: int, resource: str
) -> tuple[list[FeatureRow], str | None]:
    rows = hub.datasets.features(dataset, wanted, limit=limit + 1, after=after)
    page = rows[:limit]
    if len(rows) <= limit:
        return page, None
    area_set, area = wanted.area or (None, None)
    asked = {
        "bbox": None if wanted.bbox is None else ",".join(f"{one:.10g}" for one in wanted.bbox),
        "area_set": area_set,
        "area": area,
        "join": wanted.join if wanted.area else None,
        "flagged": None if wanted.flagged is None else str(wanted.flagged).lower(),
        "flag": wanted.flag,
        "limit": limit,
        "after": page[-1].number,
    }
    return page, f"/v1/datasets/{dataset}/{resource}?" + _query(asked)


def _query(asked: dict[str, Any]) -> str:
    return urlencode({name: value for name, value in asked.items() if value is not None})


def _credit(row: DatasetRow) -> models.Credit:
    return models.Credit(
        id=row.dataset_id,
        kind=row.kind,
        title=row.title,
        title_en=row.title_en,
        publisher=row.publisher,
        licence=row.licence,
        source=row.source,
        date=None if row.date is None else str(row.date),
    )


def _dataset(row: DatasetRow) -> models.Dataset:
    return models.Dataset(
        **_credit(row).model_dump(),
        features=row.features,
        imported_at=row.imported_at,
        links=links.dataset(row.dataset_id),
    )


def _feature(row: FeatureRow) -> models.Feature:
    point = None
    if row.longitude is not None and row.latitude is not None:
        point = (row.longitude, row.latitude)
    return models.Feature(
        number=row.number,
        line=row.line,
        name=row.name,
        name_en=row.name_en,
        address=row.address,
        code=row.code,
        position_code=row.position_code,
        coordinates=point,
        capacity=row.capacity,
        flags=list(row.flags),
        fields=row.fields,
        properties=row.properties,
    )


def _geojson(row: FeatureRow) -> dict[str, Any]:
    said = _feature(row).model_dump(mode="json")
    point = said.pop("coordinates")
    return {
        "type": "Feature",
        "id": said["number"],
        "geometry": None if point is None else {"type": "Point", "coordinates": point},
        "properties": said,
    }


def _total(it: PopulationTotal | None) -> models.PopulationTotal | None:
    if it is None:
        return None
    return models.PopulationTotal(
        dataset=it.dataset_id,
        series=it.series,
        date=str(it.date),
        count=it.count,
        regions=it.regions,
    )


def _counted(dataset_id: str, it: PopulationCount) -> models.PopulationCount:
    return models.PopulationCount(
        dataset=dataset_id,
        series=it.series,
        region_code=it.region_code,
        region=it.region,
        date=str(it.date),
        measure=it.measure,
        sex=it.sex,
        age_from=it.age_from,
        age_to=it.age_to,
        count=it.count,
    )
