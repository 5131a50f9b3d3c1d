"""Answers in GeoJSON (RFC 7946)."""

from typing import Any

import orjson
from starlette.responses import JSONResponse


class GeoJsonResponse(JSONResponse):
    """Its media type is that of GeoJSON, in the document as on the wire; takes bytes that are ready, too."""

    media_type = "application/geo+json"

    def render(self, content: Any) -> bytes:
        """What is sent."""
        return content if isinstance(content, bytes) else orjson.dumps(content)
