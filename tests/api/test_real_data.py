"""Real data of Melbourne and Tokyo behind the real server: the documentation's recipes run as written."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import duckdb
import psycopg
import pytest
from playwright.sync_api import Browser
from psycopg.conninfo import make_conninfo

import real_data
import recipes
from hub_processes import HubProcesses
from recipes import Recipe
from samples import message
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.store import Writer, migrate


@dataclass(frozen=True, slots=True)
class Served:
    """A database and the API over it."""

    database_url: str
    api_url: str


@pytest.fixture(scope="module")
def served(
    timescaledb_server: PrivateServer, data_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("real")
    with psycopg.connect(timescaledb_server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE real_data")
    url = make_conninfo(timescaledb_server.url, dbname="real_data")
    migrate(url)
    real_data.bring_in(url, data_folder, folder)
    hub = HubProcesses(url, "mqtt://127.0.0.1:1", folder)  # the API asks no broker
    try:
        hub.start("api")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", str(folder))
            _install_httpfs()
            made = hub.run("keys", "create", "recipes")
            patch.setenv(
                "TSUJI_KEY", next(w for w in made.stdout.split() if w.startswith("tsuji_"))
            )
            yield Served(url, hub.api_url)
    finally:
        hub.close()


def _install_httpfs() -> None:
    """What DuckDB fetches by itself the first time, from a package instead."""
    found = files("duckdb_extension_httpfs") / "extensions" / f"v{duckdb.__version__}"
    with duckdb.connect() as connection:
        connection.install_extension(str(found / "httpfs.duckdb_extension"))
    assert (Path(os.environ["HOME"]) / ".duckdb").is_dir()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of somebody else's page."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _named(recipe: Recipe) -> str:
    return f"{recipe.where}-{recipe.language}"


@pytest.mark.parametrize("recipe", recipes.recipes("sh", "python"), ids=_named)
def test_recipes_run_as_written(served: Served, recipe: Recipe, tmp_path: Path) -> None:
    said = recipes.run(recipe, served.api_url, tmp_path)
    assert '"type":"about:blank"' not in said  # curl takes a refusal for an answer like any other
    if recipe.output is not None:
        assert said == recipe.output


@pytest.mark.parametrize("recipe", recipes.recipes("js"), ids=_named)
def test_recipes_run_in_a_browser(
    served: Served, recipe: Recipe, browser: Browser, elsewhere: str
) -> None:
    assert recipe.output is not None
    expected, said = recipe.output.splitlines(), []
    page = browser.new_page()
    page.on("console", lambda line: said.append(line.text))
    page.goto(elsewhere)
    page.evaluate(f"async () => {{ {recipe.text.replace(recipes.ADDRESS, served.api_url)} }}")
    while len(said) < 1:
        page.wait_for_event("console")
    if recipe.kind == "live":
        _says(served, 31.5)
    while len(said) < len(expected):
        page.wait_for_event("console")
    page.close()
    assert said == expected


def _says(served: Served, temperature: float) -> None:
    """東京 has measured this now."""
    writer = Writer(served.database_url, "test")
    writer.save([message("amedas-44132", datetime.now(UTC), air_temperature=temperature)])
    writer.close()
