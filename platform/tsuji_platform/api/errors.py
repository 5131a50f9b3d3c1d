"""One table from what can go wrong to what the caller reads (RFC 9457 problem details)."""

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from tsuji_platform.api.parameters import parameters
from tsuji_platform.api.wording import worded
from tsuji_platform.insight.logs import request_id, within
from tsuji_platform.store import (
    DatabaseAwayError,
    RowRefusedError,
    SchemaError,
    TookTooLongError,
    TooMuchError,
)

_log = logging.getLogger(__name__)


class NotFoundError(Exception):
    """There is nothing under this id."""

    def __init__(self, noun: str, key: str, where: str) -> None:
        super().__init__(f"there is no {noun} {key!r}; {where} lists what there is")


class UnauthorizedError(Exception):
    """This needs a key, or the key opens nothing; the text says what would."""


class ForbiddenError(Exception):
    """The key lacks the scope; the text names it."""


class NotAcceptableError(Exception):
    """None of the formats that the caller takes is one of ours; the text lists ours."""


class TooManyError(Exception):
    """This caller has as much under way as one may have; the text says of what."""


class BusyError(Exception):
    """Not now; the text says why."""


class BadParameterError(ValueError):
    """A parameter can't be used; the text names it, its value and a good one.

    Args:
        text: what the caller reads; begins with the parameter's name, where nothing else is said.
        parameter: its name.
    """

    def __init__(self, text: str, *, parameter: str = "") -> None:
        super().__init__(text)
        self.parameter = parameter or text.partition(" ")[0].rstrip(":")


_TABLE: dict[type[Exception], HTTPStatus] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    UnauthorizedError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    NotAcceptableError: HTTPStatus.NOT_ACCEPTABLE,
    BadParameterError: HTTPStatus.UNPROCESSABLE_ENTITY,
    RowRefusedError: HTTPStatus.UNPROCESSABLE_ENTITY,  # nothing is written here: it is a parameter
    TooMuchError: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooManyError: HTTPStatus.TOO_MANY_REQUESTS,
    TookTooLongError: HTTPStatus.GATEWAY_TIMEOUT,
    BusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    DatabaseAwayError: HTTPStatus.SERVICE_UNAVAILABLE,
    SchemaError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_SCHEMA = {
    "title": "Problem",
    "description": "problem details (RFC 9457)",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "always about:blank: the status says which kind it is",
        },
        "title": {"type": "string", "description": "the status in words"},
        "status": {"type": "integer", "description": "of HTTP"},
        "detail": {"type": "string", "description": "what is wrong, and what would be right"},
        "errors": {
            "type": "array",
            "description": "the parameters that can't be used; left out where it is none",
            "items": {
                "type": "object",
                "required": ["parameter", "detail"],
                "properties": {
                    "parameter": {"type": "string", "description": "its name"},
                    "detail": {"type": "string", "description": "what is wrong with it"},
                    "example": {"description": "a value that has the right form"},
                },
            },
        },
    },
}

DESCRIBED: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/problem+json": {"schema": _SCHEMA}}}
    for status, text in (
        (401, "the key that was shown opens nothing"),
        (403, "the key that was shown lacks the scope"),
        (404, "there is nothing under this id"),
        (406, "none of the formats that the caller takes is one of ours"),
        (422, "a parameter can't be used"),
        (429, "more requests or downloads at once than the caller may have; see `Retry-After`"),
        (503, "the database can't serve now; try again"),
        (504, "it took too long; ask for less"),
    )
}
"""The same table for the OpenAPI document."""


def problem(
    status: int,
    detail: str,
    headers: dict[str, str] | None = None,
    errors: Sequence[Mapping[str, Any]] = (),
) -> Response:
    """An `application/problem+json` answer.

    Args:
        status: of HTTP.
        detail: what is wrong, and what would be right.
        headers: besides those that all answers have.
        errors: the parameters that are wrong, each with what is wrong and an example.
    """
    title = HTTPStatus(status).phrase
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    body |= {"detail": detail} | ({"errors": list(errors)} if errors else {})
    return Response(
        orjson.dumps(body), status, headers=headers, media_type="application/problem+json"
    )


def install(app: FastAPI) -> None:
    """Register the handlers of the table."""
    for kind, status in _TABLE.items():
        app.add_exception_handler(kind, _answering(status))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _defect)


def _answering(status: HTTPStatus) -> Callable[[Request, Exception], Response]:
    def handle(request: Request, error: Exception) -> Response:
        if isinstance(error, BadParameterError):
            wrong = _wrong(request, error.parameter, str(error))
            return problem(status, str(error), errors=[wrong] if wrong else [])
        if isinstance(error, BusyError | TooManyError):
            return problem(status, str(error), {"Retry-After": "5"})
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            _log.warning("%s", error)
            return problem(status, "the database can't serve now; try again", {"Retry-After": "5"})
        if status is HTTPStatus.GATEWAY_TIMEOUT:
            _log.warning("%s", error)
            return problem(
                status,
                "the answer took longer than the hub's limit (TSUJI_QUERY_SECONDS): ask for a shorter "
                "time, a longer step or fewer things; right after an import rollups may not be ready yet",
            )
        if isinstance(error, UnauthorizedError):
            return problem(status, str(error), {"WWW-Authenticate": "Bearer"})
        if isinstance(error, RowRefusedError):
            name = next((it for it, text in request.query_params.items() if "\x00" in text), "")
            detail = (
                f"{name or 'a parameter'} holds a character or a value that can't be looked up, "
                "such as NUL"
            )
            wrong = _wrong(request, name, detail)
            return problem(status, detail, errors=[wrong] if wrong else [])
        return problem(status, str(error))

    return handle


def _wrong(request: Request, name: str, detail: str) -> dict[str, Any]:
    """One wrong parameter; empty where it is none of the resource's, and was not in the query."""
    route = request.scope.get("route")
    known = parameters(route) if isinstance(route, APIRoute) else {}
    if name not in known and name not in request.query_params:
        return {}
    example = known.get(name)
    return {"parameter": name[:80], "detail": detail} | ({"example": example} if example else {})


def _invalid(request: Request, error: Exception) -> Response:
    details, wrong = [], []
    if isinstance(error, RequestValidationError):
        for one in error.errors():
            name = str(one["loc"][1])  # of one that may be repeated its place would follow
            given = "" if one["type"] == "missing" else f", got {one.get('input')!r:.80}"
            details.append(f"{one['loc'][0]} parameter {name!r} {worded(one)}{given}")
            wrong.append(_wrong(request, name, details[-1]))
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(details), errors=[it for it in wrong if it]
    )


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    if detail == HTTPStatus.NOT_FOUND.phrase:
        detail = f"there is nothing at {request.url.path!r:.120}; /v1 lists what there is"
    elif detail == HTTPStatus.METHOD_NOT_ALLOWED.phrase:
        detail = f"{request.method:.20} is not possible here: this API is read, by GET and HEAD"
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return problem(status, detail, headers)


def _defect(request: Request, error: Exception) -> Response:
    known = str(request.scope.get("request_id", ""))
    with within(request_id, known):
        _log.error("a defect was met in %s %s", request.method, request.url.path, exc_info=error)
    return problem(
        500,
        "a defect of the hub; it is written in its log",
        {"X-Request-ID": known} if known else {},
    )
