"""The tables that fix words, the OpenAPI document, and what browsers of others may do."""

from collections.abc import Iterator
from typing import Any

from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator, ValidationError

from linked import bare
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.contract import OBSERVED_PROPERTIES


def test_figures_are_listed_in_order_with_their_methods(api: TestClient) -> None:
    items = api.get("/v1/figures").json()["items"]
    assert [it["id"] for it in items] == list(FIGURES)
    for it in items:
        known = FIGURES[it["id"]]
        assert (it["label"], it["label_ja"], it["unit"], it["unit_label"], it["decimals"]) == (
            known.label,
            known.label_ja,
            known.unit,
            known.unit_label,
            known.decimals,
        )
        assert (it["method"], it["method_ja"]) == (known.method, known.method_ja)


def test_observed_properties_are_listed_with_their_ranges(api: TestClient) -> None:
    items = {it["id"]: it for it in api.get("/v1/observed-properties").json()["items"]}
    assert list(items) == list(OBSERVED_PROPERTIES)
    assert bare(items["air_temperature"]) == {
        "id": "air_temperature",
        "label": "Air temperature",
        "label_ja": "気温",
        "unit": "Cel",
        "unit_label": "°C",
        "low": -50.0,
        "high": 60.0,
        "aggregation": "mean",
        "quality": {
            "step": {"at_once": 3.0, "per_minute": 0.1, "longest_gap_s": 1800},
            "stuck": {
                "after_s": 21_600,
                "readings": 12,
                "steady_up_to": None,
                "steady_from": None,
            },
        },
    }
    assert items["rainfall"]["quality"]["step"] is None
    assert items["relative_humidity"]["quality"]["stuck"]["steady_from"] == 98


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def test_the_document_describes_every_path(api: TestClient) -> None:
    document = api.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "Tsuji data API"
    paths = document["paths"]
    assert {
        "/metrics",
        "/v1/health",
        "/v1/figures",
        "/v1/observed-properties",
        "/v1/things",
        "/v1/things/{thing_id}",
        "/v1/things/{thing_id}/series",
        "/v1/things/{thing_id}/observations",
        "/v1/things/{thing_id}/typical",
        "/v1/area-sets/{area_set}/areas/{code}/typical",
        "/v1/quality",
        "/v1/alerts",
        "/v1/alerts/rules",
        "/v1/alerts/{alert}",
        "/v1/things.geojson",
        "/v1/latest",
        "/v1/datastreams",
        "/v1/area-sets/{area_set}",
        "/v1/area-sets",
        "/v1/area-sets/{area_set}/areas",
        "/v1/area-sets/{area_set}/areas/{code}",
        "/v1/area-sets/{area_set}/areas/{code}/series",
        "/v1/area-sets/{area_set}/snapshot",
        "/v1/area-sets/{area_set}/areas/{code}/profile",
        "/v1/area-sets/{area_set}/profiles.geojson",
        "/v1/area-sets/{area_set}/derived",
        "/v1/derived-figures",
        "/v1/area-sets/{area_set}/areas/{code}/population",
        "/v1/datasets",
        "/v1/datasets/{dataset}",
        "/v1/datasets/{dataset}/features",
        "/v1/datasets/{dataset}/features.geojson",
        "/v1/live",
        "/v1/rejected",
        "/v1/rejected/messages",
        "/v1/rejected/messages/{id}",
        "/v1/observations",
        "/v1/aggregates",
        "/v1",
        "/v1/catalogue",
    } == set(paths)
    operations = [one for path in paths.values() for one in path.values()]
    assert all(one["summary"] and one["description"] and one["tags"] for one in operations)
    identifiers = [one["operationId"] for one in operations]
    assert len(identifiers) == len(set(identifiers))
    for path, methods in paths.items():
        declared = {it["name"] for it in methods["get"].get("parameters", []) if it["in"] == "path"}
        assert declared == {part[1:-1] for part in path.split("/") if part.startswith("{")}
    for reference in _references(document):
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node


def test_errors_are_described_as_the_problems_that_they_are(api: TestClient) -> None:
    for path, methods in api.get("/openapi.json").json()["paths"].items():
        for status, answer in methods["get"]["responses"].items():
            if int(status) >= 400 and path != "/v1/health":
                assert list(answer["content"]) == ["application/problem+json"], (path, status)


def test_answers_match_their_described_shapes(api: TestClient) -> None:
    """The fields of real answers are those that the document lists, and all of them but one."""
    only_where_known = {"kept_since", "sums_s", "method", "method_ja"}
    document = api.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path, schema in [
        ("/v1/area-sets/squares/snapshot?things=true", "Snapshot"),
        ("/v1/area-sets/squares/areas/W", "AreaDetail"),
        ("/v1/area-sets/squares/areas/W/series?figure=footfall", "AreaSeries"),
        ("/v1/things/pole-1/series?observed_property=rainfall", "ThingSeries"),
        ("/v1/things/pole-1", "ThingDetail"),
        ("/v1/things/pole-1/observations", "Observations"),
        ("/v1/quality", "Quality"),
        ("/v1/rejected", "RejectedCounts"),
        ("/v1/health", "Health"),
    ]:
        fields = set(schemas[schema]["properties"])
        answered = set(api.get(path).json())
        assert answered <= fields, path
        assert fields - answered <= only_where_known, path


def test_the_documentation_page_is_at_the_root(api: TestClient) -> None:
    answer = api.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
    assert "openapi.json" in api.get("/docs").text


def test_pages_of_others_may_read(api: TestClient) -> None:
    origin = {"Origin": "https://example.org"}
    for path in ("/v1/things", "/v1/area-sets/squares/areas", "/v1/things/nobody"):
        assert api.get(path, headers=origin).headers["access-control-allow-origin"] == "*"
    preflight = api.options("/v1/things", headers=origin | {"Access-Control-Request-Method": "GET"})
    assert preflight.status_code == 200
    refused = api.options("/v1/things", headers=origin | {"Access-Control-Request-Method": "PUT"})
    assert refused.status_code == 400


def test_long_answers_are_compressed_where_the_caller_can_read_that(api: TestClient) -> None:
    assert api.get("/v1/figures").headers["content-encoding"] == "gzip"
    plain = api.get("/v1/figures", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers


def _described(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of every schema and every parameter, by where it is."""
    if isinstance(node, list):
        for place, value in enumerate(node):
            yield from _described(value, f"{path}/{place}")
    if not isinstance(node, dict):
        return
    for name, field in node.get("properties", {}).items():
        yield f"{path}/{name}", field
        yield from _described(field, f"{path}/{name}")
    if "in" in node and "schema" in node and isinstance(node.get("name"), str):
        yield f"{path}/{node['in']}:{node['name']}", node
    for name, value in node.items():
        if name not in ("example", "examples", "default", "properties"):
            yield from _described(value, f"{path}/{name}")


def _examples(field: dict[str, Any]) -> list[Any]:
    found = field.get("examples", [])
    found = [it["value"] for it in found.values()] if isinstance(found, dict) else list(found)
    return found + ([field["example"]] if "example" in field else [])


def test_every_field_and_parameter_is_described_and_every_example_fits(api: TestClient) -> None:
    document = api.get("/openapi.json").json()
    silent, wrong, zoneless = [], [], []
    seen = 0
    for path, field in _described(document):
        seen += 1
        text = field.get("description") or ""
        schema = field.get("schema", field)
        if not text and not schema.get("description"):
            silent.append(path)
        whole = {**schema, "components": document["components"]}
        for example in [*_examples(field), *_examples(schema)]:
            try:
                validator = Draft202012Validator(whole)
                validator.validate(example)
            except ValidationError as error:
                wrong.append((path, example, error.message))
        kinds = [schema, *schema.get("anyOf", [])]
        if any(it.get("format") == "date-time" for it in kinds) and "UTC" not in text:
            zoneless.append(path)
    assert seen > 300
    assert silent == []
    assert wrong == []
    assert zoneless == []


def test_every_answer_has_a_true_example(api: TestClient) -> None:
    document = api.get("/openapi.json").json()
    without = []
    for path, methods in document["paths"].items():
        content = methods["get"]["responses"]["200"].get("content", {})
        shown = [it for it in content.values() if "example" in it]
        if not shown and path not in ("/v1/live", "/metrics"):
            without.append(path)
        for it in shown:
            whole = {**it.get("schema", {}), "components": document["components"]}
            Draft202012Validator(whole).validate(it["example"])
            schema = whole
            if "$ref" in whole:
                schema = document["components"]["schemas"][whole["$ref"].rpartition("/")[2]]
            assert set(it["example"]) <= set(schema.get("properties", it["example"])), path
    assert without == []


def test_every_filter_shows_an_example(api: TestClient) -> None:
    without = [
        (path, it["name"])
        for path, methods in api.get("/openapi.json").json()["paths"].items()
        for it in methods["get"].get("parameters", [])
        if it["in"] in ("query", "path")
        if not _examples(it) and not _examples(it["schema"]) and "enum" not in it["schema"]
    ]
    assert without == []
