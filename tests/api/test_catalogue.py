"""The front door and the catalogue, read by others' libraries."""

from fastapi.testclient import TestClient
from rdflib import DCAT, DCTERMS, RDF, Graph

from tsuji_platform.store import Refresher


def test_people_get_a_page_and_programs_get_addresses(api: TestClient, hub_url: str) -> None:
    Refresher(hub_url).refresh()
    page = api.get("/v1", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    addresses = api.get("/v1").json()
    for address in addresses.values():
        path = address.removeprefix("http://testserver")
        assert path.replace("&", "&amp;") in page.text
        if path != "/v1/live":  # which never ends
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
