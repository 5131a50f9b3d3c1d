"""What browsers must not do with the dashboard's pages, and whom these may ask."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from tsuji_platform.guarded import ALWAYS

LONGEST_BODY = 1_000_000
"""Bytes of what Dash's own script sends of a page, to have a part of it made anew."""
_HOST = re.compile(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:.]+\](:\d+)?", re.ASCII)
GUARD = {**ALWAYS, "Referrer-Policy": "same-origin"}
"""Of what answers before a page has a policy of its own, and what pages have besides."""


def content_policy(tiles_url: str, scripts: Sequence[str] = ()) -> str:
    """No host but this one, and the tile server for pictures; no code but ours, and none evaluated.

    Args:
        tiles_url: the setting.
        scripts: hashes of those within pages, which are Dash's own.
    """
    tiles = _source(tiles_url)
    ours = " ".join(("'self'", *scripts))
    return (
        f"default-src 'self'; script-src {ours}; "
        "style-src 'self' 'unsafe-inline'; "  # of map and charts
        f"img-src 'self' data: blob:{tiles and f' {tiles}'}; connect-src 'self'; object-src 'none'; "
        "base-uri 'self'; form-action 'self'"
    )


def _source(tiles_url: str) -> str:
    """Whose pictures those are, as a policy has it; empty where they are ours, or nobody's."""
    try:
        parts = urlsplit(tiles_url.replace("{s}", "a"))  # as the map does
    except ValueError:  # no address at all
        return ""
    host = parts.netloc.rpartition("@")[2]
    if not _HOST.fullmatch(host):
        return ""
    return f"{parts.scheme}://{host}" if parts.scheme else host
