"""The hub's data as a DCAT catalogue in JSON-LD, for portals that harvest: https://www.w3.org/TR/vocab-dcat-3/."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode

from tsuji_platform.contract.properties import ObservedProperty
from tsuji_platform.store.dataset_records import DatasetRow
from tsuji_platform.store.records import AreaSet

_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "geosparql": "http://www.opengis.net/ont/geosparql#",
    "wdrs": "http://www.w3.org/2007/05/powder-s#",
}
_MEDIA = "https://www.iana.org/assignments/media-types/"
_FORMATS = {
    "CSV": ("csv", "text/csv"),
    "Parquet": ("parquet", "application/vnd.apache.parquet"),
    "JSON": ("json", "application/json"),
}
_ADDRESS = re.compile(r"https?://[^\s<>\"{}|\\^`]+")
_CREATIVE_COMMONS = re.compile(r"CC[ -](BY(?:-NC)?(?:-SA|-ND)?)[ -](\d\.\d)")
_MOST_ROWS = 10_000
"""What one page of a dataset's features holds at the most."""

Node = dict[str, Any]


def catalogue(
    base: str,
    *,
    publisher: str,
    licence: str,
    properties: Iterable[ObservedProperty],
    area_sets: Iterable[AreaSet],
    datasets: Iterable[DatasetRow],
) -> Node:
    """All of it as one JSON-LD document, its context within.

    Args:
        base: address of the API, without a slash at its end.
        publisher: who runs the hub; empty where that is not said.
        licence: of the observations; empty where that is not said.
        properties: those that are measured.
        area_sets: all.
        datasets: all.
    """
    entries = [
        *(_observations(base, one, publisher, licence) for one in properties),
        *(_area_set(base, one) for one in area_sets),
        *(_dataset(base, one) for one in datasets),
    ]
    return {
        "@context": _CONTEXT,
        "@id": f"{base}/v1/catalogue",
        "@type": "dcat:Catalog",
        "dcterms:title": _texts("都市センサーのデータ", "Data of the city's sensors"),
        "dcterms:description": _texts(
            "スマートポール・人流カウンターの観測値と行政オープンデータ",
            "Observations of smart poles and footfall counters, and administrative open data",
        ),
        **_credits(publisher, licence),
        "foaf:homepage": {"@id": f"{base}/v1"},
        "dcat:dataset": entries,
    }


def _observations(base: str, it: ObservedProperty, publisher: str, licence: str) -> Node:
    address = f"{base}/v1/catalogue#observations-{it.id}"
    day = {"observed_property": it.id, "interval": "P1D"}
    return {
        "@id": address,
        "@type": "dcat:Dataset",
        "dcterms:identifier": f"observations-{it.id}",
        "dcterms:title": _texts(f"{it.label_ja}の観測値", f"Observations of {it.label.lower()}"),
        "dcterms:description": _texts(
            f"単位 {it.unit_label}。時刻は協定世界時(UTC)、値の対象期間の終わり。",
            f"In {it.unit_label} (UCUM {it.unit}); times are UTC, the end of what a value speaks of.",
        ),
        **_credits(publisher, licence),
        "dcterms:accrualPeriodicity": {
            "@id": "http://publications.europa.eu/resource/authority/frequency/UPDATE_CONT"
        },
        "dcat:keyword": [it.id, it.label, it.label_ja],
        "dcat:distribution": [
            _distribution(
                f"{address}-{format_}",
                f"{base}/v1/observations?{urlencode({**day, 'format': format_})}",
                name,
                media,
                licence,
            )
            for name, (format_, media) in _FORMATS.items()
        ],
    }


def _area_set(base: str, it: AreaSet) -> Node:
    page = f"{base}/v1/area-sets/{quote(it.area_set_id, safe='')}/areas"
    node = {
        "@id": f"{base}/v1/catalogue#areas-{quote(it.area_set_id, safe='')}",
        "@type": "dcat:Dataset",
        "dcterms:identifier": f"areas-{it.area_set_id}",
        "dcterms:title": _texts(it.name, it.name_en),
        "dcterms:description": _texts(f"{it.areas} 区域", f"{it.areas} areas"),
        "dcterms:issued": _time(it.imported_at.isoformat()),
        **_credits(it.source, it.licence),
        "dcat:distribution": [
            _distribution(page, page, "GeoJSON", "application/geo+json", it.licence),
            *(_in_rows(page, name, it.licence) for name in ("CSV", "Parquet")),
        ],
    }
    if it.bbox is not None:
        west, south, east, north = it.bbox
        node["dcterms:spatial"] = {
            "@type": "dcterms:Location",
            "dcat:bbox": {
                "@value": f"POLYGON(({west} {south}, {east} {south}, {east} {north}, "
                f"{west} {north}, {west} {south}))",
                "@type": "geosparql:wktLiteral",
            },
        }
    return node


def _dataset(base: str, it: DatasetRow) -> Node:
    page = f"{base}/v1/datasets/{quote(it.dataset_id, safe='')}"
    node = {
        "@id": page,
        "@type": "dcat:Dataset",
        "dcterms:identifier": it.dataset_id,
        "dcterms:title": _texts(it.title, it.title_en),
        "dcterms:description": _texts(f"{it.features} 件", f"{it.features} rows"),
        "dcterms:issued": _time(it.imported_at.isoformat()),
        **_credits(it.publisher, it.licence),
        "dcat:distribution": [
            *(
                _distribution(
                    address := f"{page}/{resource}?limit={_MOST_ROWS}",
                    address,
                    name,
                    media,
                    it.licence,
                    is_whole=it.features <= _MOST_ROWS,
                )
                for resource, name, media in (
                    ("features", "JSON", "application/json"),
                    ("features.geojson", "GeoJSON", "application/geo+json"),
                )
            ),
            *(
                _in_rows(
                    f"{page}/features?limit={_MOST_ROWS}",
                    name,
                    it.licence,
                    is_whole=it.features <= _MOST_ROWS,
                )
                for name in ("CSV", "Parquet")
            ),
        ],
    }
    if it.source:
        node["dcterms:source"] = it.source
    if it.date is not None:
        kind = {"day": "date", "month": "gYearMonth", "year": "gYear"}[it.date.precision]
        node["dcterms:modified"] = {"@value": str(it.date), "@type": f"xsd:{kind}"}
    return node


def _distribution(
    id_: str, address: str, format_: str, media: str, licence: str, *, is_whole: bool = True
) -> Node:
    node: Node = {
        "@id": f"{id_}#distribution" if id_ == address else id_,
        "@type": "dcat:Distribution",
        "dcterms:title": format_,
        "dcterms:format": format_,
        "dcat:mediaType": {"@id": _MEDIA + media},
        "dcat:accessURL": {"@id": address},
    }
    if is_whole:  # otherwise it is the first of several pages
        node["dcat:downloadURL"] = {"@id": address}
    if format_ == "CSV":
        node["wdrs:describedby"] = {"@id": address.replace("format=csv", "format=csvw")}
    return node | _licence(licence)


def _in_rows(page: str, name: str, licence: str, *, is_whole: bool = True) -> Node:
    """A distribution in one of the formats that any list has."""
    format_, media = _FORMATS[name]
    address = f"{page}{'&' if '?' in page else '?'}format={format_}"
    return _distribution(address, address, name, media, licence, is_whole=is_whole)


def _credits(publisher: str, licence: str) -> Node:
    node = _licence(licence)
    if publisher:
        node["dcterms:publisher"] = {"@type": "foaf:Agent", "foaf:name": publisher}
    return node


def _licence(licence: str) -> Node:
    if _ADDRESS.fullmatch(licence):
        return {"dcterms:license": {"@id": licence}}
    if (known := _CREATIVE_COMMONS.fullmatch(licence)) is not None:
        kind, number = known.groups()
        address = f"https://creativecommons.org/licenses/{kind.lower()}/{number}/"
        return {"dcterms:license": {"@id": address}}
    return {"dcterms:license": licence} if licence else {}


def _texts(japanese: str, english: str) -> list[Node]:
    return [
        {"@value": text, "@language": language}
        for text, language in ((japanese, "ja"), (english, "en"))
        if text
    ]


def _time(text: str) -> Node:
    return {"@value": text, "@type": "xsd:dateTime"}
