"""A prefecture's official file over a real connection: whole and what was asked for, or not kept."""

import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Event, Thread

import pytest

from own_ports import own_port
from tsuji_geo import official
from tsuji_geo.official import FetchError, fetch_boundaries, prefecture_of

TOKYO = Path(__file__).parents[3] / "shared/data/areas/N03-20210101_13_tokyo.geojson"
NAME = "N03-20210101_13_GML.zip"


class Publisher:
    """Serves what is put into `answers`, by path; remembers what it was asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[str] = []
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.asked.append(self.path)
                publisher.answers.get(self.path, answer(b"nothing here", 404))(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.pattern = self.url + "/N03-{year}/N03-{year}0101_{prefecture}_GML.zip"


def answer(
    body: bytes, status: int = 200, length: int | None = None, **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return send


def published(content: bytes) -> bytes:
    """A zip in the form of the publisher's."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("N03-20210101_13.geojson", content)
        archive.writestr("KS-META-N03-20210101_13.xml", b"<a/>")
    return packed.getvalue()


@pytest.fixture(scope="module")
def tokyo() -> bytes:
    return published(TOKYO.read_bytes())


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    one = Publisher()
    thread = Thread(target=one.server.serve_forever)
    thread.start()
    yield one
    one.server.shutdown()
    thread.join()
    one.server.server_close()


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_file_is_downloaded_once_and_kept(
    publisher: Publisher, tokyo: bytes, tmp_path: Path
) -> None:
    folder = tmp_path / "home" / "downloads"
    publisher.answers[f"/N03-2021/{NAME}"] = answer(tokyo)
    told: list[tuple[int, int | None]] = []
    first = fetch_boundaries(
        "13",
        folder,
        pattern=publisher.pattern,
        year=2021,
        on_bytes=lambda size, total: told.append((size, total)),
    )
    assert (first.path, first.size, first.is_new) == (folder / NAME, len(tokyo), True)
    assert first.path.read_bytes() == tokyo
    assert first.boundaries.area_set.id == "municipalities-13"
    assert len(first.boundaries.area_set.areas) == 62
    assert told[-1] == (len(tokyo), len(tokyo))
    again = fetch_boundaries("13", folder, pattern=publisher.pattern, year=2021)
    assert (again.is_new, again.boundaries) == (False, first.boundaries)
    assert len(publisher.asked) == 1
    fetch_boundaries("13", folder, pattern=publisher.pattern, year=2021, again=True)
    assert len(publisher.asked) == 2
    assert kept(folder) == [NAME]


def test_the_newest_edition_that_there_is(
    publisher: Publisher, tokyo: bytes, tmp_path: Path
) -> None:
    publisher.answers[f"/N03-2021/{NAME}"] = answer(tokyo)
    found = fetch_boundaries("13", tmp_path, pattern=publisher.pattern, today=date(2022, 2, 1))
    assert found.path.name == NAME
    assert publisher.asked == ["/N03-2022/N03-20220101_13_GML.zip", f"/N03-2021/{NAME}"]
    with pytest.raises(
        FetchError, match=r"has no file .*20230101_13_GML.zip: name another edition"
    ):
        fetch_boundaries("13", tmp_path, pattern=publisher.pattern, today=date(2024, 1, 1))
    assert kept(tmp_path) == [NAME]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            answer(b"<html>down</html>", Content_Type="text/html"),
            "'text/html', no zip file: is a sign",
        ),
        (answer(b"", 503), r"answers 503 Service Unavailable for .*: try again later"),
        (answer(b"", 403), r"answers 403 Forbidden"),
        (answer(b"PK\x03\x04 and no more", length=5_000), "the connection was lost"),
        (answer(b"PK\x03\x04 not at all"), "not what was asked for: .* cannot be unpacked"),
        (answer(published(b"{}")), "not what was asked for"),
        (answer(b"", length=1 << 40), "is larger than"),
        (answer(b"", 302, Location="http://example.org/N03.zip"), "must begin with https://"),
        (
            answer(b"", 302, Location="file:///etc/passwd"),
            "must begin with https://|can't be reached",
        ),
    ],
)
def test_whatever_else_is_answered_is_said_and_not_kept(
    publisher: Publisher,
    tmp_path: Path,
    answers: Callable[[BaseHTTPRequestHandler], None],
    words: str,
) -> None:
    publisher.answers[f"/N03-2021/{NAME}"] = answers
    (tmp_path / NAME).write_bytes(b"as before")
    with pytest.raises(FetchError, match=words):
        fetch_boundaries("13", tmp_path, pattern=publisher.pattern, year=2021, again=True)
    assert kept(tmp_path) == [NAME]
    assert (tmp_path / NAME).read_bytes() == b"as before"


def test_another_prefectures_file_is_not_taken(
    publisher: Publisher, tokyo: bytes, tmp_path: Path
) -> None:
    publisher.answers["/N03-2021/N03-20210101_27_GML.zip"] = answer(tokyo)
    with pytest.raises(FetchError, match=r"holds 13101, 13102.* not in prefecture 27 .Osaka."):
        fetch_boundaries("27", tmp_path, pattern=publisher.pattern, year=2021)
    assert kept(tmp_path) == []


def test_what_is_longer_than_it_says_is_cut_off(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(official, "MAX_BYTES", 100_000)

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"PK" + b"x" * 10_000_000)

    publisher.answers[f"/N03-2021/{NAME}"] = endless
    with pytest.raises(FetchError, match="is larger than 100,000 bytes"):
        fetch_boundaries("13", tmp_path, pattern=publisher.pattern, year=2021)
    assert kept(tmp_path) == []


def test_a_publisher_that_falls_silent_is_not_waited_for(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(official, "SILENCE_S", 0.2)
    over = Event()

    def silent(handler: BaseHTTPRequestHandler) -> None:
        over.wait(20)
        handler.close_connection = True

    publisher.answers[f"/N03-2021/{NAME}"] = silent
    with pytest.raises(FetchError, match=r"can't be reached, or the connection was lost"):
        fetch_boundaries("13", tmp_path, pattern=publisher.pattern, year=2021)
    assert not over.is_set()
    over.set()


def test_without_a_network_it_says_what_to_do(tmp_path: Path) -> None:
    pattern = f"http://127.0.0.1:{own_port()}/N03-{{year}}0101_{{prefecture}}_GML.zip"
    with pytest.raises(
        FetchError, match=r"is there a network here.*download http.*_13_GML.zip.*tsuji areas import"
    ):
        fetch_boundaries("13", tmp_path, pattern=pattern, year=2021)


def test_a_kept_file_that_was_damaged_says_how_to_renew_it(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"PK")
    with pytest.raises(FetchError, match=r"kept from before: --again downloads it anew"):
        fetch_boundaries(
            "13",
            tmp_path,
            pattern="https://example.org/N03-{year}0101_{prefecture}_GML.zip",
            year=2021,
        )


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("http://example.org/{year}_{prefecture}.zip", "must begin with https://"),
        ("ftp://127.0.0.1/{year}_{prefecture}.zip", "must begin with https://"),
        ("https:///{year}_{prefecture}.zip", "must begin with https://"),
        ("https://example.org/{year}/{town}.zip", "it takes {year} and {prefecture}"),
        ("https://example.org/{year", "it takes {year} and {prefecture}"),
        ("https://example.org/{year.x}.zip", "it takes {year} and {prefecture}"),
        ("https://example.org/{year}/{prefecture}", "must end in the name of a .zip file"),
        ("https://example.org/{year}/.zip", "must end in the name of a .zip file"),
    ],
)
def test_an_address_that_cannot_be_used_is_quoted(tmp_path: Path, pattern: str, words: str) -> None:
    with pytest.raises(FetchError, match=re.escape(words)):
        fetch_boundaries("13", tmp_path / "x", pattern=pattern, year=2021)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("year", [1999, 2019, 2100])
def test_an_edition_that_cannot_be_is_refused(tmp_path: Path, year: int) -> None:
    with pytest.raises(FetchError, match=f"edition {year} is none of 2020 to"):
        fetch_boundaries("13", tmp_path, pattern="https://example.org/{year}.zip", year=year)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("１３", "13"),
        ("13", "13"),
        ("1", "01"),
        ("tokyo", "13"),
        ("Tokyo", "13"),
        ("東京都", "13"),
        (" 47 ", "47"),
    ],
)
def test_prefectures_by_number_and_name(text: str, code: str) -> None:
    assert prefecture_of(text) == code


@pytest.mark.parametrize("text", ["", "0", "48", "Edo", "-1", "１３x"])
def test_an_unknown_prefecture_is_quoted(text: str) -> None:
    with pytest.raises(FetchError, match="is none: give its number"):
        prefecture_of(text)
