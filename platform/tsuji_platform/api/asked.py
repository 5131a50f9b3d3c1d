"""What a request may ask: parameters that its resource knows, in formats that it has.

A parameter that nobody looks at would otherwise seem to have been heeded: `?obsereved_property=rainfall`.
"""

from difflib import get_close_matches

from fastapi import Request
from fastapi.routing import APIRoute

from tsuji_platform.api.errors import BadParameterError, NotAcceptableError
from tsuji_platform.api.formats import weight
from tsuji_platform.api.parameters import parameters, repeated


async def only_what_is_known(request: Request) -> None:
    """A dependency of every resource.

    Raises:
        BadParameterError: for a query parameter that the resource has not, or has once and got twice.
        NotAcceptableError: the caller takes nothing that it could answer.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    known = parameters(route)
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}? It knows" if near else "this resource knows"
            there_are = ", ".join(sorted(known)) or "none"
            raise BadParameterError(
                f"query parameter {name!r:.80} is not known; {hint}: {there_are}", parameter=name
            )
    once = known.keys() - repeated(route)
    for name in once & request.query_params.keys():
        values = request.query_params.getlist(name)
        if len(values) > 1:
            raise BadParameterError(
                f"{name} is given {len(values)} times ({values[0]!r:.40}, {values[1]!r:.40}): give it once",
                parameter=name,
            )
    if "format" in known:
        return  # which says more of formats
    accept = ",".join(request.headers.getlist("accept"))
    offered = _offered(route)
    if offered and not any(_is_taken(accept, name) for name in offered):
        raise NotAcceptableError(
            f"none of {accept!r:.120} can be sent; there is: {', '.join(offered)}"
        )


def _is_taken(accept: str, name: str) -> bool:
    """Whether a caller takes a media type; who takes JSON takes what is written in it: GDAL asks so."""
    if name.endswith("+json") and weight(accept, "application/json")[0] > 0:
        return True
    return weight(accept, name)[0] > 0


def _offered(route: APIRoute) -> tuple[str, ...]:
    """The media types of a resource that has but one format."""
    said = (route.responses.get(200) or {}).get("content", {})
    kind = getattr(route.response_class, "media_type", None)
    if kind is None and route.response_model is not None:
        kind = "application/json"
    return tuple(dict.fromkeys([*([kind] if kind else []), *said]))
