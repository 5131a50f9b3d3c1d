"""What an export is, for those who find it years later."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

from tsuji_platform.exports.rows import MEANINGS, TOLD, unit_of
from tsuji_platform.store.cover import DAY, FIVE_MINUTES, HOUR, RAW
from tsuji_platform.store.export import Export

STEPS: dict[str, timedelta] = {"raw": RAW, "5min": FIVE_MINUTES, "1h": HOUR, "1day": DAY}
"""What the rows may be, by the names that users give."""

_OF_QUALITY = {"good": "without flags", "flagged": "with flags"}


def about(found: Export, licence: str) -> dict[str, Any]:
    """Its metadata: time, columns with meanings, units, owners and credits.

    Args:
        found: the export.
        licence: under which the observations are passed on; empty where that is not known.
    """
    names = sorted({one.observed_property for one in found.streams})
    told: dict[str, Any] = {
        "made_by": f"Tsuji {version('tsuji')}",
        "made_at": text_of(datetime.now(UTC)),
        "step": next(name for name, width in STEPS.items() if width == found.width),
        "after": text_of(min(found.start, found.end)),  # no step may have been over by then
        "until": text_of(found.end),
        "columns": MEANINGS
        if found.gate
        else {name: said for name, said in MEANINGS.items() if name not in TOLD},
        "units": {name: unit_of(name) for name in names},
        "owners_of_the_things": found.owners,
        "licence": licence or "not stated: ask the owners",
    }
    if found.quality != "all":
        told["quality"] = (
            f"{found.quality}: only observations {_OF_QUALITY[found.quality]} are in it, by the rules of "
            "this version"
        )
    if found.gate:
        told["small_counts"] = (
            f"counts of people above 0 and below {found.gate.small} are withheld: null, `suppressed`"
        )
    if found.area_credit is not None:
        source, terms = found.area_credit
        told["credit_for_the_areas"] = {"source": source, "licence": terms}
    return told


def text_of(time: datetime) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
