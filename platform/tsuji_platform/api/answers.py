"""One answer in the format that its caller wants, with the address of the page behind it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

import orjson
from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel

from tsuji_platform.api.formats import MEDIA_TYPES, PLACES, ROWS, Format, choose, media_type
from tsuji_platform.exports import csvw
from tsuji_platform.exports.tables import Table

LIVE = "no-cache"
"""May be kept, and is asked for again each time: what has not changed is answered by 304."""
SELDOM = "max-age=60"
"""Changes when somebody imports something."""
FIXED = "max-age=3600"
"""Changes with the version."""

_FORMAT = Query(alias="format", description="instead of the header `Accept`", examples=["csv"])
Bom = Annotated[
    bool,
    Query(description="CSV begins with a mark, by which spreadsheets know UTF-8", examples=[True]),
]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a request wants besides its resource.

    Attributes:
        request: as it came.
        format: of the answer.
        bom: whether CSV begins with a mark.
    """

    request: Request
    format: Format
    bom: bool = False

    def address(self, **changed: Any) -> str:
        """The same request with other parameters, as a path; those that are None are left out."""
        kept = [pair for pair in self.request.query_params.multi_items() if pair[0] not in changed]
        kept += [(name, str(value)) for name, value in changed.items() if value is not None]
        path = quote(str(self.request.scope["path"]), safe="/:,")
        return path + ("?" + urlencode(kept, safe=":,/") if kept else "")

    def answer(
        self,
        body: BaseModel,
        table: Callable[[], Table] | None = None,
        *,
        cache: str = LIVE,
        is_sparse: bool = False,
        moves: str = "",
    ) -> Response:
        """The answer.

        Args:
            body: as JSON; its `next`, where it has one, leads on in every format.
            table: the same in rows; made only where it is wanted, left out where it is not.
            cache: how long it may be kept, see above.
            is_sparse: leave out what was not set.
            moves: a text of the body that is another one each time, and means no change.
        """
        next_ = getattr(body, "next", None)
        headers = {"Cache-Control": cache} | ({"Link": f'<{next_}>; rel="next"'} if next_ else {})
        if self.format is not Format.JSON and table is not None:
            return rows(self, table(), headers)
        content = body.model_dump_json(exclude_unset=is_sparse, by_alias=True).encode()
        answer = Response(content, headers=headers, media_type="application/json")
        if moves:
            self.request.state.validated = content.replace(moves.encode(), b"", 1)
        return answer


def rows(wanted: Wanted, table: Table, headers: dict[str, str]) -> Response:
    """A table in any format but JSON."""
    name = wanted.request.scope["path"].rstrip("/").rpartition("/")[2].partition(".")[0]
    if wanted.format is Format.CSV:
        content = table.to_csv(bom=wanted.bom)
        headers = headers | described_by(wanted, headers.get("Link", ""))
    elif wanted.format is Format.CSV_METADATA:
        content = orjson.dumps(
            csvw.document(wanted.address(format="csv"), table.columns, table.about)
        )
    elif wanted.format is Format.PARQUET:
        content = table.to_parquet()
    elif wanted.format is Format.GEOJSON:
        content = table.to_geojson()
    else:
        content = table.to_json_lines()
    if wanted.format in (Format.CSV, Format.PARQUET):
        file = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)
        headers["Content-Disposition"] = f'attachment; filename="{file}.{wanted.format.value}"'
    return Response(content, headers=headers, media_type=MEDIA_TYPES[wanted.format])


def described_by(wanted: Wanted, links: str = "") -> dict[str, str]:
    """Where the columns of a CSV are described, beside other links (RFC 8288)."""
    address = wanted.address(format="csvw", bom=None)
    link = f'<{address}>; rel="describedby"; type="application/csvm+json"'
    return {"Link": f"{links}, {link}" if links else link}


def _wanted(
    request: Request, format_: str | None, bom: bool, offered: tuple[Format, ...]
) -> Wanted:
    accept = ",".join(request.headers.getlist("accept"))
    chosen = choose(None if format_ is None else Format(format_), accept, offered)
    return Wanted(request=request, format=chosen, bom=bom)


async def _rows(
    request: Request,
    format_: Annotated[Literal["json", "jsonl", "csv", "csvw", "parquet"] | None, _FORMAT] = None,
    bom: Bom = False,
) -> Wanted:
    return _wanted(request, format_, bom, ROWS)


async def _places(
    request: Request,
    format_: Annotated[
        Literal["json", "geojson", "jsonl", "csv", "csvw", "parquet"] | None, _FORMAT
    ] = None,
    bom: Bom = False,
) -> Wanted:
    return _wanted(request, format_, bom, PLACES)


async def _shapes(
    request: Request,
    format_: Annotated[
        Literal["geojson", "json", "jsonl", "csv", "csvw", "parquet"] | None, _FORMAT
    ] = None,
    bom: Bom = False,
) -> Wanted:
    wanted = _wanted(request, format_, bom, SHAPES)
    if format_ is None and wanted.format is Format.JSON:
        return replace(
            wanted, format=Format.GEOJSON
        )  # it is JSON: GDAL, and so QGIS, asks for it like that
    return wanted


SHAPES = (Format.GEOJSON, *ROWS)
"""As `PLACES`, GeoJSON first of all."""
RowsDep = Annotated[Wanted, Depends(_rows)]
PlacesDep = Annotated[Wanted, Depends(_places)]
ShapesDep = Annotated[Wanted, Depends(_shapes)]


def offered(formats: tuple[Format, ...] = ROWS) -> dict[int | str, dict[str, Any]]:
    """The formats of a resource for the OpenAPI document, without the one that its model describes."""
    others: dict[str, Any] = {media_type(one): _SCHEMAS.get(one, {}) for one in formats[1:]}
    return {200: {"content": others}}


_OBJECT = {"schema": {"type": "object"}}
_SCHEMAS: dict[Format, dict[str, Any]] = {
    Format.JSON: _OBJECT,
    Format.GEOJSON: _OBJECT,
    Format.CSV_METADATA: _OBJECT,
}
