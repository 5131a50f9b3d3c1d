"""The documentation's site: built without a warning, complete, and alone on a machine without a network."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer
from playwright.sync_api import Browser
from typer.main import get_command

from tsuji.cli import app
from tsuji_platform.api.routers import things
from tsuji_platform.settings import describe

_TOOLS = Path(__file__).resolve().parents[2] / "tools"


def _tool(name: str) -> ModuleType:
    """A script of tools/, which is no package."""
    found = importlib.util.spec_from_file_location(name, _TOOLS / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tools() -> Iterator[dict[str, ModuleType]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_TOOLS))
        yield {name: _tool(name) for name in ("reference", "docs")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, _TOOLS / "docs.py", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def _text(page: Path) -> str:
    return re.sub("<[^>]*>", "", page.read_text(encoding="utf-8"))


def test_every_setting_and_command_is_in_the_reference(site: Path) -> None:
    settings = _text(site / "reference" / "settings.html").split()
    assert [name for name, _, _ in describe() if name not in settings] == []
    commands = _text(site / "reference" / "commands.html")
    for name, one in get_command(app).commands.items():
        assert f"tsuji {name}" in commands
        for part in getattr(one, "commands", ()):
            assert f"tsuji {name} {part}" in commands


def test_the_navigation_leads_to_every_page(site: Path) -> None:
    """Also to those that docs/index.md has not placed: they stand behind the others."""
    bar = (site / "index.html").read_text(encoding="utf-8").partition("sidebar-tree")[2]
    docs = _TOOLS.parent / "docs"
    pages = [it.relative_to(docs).with_suffix(".html") for it in docs.rglob("*.md")]
    assert len(pages) > 30
    assert [it for it in pages if f'href="{it}"' not in bar and str(it) != "index.html"] == []


def test_the_data_api_is_in_the_reference(site: Path) -> None:
    page = _text(site / "reference" / "api.html")
    known = {route.path for route in things.router.routes} | {"/health", "/live", "/alerts"}
    assert [path for path in known if f"GET /v1{path}" not in page] == []


def test_pages_are_read_and_found_without_any_other_host(site: Path, browser: Browser) -> None:
    asked: list[str] = []
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.on("request", lambda request: asked.append(request.url))
    for name in ("index.html", "ja/tutorial.html", "reference/api.html"):
        page.goto((site / name).as_uri())
        page.get_by_role("heading", level=1).first.wait_for()
    for words, expected in (
        ("backlogs", "ingest.html"),
        ("混雑", "ja/planners.html"),
        ("収容人数", "ja/planners.html"),
    ):
        page.goto(f"{(site / 'search.html').as_uri()}?q={words}")
        page.locator(f"#search-results a[href*='{expected}']").first.wait_for()
    page.close()
    assert [address for address in asked if not address.startswith(("file:", "data:"))] == []


def test_what_has_no_description_is_named(tools: dict[str, ModuleType]) -> None:
    made = typer.Typer(help="Of a test.")

    @made.command(help="Said.")
    def good(name: str = typer.Option("", help="Said.")) -> None: ...

    @made.command()
    def bad(name: str, size: int = 1) -> None: ...

    lacking = tools["reference"].undocumented_commands(get_command(made), "x")
    assert sorted(lacking) == ["x bad", "x bad --size", "x bad name"]
    assert tools["reference"].undocumented_commands(get_command(app), "tsuji") == []
    operation = {"summary": "Said.", "parameters": [{"name": "n"}]}
    document = {"paths": {"/a": {"get": {}}, "/b": {"get": operation}}}
    assert tools["reference"].undocumented_operations(document) == ["GET /a", "GET /b ?n"]


def test_dead_links_and_other_hosts_are_named(tools: dict[str, ModuleType], tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="here">A</h1><a href="#here"></a><a href="b.html#there"></a><a href="https://e.org/x"></a>'
        '<a href="c.html"></a><a href="#gone"></a><a href="b.html#gone"></a>'
        '<script src="https://e.org/x.js"></script><link rel="stylesheet" href="//e.org/x.css">'
        '<link rel="canonical" href="https://e.org/a.html">'
    )
    (tmp_path / "b.html").write_text(
        '<p id="there"><img src="gone.png">**not** bold, <code>**code**</code></p>'
    )
    named = list(tools["docs"].faults(tmp_path))
    assert named == [
        "a.html fetches https://e.org/x.js",
        "a.html fetches //e.org/x.css",
        "a.html leads to c.html, which is not there",
        "a.html leads to #gone, where there is no #gone",
        "a.html leads to b.html#gone, where there is no #gone",
        "b.html shows marks: **not** bold,",
        "b.html leads to gone.png, which is not there",
    ]


def test_links_are_named_as_readers_of_a_site_know_them(
    tools: dict[str, ModuleType], tmp_path: Path
) -> None:
    alone = tools["docs"]._alone
    assert alone("see [`a.toml`](../deploy/a.toml), [b](b.md)", "../") == "see `a.toml`, [b](b.md)"
    assert alone("([b.md](b.md#x), ![a.md](a.md.png))", "../") == "([](b.md#x), ![a.md](a.md.png))"
    assert alone("[b](../b.md#x) and [c](../../c.py)", "../../") == "[b](../b.md#x) and c"
