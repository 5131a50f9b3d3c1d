"""The hub's data as a DCAT catalogue in JSON-LD, for portals that harvest: https://www.w3.org/TR/vocab-dcat-3/."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from tsuji_platform.contract.properties import OBSERVED_PROPERTIES, ObservedProperty
from tsuji_platform.store.dataset_records import DatasetRow
from tsuji_platform.store.finding import Observed
from tsuji_platform.store.records import AreaSet

_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
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
_CC0 = re.compile(r"CC0(?:[ -]1\.0)?")
_LICENCES = "https://creativecommons.org/"
_IN_CKAN = (
    (re.compile(_LICENCES + r"licenses/by/\d\.\d/"), "Creative Commons Attribution"),
    (re.compile(_LICENCES + r"licenses/by-sa/\d\.\d/"), "Creative Commons Attribution Share-Alike"),
    (re.compile(_LICENCES + r"publicdomain/zero/1\.0/"), "Creative Commons CCZero"),
)
"""What CKAN's own list calls them, which knows them by no address but theirs at opendefinition.org."""
_NO_KEYWORD = re.compile(r"[^\w .-]+")
"""What CKAN takes in no tag; it would refuse all of a dataset for one such sign."""

_MOST_ROWS = 10_000
"""What one page of a dataset's features holds at the most."""

Node = dict[str, Any]


def catalogue(
    base: str,
    *,
    publisher: str,
    licence: str,
    observed: Mapping[str, Observed],
    area_sets: Iterable[AreaSet],
    datasets: Iterable[DatasetRow],
) -> Node:
    """All of it as one JSON-LD document, its context within.

    Args:
        base: address of the API, without a slash at its end.
        publisher: who runs the hub; empty where that is not said.
        licence: of the observations; empty where that is not said.
        observed: what is measured, and when, by observed property.
        area_sets: all.
        datasets: all.
    """
    entries = [
        *(
            _observations(base, one, observed[one.id], publisher, licence)
            for one in OBSERVED_PROPERTIES.values()
            if one.id in observed
        ),
        *(_area_set(base, one, publisher) for one in area_sets),
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
        "dcat:service": {
            "@id": f"{base}/v1/catalogue#api",
            "@type": "dcat:DataService",
            "dcterms:title": _texts("データAPI", "Data API"),
            "dcat:endpointURL": {"@id": f"{base}/v1"},
            "dcat:endpointDescription": {"@id": f"{base}/openapi.json"},
        },
        "dcat:dataset": entries,
    }


def _observations(
    base: str, it: ObservedProperty, when: Observed, publisher: str, licence: str
) -> Node:
    address = f"{base}/v1/catalogue#observations-{it.id}"
    day = {"observed_property": it.id, "interval": "P1D"}
    return {
        "@id": address,
        "@type": "dcat:Dataset",
        "dcterms:identifier": f"observations-{it.id}",
        "dcterms:title": _texts(f"{it.label_ja}の観測値", f"Observations of {_within(it.label)}"),
        "dcterms:description": _texts(
            f"単位 {it.unit_label}。時刻は協定世界時(UTC)、値の対象期間の終わり。",
            f"In {it.unit_label} (UCUM {it.unit}); times are UTC, the end of what a value speaks of.",
        ),
        **_credits(publisher, licence),
        **_within_box(*when.bbox),
        "dcterms:temporal": {
            "@type": "dcterms:PeriodOfTime",  # days: they change no more often than harvesters come
            "dcat:startDate": {"@value": when.first_day.isoformat(), "@type": "xsd:date"},
            "dcat:endDate": {"@value": when.last_day.isoformat(), "@type": "xsd:date"},
        },
        "dcterms:accrualPeriodicity": {
            "@id": "http://publications.europa.eu/resource/authority/frequency/UPDATE_CONT"
        },
        "dcat:keyword": _keywords(it.id, it.label, it.label_ja),
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


def _area_set(base: str, it: AreaSet, publisher: str) -> Node:
    page = f"{base}/v1/area-sets/{quote(it.area_set_id, safe='')}/areas"
    node = {
        "@id": f"{base}/v1/catalogue#areas-{quote(it.area_set_id, safe='')}",
        "@type": "dcat:Dataset",
        "dcterms:identifier": f"areas-{it.area_set_id}",
        "dcterms:title": _texts(it.name, it.name_en),
        "dcterms:description": _texts(f"{it.areas} 区域", f"{it.areas} areas"),
        "dcterms:issued": _time(it.imported_at.isoformat()),
        **_credits(publisher, it.licence),
        "dcat:distribution": [
            _distribution(page, page, "GeoJSON", "application/geo+json", it.licence),
            *(_in_rows(page, name, it.licence) for name in ("CSV", "Parquet")),
        ],
    }
    if it.source:  # what they were made from, in a sentence: nobody's name
        node["dcterms:source"] = it.source
    return node if it.bbox is None else node | _within_box(*it.bbox)


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
        "dcat:keyword": _keywords(it.kind),
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
        "dcat:mediaType": {
            "@id": _MEDIA + media,
            "@type": "dcterms:MediaType",
            "rdfs:label": media,  # which CKAN shows; without it, it would show the address
        },
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


def _within_box(west: float, south: float, east: float, north: float) -> Node:
    """Where something is; nothing is said of one point or line, which is no area."""
    if west == east or south == north:
        return {}
    corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
    text = ", ".join(f"{x} {y}" for x, y in corners)
    box = {"@value": f"POLYGON(({text}))", "@type": "geosparql:wktLiteral"}
    return {"dcterms:spatial": {"@type": "dcterms:Location", "dcat:bbox": box}}


def _licence(licence: str) -> Node:
    address = _licence_address(licence)
    if address is None:
        return {"dcterms:license": licence} if licence else {}
    node = {"@id": address, "@type": "dcterms:LicenseDocument"}
    for form, title in _IN_CKAN:
        if form.match(address):  # also of one of its translations, such as deed.ja
            node["dcterms:title"] = title
    return {"dcterms:license": node}


def _licence_address(licence: str) -> str | None:
    if _ADDRESS.fullmatch(licence):
        return licence
    if (known := _CREATIVE_COMMONS.fullmatch(licence)) is not None:
        kind, number = known.groups()
        return f"{_LICENCES}licenses/{kind.lower()}/{number}/"
    return f"{_LICENCES}publicdomain/zero/1.0/" if _CC0.fullmatch(licence) else None


def _texts(japanese: str, english: str) -> list[Node]:
    return [
        {"@value": text, "@language": language}
        for text, language in ((japanese, "ja"), (english, "en"))
        if text
    ]


def _keywords(*texts: str) -> list[str]:
    """Texts without signs that portals refuse: `Sound level (LAeq)` gives `Sound level` and `LAeq`."""
    parts = (part.strip() for text in texts for part in _NO_KEYWORD.split(text))
    return list(dict.fromkeys(part for part in parts if 2 <= len(part) <= 100))


def _within(label: str) -> str:
    """A label as it stands within a sentence: `air temperature`, and `PM2.5` as it is."""
    return label[:1].lower() + label[1:] if label[1:2].islower() else label


def _time(text: str) -> Node:
    return {"@value": text, "@type": "xsd:dateTime"}
