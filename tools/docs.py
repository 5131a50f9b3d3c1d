"""Builds the documentation: `python tools/docs.py FOLDER`; a warning, dead link or undocumented thing fails.

The pages of docs/ go there together with the reference that is made out of the code. What the repository
has outside docs/ is named there and not linked, since the site stands alone; so it needs no other host
either, neither for fonts nor for scripts.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import reference

_ROOT = Path(__file__).resolve().parents[1]
_OUTSIDE = re.compile(r"(?<!!)\[([^]]+)\]\((?:\.\./)+(?!docs/)[^)]*\)")
_BARE = re.compile(r"(?<!!)\[[\w/-]+\.md\]\((?=[^)]*\.md)")
"""A link whose text is a file's name; on the site it is called like what it leads to."""
_LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
_CODE = {"code", "pre", "script", "style"}
_MARKS = re.compile(r"\*\*|\]\(")
_ONLY_NAMED = {"canonical", "alternate", "next", "prev"}
"""What a `link` may be that a browser does not load."""


def stage(folder: Path) -> None:
    """Put all that the site is built from into a folder.

    Args:
        folder: is replaced.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_ROOT / "docs", folder, ignore=shutil.ignore_patterns("make_*", "__*"))
    shutil.copy(_ROOT / "dashboard" / "tsuji_dashboard" / "assets" / "favicon.svg", folder)
    (folder / "reference").mkdir()
    for name, text in reference.pages().items():
        (folder / "reference" / name).write_text(text, encoding="utf-8")
    _place_the_others(folder)
    for page in folder.rglob("*.md"):
        out = "../" * len(page.relative_to(folder).parts)
        page.write_text(_alone(page.read_text(encoding="utf-8"), out), encoding="utf-8")


def _place_the_others(folder: Path) -> None:
    """Let the navigation lead to all pages, also to those that index.md has not placed yet."""
    index = folder / "index.md"
    text = index.read_text(encoding="utf-8")
    placed = {match.strip().rpartition("<")[2].rstrip(">") for match in text.splitlines()}
    found = {str(it.relative_to(folder).with_suffix("")) for it in folder.rglob("*.md")}
    others = sorted(found - placed - {"index"})
    if others:
        listed = "\n".join(others)
        index.write_text(
            f"{text}\n```{{toctree}}\n:caption: More\n:hidden:\n\n{listed}\n```\n", "utf-8"
        )


def _alone(text: str, out: str) -> str:
    """A page without links that lead out of docs/, and with titles in the place of files' names.

    Args:
        text: in Markdown.
        out: the way from the page to the repository's root.
    """
    inside = _OUTSIDE.sub(lambda match: match[1] if f"]({out}" in match[0] else match[0], text)
    return _BARE.sub("[](", inside)


def build(source: Path, site: Path) -> None:
    """Build what was staged.

    Raises:
        SystemExit: where the generator has anything to say against it.
    """
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-j", "2", source, site],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}")
    shutil.rmtree(site / ".doctrees", ignore_errors=True)
    for page in (site / "ja").glob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(' lang="en"', ' lang="ja"', 1), encoding="utf-8")


class _Page(HTMLParser):
    """What a page has and what it points at.

    Attributes:
        ids: all that can stand behind # in an address.
        links: where it leads people.
        loaded: what a browser fetches with it.
        raw: text that shows marks of Markdown, which was meant to be bold or a link.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.raw: list[str] = []
        self._in_code = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in one element."""
        self._in_code += tag in _CODE
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in _LOADED and given.get(_LOADED[tag]) and given.get("rel") not in _ONLY_NAMED:
            self.loaded.append(given[_LOADED[tag]])

    def handle_endtag(self, tag: str) -> None:
        """Leave one element."""
        self._in_code -= tag in _CODE

    def handle_data(self, data: str) -> None:
        """Take in text."""
        if not self._in_code and _MARKS.search(data):
            self.raw.append(" ".join(data.split())[:60])


def faults(site: Path) -> Iterator[str]:
    """Links that lead nowhere, what would be fetched from another host, and Markdown that is shown as such.

    Args:
        site: a folder of HTML; what it says of other hosts' pages is not looked at.
    """
    site = site.resolve()
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    for path, page in sorted(pages.items()):
        if path.name == "404.html":  # is served for every address, so its links are absolute
            continue
        where = path.relative_to(site)
        yield from (f"{where} shows marks: {text}" for text in page.raw)
        for target in page.loaded:
            if urlsplit(target).netloc:
                yield f"{where} fetches {target}"
        for target in [*page.links, *page.loaded]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            found = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            if found.is_dir():
                found /= "index.html"
            anchor = unquote(parts.fragment)
            if not found.is_file() or not found.is_relative_to(site):
                yield f"{where} leads to {target}, which is not there"
            elif anchor and found in pages and anchor not in pages[found].ids:
                yield f"{where} leads to {target}, where there is no #{anchor}"


def main() -> None:
    """Build the site and put it into the folder that is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the site goes; it is replaced")
    target: Path = parser.parse_args().folder.resolve()
    with tempfile.TemporaryDirectory() as work:
        source, site = Path(work, "source"), Path(work, "site")
        try:
            stage(source)
        except reference.UndocumentedError as error:
            raise SystemExit(str(error)) from None
        build(source, site)
        wrong = list(faults(site))
        if wrong:
            raise SystemExit("\n".join(wrong))
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(site, target)
    print(f"{target}: {sum(1 for _ in target.rglob('*.html'))} pages")


if __name__ == "__main__":
    main()
