"""Derived figures of an area set, kept small on their way to browsers: texts once, and only what changed."""

from collections.abc import Mapping
from typing import Any

import orjson

ON_MAP = ("percent_of_typical", "level_of_service", "wbgt", "pm2_5_day_mean")
"""The derived figures that colour the map: those asked for."""


class DerivedState:
    """What browsers know of an area set's derived figures.

    Texts (bands, reasons) stand in a list, and values name them by their place in it. Areas of which
    nothing is known are left out: nothing stands there.
    """

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], int] = {}
        self._areas: dict[str, dict[str, Any]] = {}
        self._time: str | None = None

    def take(self, body: Mapping[str, Any]) -> bytes:
        """Take the API's answer; returns what changed, as the body of a `derived` event.

        Raises:
            ValueError: where the answer isn't of the agreed form.
        """
        try:
            areas = {it["code"]: self._area(it["derived"]) for it in body["areas"]}
            time = body["time"]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"derived figures: {error!r}") from error
        changed = {code: its for code, its in areas.items() if self._areas.get(code) != its}
        self._areas, self._time = areas, time
        return self._packed(changed)

    def whole(self) -> bytes | None:
        """All that is known; None before anything is."""
        return None if self._time is None else self._packed(self._areas)

    def _packed(self, areas: Mapping[str, Any]) -> bytes:
        return orjson.dumps({"time": self._time, "texts": list(self._texts), "areas": areas})

    def _area(self, derived: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._value(derived[name]) for name in ON_MAP if name in derived}

    def _value(self, it: Mapping[str, Any]) -> dict[str, Any]:
        band = it["band"]
        small = {
            "value": it["value"],
            "band": None if band is None else self._text(band["label"], band["label_ja"]),
            "why": self._text(it["reason"], it["reason_ja"]) if it["reason"] else None,
            "rule": it["rule"],
            "estimated": it["estimated"],
            "state": it.get("state"),
        }
        return {key: value for key, value in small.items() if value is not None}

    def _text(self, english: str, japanese: str) -> int:
        return self._texts.setdefault((english, japanese), len(self._texts))
