"""Gets a prefecture's official boundaries from their publisher: 国土数値情報, 行政区域データ (N03).

What the network brings is not believed: it comes over HTTPS, within limits of size and time, and is kept
only once it has been read as what was asked for.
"""

import contextlib
import ipaddress
import re
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tsuji_geo.areas import AreaError
from tsuji_geo.boundaries import AreaImport, read_boundaries
from tsuji_geo.prefectures import PREFECTURES
from tsuji_platform.contract.rejection import quote

FIRST_YEAR = 2020
"""Older editions have other names."""
MAX_BYTES = 256 << 20
"""Several times as much as the largest prefecture's file."""
CONNECT_S, SILENCE_S, WHOLE_S = 10.0, 30.0, 900.0
"""To connect, between two pieces of the answer, and for all of it."""
_MAX_REDIRECTS = 5
_LEFTOVER_S = 86_400
_DRAFT = ".fetch-"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.zip", re.ASCII)
_ADVICE = (
    "with a browser, on any machine that has a network, download {url} and give it to "
    "`tsuji areas import`"
)


class FetchError(AreaError):
    """The file could not be had from its publisher; the message says why and what to do."""


class _NoSuchFileError(FetchError):
    """The publisher has none of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An official file that is here and was read.

    Attributes:
        path: where it is kept.
        url: where it came from.
        size: bytes.
        is_new: whether it was downloaded now.
        boundaries: what it holds.
    """

    path: Path
    url: str
    size: int
    is_new: bool
    boundaries: AreaImport


def prefecture_of(text: str) -> str:
    """A prefecture's number as two digits, from that, its number or its name.

    Raises:
        FetchError: no such prefecture.
    """
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    number = plain.zfill(2)
    if number in PREFECTURES:
        return number
    for code, (name, name_en) in PREFECTURES.items():
        if plain in (name, name_en.casefold()):
            return code
    raise FetchError(
        f"prefecture {quote(text)} is none: give its number, 01 (Hokkaido) to 47 (Okinawa); 13 is Tokyo"
    )


def fetch_boundaries(
    prefecture: str,
    folder: Path,
    *,
    pattern: str,
    year: int | None = None,
    again: bool = False,
    today: date | None = None,
    on_bytes: Callable[[int, int | None], None] | None = None,
) -> Fetched:
    """Download a prefecture's boundaries, check and keep them; what is kept is not downloaded again.

    Args:
        prefecture: two digits.
        folder: where files are kept; made where it is missing.
        pattern: address with `{year}` and `{prefecture}` in it.
        year: of the edition, which describes 1 January; None takes the newest that there is of this
            year's and the last one's.
        again: download even if a file is kept already.
        today: to know what year it is.
        on_bytes: told how many bytes have come, and of how many where that is known.

    Raises:
        FetchError: there is no network, the publisher answers something else, or the file is not what
            was asked for. What was kept before is as it was.
    """
    this_year = (today or date.today()).year  # noqa: DTZ011 - a year is enough
    if year is not None and not FIRST_YEAR <= year <= this_year + 1:
        raise FetchError(f"edition {year} is none of {FIRST_YEAR} to {this_year}")
    years = [year] if year is not None else [this_year, this_year - 1]
    urls = [_address(pattern, one, prefecture) for one in years]
    if not again:
        for url in urls:
            path = folder / _name_of(url)
            if path.is_file():
                return _kept(path, url, prefecture)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        return _fetched(urls, folder, prefecture, on_bytes)
    except OSError as error:
        raise FetchError(
            f"{folder} can't be written ({error.strerror or error}): set TSUJI_HOME to a folder that you "
            "own, with room for the file"
        ) from error


def _fetched(
    urls: Sequence[str],
    folder: Path,
    prefecture: str,
    on_bytes: Callable[[int, int | None], None] | None,
) -> Fetched:
    """The first of some files that the publisher has."""
    *earlier, last = urls
    for url in earlier:
        with contextlib.suppress(_NoSuchFileError):
            return _fetch(url, folder, prefecture, on_bytes)
    return _fetch(last, folder, prefecture, on_bytes)


def _fetch(
    url: str, folder: Path, prefecture: str, on_bytes: Callable[[int, int | None], None] | None
) -> Fetched:
    """Download one file, and keep it once it has been checked."""
    with tempfile.TemporaryDirectory(prefix=_DRAFT, dir=folder) as draft:
        path = Path(draft) / _name_of(url)
        size = _download(url, path, on_bytes)
        boundaries = _checked(path, url, prefecture)
        kept = path.replace(folder / path.name)
    return Fetched(path=kept, url=url, size=size, is_new=True, boundaries=boundaries)


def _address(pattern: str, year: int, prefecture: str) -> str:
    """Where an edition is.

    Raises:
        FetchError: the pattern can't be used.
    """
    try:
        url = pattern.format(year=year, prefecture=prefecture)
        parts = urlsplit(url)
        _ = parts.port
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise FetchError(
            f"TSUJI_N03_URL {quote(pattern)} can't be used ({error}); it takes {{year}} and "
            "{prefecture}, such as https://example.org/N03-{year}0101_{prefecture}_GML.zip"
        ) from error
    _check_scheme(url)
    if not _FILE_NAME.fullmatch(_name_of(url)):
        raise FetchError(f"address {quote(url, 200)} must end in the name of a .zip file")
    return url


def _check_scheme(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return
    raise FetchError(
        f"address {quote(url, 200)} must begin with https:// (http:// is for this machine itself)"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _name_of(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2]


def _kept(path: Path, url: str, prefecture: str) -> Fetched:
    try:
        boundaries = _checked(path, url, prefecture)
    except FetchError as error:
        raise FetchError(f"{error}. It was kept from before: --again downloads it anew") from error
    return Fetched(
        path=path, url=url, size=path.stat().st_size, is_new=False, boundaries=boundaries
    )


def _clear(folder: Path) -> None:
    """Remove what downloads left that were killed."""
    for left in folder.glob(f"{_DRAFT}*"):
        if left.stat().st_mtime < time.time() - _LEFTOVER_S:
            shutil.rmtree(left, ignore_errors=True)


def _checked(path: Path, url: str, prefecture: str) -> AreaImport:
    """The boundaries in a file.

    Raises:
        FetchError: it can't be read, or holds another prefecture's.
    """
    try:
        boundaries = read_boundaries(path)
    except AreaError as error:
        raise FetchError(f"what came from {url} is not what was asked for: {error}") from error
    others = sorted(
        {area.code for area in boundaries.area_set.areas if area.code[:2] != prefecture}
    )
    if others:
        name = PREFECTURES[prefecture][1]
        raise FetchError(
            f"what came from {url} holds {', '.join(others[:5])}, which are not in prefecture "
            f"{prefecture} ({name})"
        )
    return boundaries


def _download(url: str, path: Path, on_bytes: Callable[[int, int | None], None] | None) -> int:
    """Write what is at an address to a file; returns its size.

    Raises:
        FetchError: see `fetch_boundaries`.
    """
    with _answer(url) as answer, path.open("wb") as file:
        total = _length(answer)
        if total is not None and total > MAX_BYTES:
            raise _too_large(url)
        size, deadline, head = 0, time.monotonic() + WHOLE_S, b""
        for piece in answer.iter_bytes():
            size += len(piece)
            if size > MAX_BYTES:
                raise _too_large(url)
            if time.monotonic() > deadline:
                raise FetchError(
                    f"{url} did not come within {WHOLE_S:.0f} s ({size:,} bytes did): try again later, or "
                    + _ADVICE.format(url="it")
                )
            head = (head + piece)[:4] if len(head) < 4 else head
            file.write(piece)
            if on_bytes is not None:
                on_bytes(size, total)
        if not head.startswith(b"PK"):
            kind = answer.headers.get("content-type", "of an unknown kind")
            raise FetchError(
                f"{answer.url.host} answers {size:,} bytes {quote(kind)}, no zip file: is a sign-in or a "
                f"maintenance page between? Try again later, or {_ADVICE.format(url=url)}"
            )
    return size


@contextlib.contextmanager
def _answer(url: str) -> Iterator[httpx.Response]:
    def check(request: httpx.Request) -> None:
        _check_scheme(str(request.url))

    limits = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
    host = urlsplit(url).hostname
    try:
        with (
            httpx.Client(
                timeout=limits,
                follow_redirects=True,
                max_redirects=_MAX_REDIRECTS,
                event_hooks={"request": [check]},
                headers={"User-Agent": "tsuji", "Accept-Encoding": "identity"},
            ) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code in (404, 410):
                raise _NoSuchFileError(
                    f"{host} has no file {url}: name another edition with --year (they are as of 1 "
                    "January and come out some months later), or another address with TSUJI_N03_URL"
                )
            if answer.status_code != 200:
                raise FetchError(
                    f"{host} answers {answer.status_code} {answer.reason_phrase} for {url}: try again "
                    f"later, or {_ADVICE.format(url='it')}"
                )
            yield answer
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        told = str(error) or type(error).__name__
        raise FetchError(
            f"{host} can't be reached, or the connection was lost ({told}): is there a network here? If "
            f"not, {_ADVICE.format(url=url)}"
        ) from error


def _length(answer: httpx.Response) -> int | None:
    text = answer.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdecimal() else None


def _too_large(url: str) -> FetchError:
    return FetchError(
        f"{url} is larger than {MAX_BYTES:,} bytes, so it is no prefecture's boundaries"
    )
