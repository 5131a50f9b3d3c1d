"""What is known of an area set, and what has changed of it since viewers were last told."""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one event says.

    Attributes:
        head: all but the two lists.
        areas: by code.
        things: by id.
    """

    head: dict[str, Any]
    areas: dict[str, Any]
    things: dict[str, Any]

    def encoded(self) -> bytes:
        """As the body of an event."""
        areas, things = list(self.areas.values()), list(self.things.values())
        return orjson.dumps({**self.head, "areas": areas, "things": things})


class Changes:
    """Changes that are told together: of each area and thing the newest."""

    def __init__(self) -> None:
        self._told: Told | None = None

    def take(self, told: Told) -> None:
        """One more."""
        before = self._told
        if before is None:
            self._told = told
            return
        self._told = Told(
            head={**before.head, **told.head},
            areas={**before.areas, **told.areas},
            things={**before.things, **told.things},
        )

    def hand_over(self) -> bytes | None:
        """All of them as the body of one event, and begin anew; None where there are none."""
        told, self._told = self._told, None
        return None if told is None else told.encoded()


class HubClock:
    """What time it is at the hub, by the last that it sent: what is kept of it may be minutes old."""

    def __init__(self) -> None:
        self._told: tuple[datetime, float] | None = None

    def take(self, heartbeat: bytes | str) -> bool:
        """Take a heartbeat as it has just come; one that tells no time is none.

        Returns:
            Whether it is the first to tell.
        """
        try:
            return self.learn(orjson.loads(heartbeat)["time"])
        except (ValueError, KeyError, TypeError):
            return False

    def learn(self, told: Any) -> bool:
        """Learn from the time, RFC 3339, of what has just come; returns whether it is the first to tell."""
        try:
            moment = datetime.fromisoformat(told)
        except (ValueError, TypeError):
            return False
        if moment.tzinfo is None:
            return False
        first = self._told is None
        self._told = moment, time.monotonic()
        return first

    def now(self) -> dict[str, str]:
        """`time` for the body of an event, RFC 3339; empty before it is known."""
        if self._told is None:
            return {}
        told, at_s = self._told
        with suppress(OverflowError):
            now = told + timedelta(seconds=time.monotonic() - at_s)
            return {"time": now.isoformat(timespec="milliseconds")}
        return {}


class AreaState:
    """What is known of one area set: the last snapshot with every change since merged in."""

    def __init__(self) -> None:
        self._head: dict[str, Any] | None = None
        self._areas: dict[str, Any] = {}
        self._things: dict[str, Any] = {}
        self._encoded: bytes | None = None

    def take(self, event: str, data: bytes | str) -> "Told":
        """Take a `snapshot` or `change` event; returns what it says.

        Raises:
            ValueError: where `data` isn't a JSON object of the agreed form.
        """
        body = orjson.loads(data)
        if not isinstance(body, dict):
            raise ValueError(f"live event {event!r} holds {type(body).__name__}, not an object")
        try:
            areas = {area["code"]: area for area in body.pop("areas", [])}
            things = {thing["id"]: thing for thing in body.pop("things", [])}
        except (KeyError, TypeError) as error:
            raise ValueError(f"live event {event!r}: {error!r}") from error
        if event == "snapshot":
            self._areas, self._things = {}, {}
        self._areas.update(areas)
        self._things.update(things)
        for code in [code for code, area in areas.items() if not area.get("figures")]:
            del self._areas[code]
        self._head = {**(self._head or {}), **body}
        self._encoded = None
        return Told(head=body, areas=areas, things=things)

    def snapshot(self) -> bytes | None:
        """The whole state as the body of a `snapshot` event; None before the first one came."""
        if self._encoded is None and self._head is not None:
            self._encoded = orjson.dumps(
                {
                    **self._head,
                    "areas": list(self._areas.values()),
                    "things": list(self._things.values()),
                }
            )
        return self._encoded
