"""Which query parameters a resource has, for those who judge requests and those who say what is wrong."""

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from fastapi import params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

_FOUND = "tsuji_parameters"
_REPEATED = "tsuji_repeated_parameters"
"""Kept with the route, which lives as long as its application."""


def parameters(route: APIRoute) -> Mapping[str, Any]:
    """The query parameters of a resource by name, each with an example; None where it has none."""
    found: dict[str, Any] | None = getattr(route, _FOUND, None)
    if found is not None:
        return found
    found = {}
    for field in get_flat_params(route.dependant):
        info = field.field_info
        if isinstance(info, params.Query):
            found[field.alias] = (info.examples or [None])[0]
    setattr(route, _FOUND, found)
    return found


def repeated(route: APIRoute) -> frozenset[str]:
    """Those query parameters of a resource that may be given several times."""
    found: frozenset[str] | None = getattr(route, _REPEATED, None)
    if found is None:
        found = frozenset(
            field.alias
            for field in get_flat_params(route.dependant)
            if _is_list(field.field_info.annotation)
        )
        setattr(route, _REPEATED, found)
    return found


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(_is_list, get_args(annotation)))
