"""Whether what listens on a port is a service of Tsuji: one that serves there is not in anybody's way."""

import http.client
import json
from contextlib import closing

_ASKED = {"ingest": "/health", "api": "/v1/figures", "dashboard": "/hub/health"}
"""What each answers as nothing else does; the data API without its database."""
_SAID = {"ingest": "ingest_id", "api": "links", "dashboard": "version"}
_HERE = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1", "": "127.0.0.1"}  # noqa: S104 - what others listen on
_PATIENCE_S = 10.0
_LONGEST = 1_000_000


def serves(service: str, host: str, port: int) -> bool:
    """Ask it.

    Args:
        service: `ingest`, `api` or `dashboard`.
        host: address that it would listen on.
        port: its port.
    """
    try:
        connection = http.client.HTTPConnection(_HERE.get(host, host), port, timeout=_PATIENCE_S)
        with closing(connection):
            connection.request("GET", _ASKED[service])
            said = json.loads(connection.getresponse().read(_LONGEST))
    except (OSError, http.client.HTTPException, ValueError):
        return False
    return isinstance(said, dict) and _SAID[service] in said
