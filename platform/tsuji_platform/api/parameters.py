"""Which query parameters a resource has, for those who judge requests and those who say what is wrong."""

from collections.abc import Mapping
from typing import Any

from fastapi import params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

_FOUND = "tsuji_parameters"
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
