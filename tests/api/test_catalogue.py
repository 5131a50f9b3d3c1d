"""The front door and the catalogue, read by others' libraries."""

import json
import re
from datetime import date

import psycopg
import pytest
from fastapi.testclient import TestClient
from rdflib import DCAT, DCTERMS, RDF, RDFS, XSD, Graph, Literal, URIRef

from samples import T0, after, message, registration
from tsuji_platform.api.catalogue import catalogue
from tsuji_platform.contract.features import Precision, StatedDate
from tsuji_platform.contract.properties import OBSERVED_PROPERTIES
from tsuji_platform.store import Refresher
from tsuji_platform.store.dataset_records import DatasetRow
from tsuji_platform.store.finding import Observed
from tsuji_platform.store.records import AreaSet
from tsuji_platform.store.writer import Writer

_ALL = {
    it: Observed(
        observed_property=it,
        bbox=(139.6, 35.6, 139.8, 35.8),
        first_day=date(2026, 3, 31),
        last_day=date(2026, 4, 1),
    )
    for it in OBSERVED_PROPERTIES
}
_POWDER = "http://www.w3.org/2007/05/powder-s#"


def test_people_get_a_page_and_programs_get_addresses(api: TestClient, hub_url: str) -> None:
    Refresher(hub_url).refresh()
    page = api.get("/v1", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    addresses = api.get("/v1").json()
    for address in addresses.values():
        path = address.removeprefix("http://testserver")
        assert path.replace("&", "&amp;") in page.text
        if not path.startswith("/v1/live"):  # which never ends
            expected = 401 if path == "/metrics" else 200  # which needs a key
            assert api.get(path).status_code == expected, path


def test_the_page_reflects_no_markup(api: TestClient) -> None:
    page = api.get("/v1", headers={"Accept": "text/html", "Host": "a<script>b"})
    assert "<script" not in page.text


def test_the_catalogue_is_dcat_whose_addresses_answer(api: TestClient) -> None:
    answer = api.get("/v1/catalogue")
    assert answer.headers["content-type"] == "application/ld+json"
    graph = Graph().parse(data=answer.text, format="json-ld")
    (whole,) = graph.subjects(RDF.type, DCAT.Catalog)
    (service,) = graph.objects(whole, DCAT.service)
    for said in (DCAT.endpointURL, DCAT.endpointDescription):
        address = str(graph.value(service, said)).removeprefix("http://testserver")
        assert api.get(address).status_code == 200
    datasets = set(graph.subjects(RDF.type, DCAT.Dataset))
    assert set(graph.objects(whole, DCAT.dataset)) == datasets
    named = {str(graph.value(one, DCTERMS.identifier)) for one in datasets}
    measured = {it["observed_property"] for it in api.get("/v1/latest").json()["items"]}
    sets = {it["id"] for it in api.get("/v1/area-sets").json()["items"]}
    assert named == {f"observations-{it}" for it in measured} | {f"areas-{it}" for it in sets}
    for dataset in datasets:
        assert {it.language for it in graph.objects(dataset, DCTERMS.title)} >= {"ja"}
        distributions = list(graph.objects(dataset, DCAT.distribution))
        assert distributions
        for one in distributions:
            address = str(graph.value(one, DCAT.downloadURL)).removeprefix("http://testserver")
            answer = api.get(address)
            assert answer.status_code == 200
            kind = graph.value(one, DCAT.mediaType)
            media = str(kind).split("media-types/")[1]
            assert set(graph.objects(kind, RDFS.label)) == {Literal(media)}
            assert answer.headers["content-type"].split(";")[0] == media
            if media == "text/csv":
                said = str(graph.value(one, URIRef(f"{_POWDER}describedby")))
                described = api.get(said.removeprefix("http://testserver"))
                assert described.headers["content-type"] == "application/csvm+json"


def test_observations_say_where_they_are_from(api: TestClient, writer: Writer) -> None:
    writer.save([registration("north", "rainfall", longitude=139.75, latitude=35.75)])
    writer.save([message("north", after(hours=2), rainfall=0)])
    graph = Graph().parse(data=api.get("/v1/catalogue").text, format="json-ld")
    boxes = {
        str(graph.value(one, DCTERMS.identifier)): str(graph.value(place, DCAT.bbox))
        for one, place in graph.subject_objects(DCTERMS.spatial)
    }
    assert boxes["observations-rainfall"] == (
        "POLYGON((139.69 35.69, 139.75 35.69, 139.75 35.75, 139.69 35.75, 139.69 35.69))"
    )
    assert "observations-pedestrians" not in boxes  # of one gate, which is a point
    assert "areas-squares" in boxes


def test_observations_say_from_which_day_to_which_they_are(api: TestClient, hub_url: str) -> None:
    def days() -> dict[str, list[str]]:
        answer = api.get("/v1/catalogue")
        graph = Graph().parse(data=answer.text, format="json-ld")
        found = {"etag": [answer.headers["etag"]]}
        for one, period in graph.subject_objects(DCTERMS.temporal):
            assert graph.value(period, RDF.type) == DCTERMS.PeriodOfTime
            ends = [graph.value(period, it) for it in (DCAT.startDate, DCAT.endDate)]
            assert {it.datatype for it in ends} == {XSD.date}
            found[str(graph.value(one, DCTERMS.identifier))] = [str(it) for it in ends]
        return found

    fresh = days()
    assert fresh["observations-pedestrians"] == ["2026-03-31", "2026-04-01"]
    assert fresh["observations-rainfall"] == ["2026-04-01", "2026-04-01"]
    Refresher(hub_url).refresh()
    assert days() == fresh
    with psycopg.connect(hub_url) as connection:
        connection.execute("DELETE FROM observation")
    assert days() == fresh  # of sums, where observations are no longer kept


def _dataset(*, features: int = 1, licence: str = "", date: StatedDate | None = None) -> DatasetRow:
    return DatasetRow(
        dataset_id="aed",
        kind="aed",
        title="AED",
        licence=licence,
        date=date,
        file_name="aed.csv",
        encoding="utf-8",
        report={},
        columns={},
        features=features,
        imported_at=T0,
    )


def _catalogue_of(dataset: DatasetRow) -> Graph:
    whole = catalogue(
        "https://hub.example",
        publisher="",
        licence="",
        observed={},
        area_sets=[],
        datasets=[dataset],
    )
    return Graph().parse(data=json.dumps(whole), format="json-ld")


@pytest.mark.parametrize(("rows", "is_whole"), [(10_000, True), (10_001, False)])
def test_only_what_is_whole_is_called_a_download(rows: int, is_whole: bool) -> None:
    graph = _catalogue_of(_dataset(features=rows))
    addresses = {str(it) for it in graph.objects(predicate=DCAT.accessURL)}
    assert {it.partition("?")[2].partition("&")[0] for it in addresses} == {"limit=10000"}
    assert len(addresses) == 4
    assert {str(it) for it in graph.objects(predicate=DCAT.downloadURL)} == (
        addresses if is_whole else set()
    )


@pytest.mark.parametrize(
    ("licence", "node"),
    [
        ("CC BY 4.0", URIRef("https://creativecommons.org/licenses/by/4.0/")),
        ("CC-BY-NC-SA-3.0", URIRef("https://creativecommons.org/licenses/by-nc-sa/3.0/")),
        ("CC BY", Literal("CC BY")),
        ("CC BY 4.0, but", Literal("CC BY 4.0, but")),
        ("https://a.example/by?v=4", URIRef("https://a.example/by?v=4")),
        ("https://a.example/by (CC BY)", Literal("https://a.example/by (CC BY)")),
    ],
)
def test_a_licence_is_an_address_only_where_all_of_it_has_one(
    licence: str, node: Literal | URIRef
) -> None:
    graph = _catalogue_of(_dataset(licence=licence))
    assert set(graph.objects(predicate=DCTERMS.license)) == {node}
    assert graph.serialize(format="nt")


@pytest.mark.parametrize(
    ("licence", "title"),
    [
        ("CC BY 4.0", "Creative Commons Attribution"),
        ("https://creativecommons.org/licenses/by/4.0/deed.ja", "Creative Commons Attribution"),
        ("CC BY-SA 4.0", "Creative Commons Attribution Share-Alike"),
        ("CC0 1.0", "Creative Commons CCZero"),
        ("CC BY-NC 4.0", None),
        ("https://a.example/by", None),
    ],
)
def test_ckan_finds_a_licence_in_its_list_by_the_title_of_it(
    licence: str, title: str | None
) -> None:
    graph = _catalogue_of(_dataset(licence=licence))
    (node,) = set(graph.objects(predicate=DCTERMS.license))
    assert graph.value(node, DCTERMS.title) == (None if title is None else Literal(title))


@pytest.mark.parametrize(
    ("precision", "literal"),
    [
        ("day", Literal("2025-04-01", datatype=XSD.date)),
        ("month", Literal("2025-04", datatype=XSD.gYearMonth)),
        ("year", Literal("2025", datatype=XSD.gYear)),
    ],
)
def test_a_date_says_no_more_than_its_publisher(precision: Precision, literal: Literal) -> None:
    graph = _catalogue_of(
        _dataset(date=StatedDate(first_day=date(2025, 4, 1), precision=precision))
    )
    assert set(graph.objects(predicate=DCTERMS.modified)) == {literal}
    assert not literal.ill_typed


def test_no_keyword_is_one_for_which_ckan_refuses_the_dataset() -> None:
    whole = catalogue(
        "https://hub.example",
        publisher="",
        licence="",
        observed=_ALL,
        area_sets=[],
        datasets=[_dataset()],
    )
    keywords = {it["dcterms:identifier"]: it["dcat:keyword"] for it in whole["dcat:dataset"]}
    assert keywords["observations-sound_level"] == [
        "sound_level",
        "Sound level",
        "LAeq",
        "騒音レベル",
    ]
    assert keywords["aed"] == ["aed"]
    for keyword in {it for several in keywords.values() for it in several}:
        # What CKAN's tag_name_validator and tag_length_validator take, and no comma, at which it splits.
        assert re.fullmatch(r"[\w \-.]{2,100}", keyword), keyword


def test_an_area_set_names_its_source_and_the_hub_publishes_it() -> None:
    area_set = AreaSet(
        area_set_id="mesh",
        name="メッシュ",
        name_en="Mesh",
        kind="mesh",
        source="JIS X 0410 地域メッシュ",
        licence="",
        imported_at=T0,
        areas=1,
        bbox=None,
    )
    whole = catalogue(
        "https://hub.example",
        publisher="City",
        licence="CC BY 4.0",
        observed={},
        area_sets=[area_set],
        datasets=[],
    )
    (node,) = whole["dcat:dataset"]
    assert node["dcterms:publisher"]["foaf:name"] == "City"
    assert node["dcterms:source"] == "JIS X 0410 地域メッシュ"
    assert "dcterms:license" not in node  # the observations' is not that of the boundaries


def test_titles_keep_the_case_of_abbreviations() -> None:
    whole = catalogue(
        "https://hub.example",
        publisher="",
        licence="",
        observed=_ALL,
        area_sets=[],
        datasets=[],
    )
    titles = {text["@value"] for it in whole["dcat:dataset"] for text in it["dcterms:title"]}
    assert titles >= {
        "Observations of PM2.5",
        "Observations of sound level (LAeq)",
        "Observations of air temperature",
    }
