"""The front door and the catalogue, read by others' libraries."""

import json
from datetime import date

import pytest
from fastapi.testclient import TestClient
from rdflib import DCAT, DCTERMS, RDF, XSD, Graph, Literal, URIRef

from samples import T0
from tsuji_platform.api.catalogue import catalogue
from tsuji_platform.contract.features import Precision, StatedDate
from tsuji_platform.store import Refresher
from tsuji_platform.store.dataset_records import DatasetRow

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
            assert api.get(path).status_code == 200, path


def test_the_page_reflects_no_markup(api: TestClient) -> None:
    page = api.get("/v1", headers={"Accept": "text/html", "Host": "a<script>b"})
    assert "<script" not in page.text


def test_the_catalogue_is_dcat_whose_addresses_answer(api: TestClient) -> None:
    answer = api.get("/v1/catalogue")
    assert answer.headers["content-type"] == "application/ld+json"
    graph = Graph().parse(data=answer.text, format="json-ld")
    (whole,) = graph.subjects(RDF.type, DCAT.Catalog)
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
            media = str(graph.value(one, DCAT.mediaType)).split("media-types/")[1]
            assert answer.headers["content-type"].split(";")[0] == media
            if media == "text/csv":
                said = str(graph.value(one, URIRef(f"{_POWDER}describedby")))
                described = api.get(said.removeprefix("http://testserver"))
                assert described.headers["content-type"] == "application/csvm+json"


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
        properties=[],
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
