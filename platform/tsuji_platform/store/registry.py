"""Which datastreams things have, remembered for as long as nobody changes that."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from tsuji_platform.contract import Observation, Reason
from tsuji_platform.contract.readings import Reading, count_places
from tsuji_platform.store import queries
from tsuji_platform.store.database import Connection

_SQL = queries.load("writing")
_COMBINATIONS = 100_000
"""Of a thing and properties that come together: so many are remembered."""


class Place(NamedTuple):
    """Where the values of a reading belong.

    Attributes:
        datastream_ids: in the order of the values.
        counts: which of them are counts, by their place.
    """

    datastream_ids: Sequence[int]
    counts: Sequence[int]


class Registry:
    """What one connection has looked up; true within a transaction that began with `renew`."""

    def __init__(self) -> None:
        self._keys: dict[str, dict[str, int]] = {}
        self._places: dict[tuple[str, tuple[str, ...]], Place] = {}
        self._version: int | None = None

    def forget(self) -> None:
        """Know nothing any more."""
        self._keys.clear()
        self._places.clear()
        self._version = None

    def renew(self, connection: Connection) -> None:
        """Look up anew what others have registered or taken back since the last look."""
        row = connection.execute(_SQL["registry_version"]).fetchone()
        version = None if row is None else row["version"]
        if version != self._version:
            self.forget()
            self._version = version

    def learn(self, connection: Connection, thing_ids: Collection[str]) -> None:
        """Look up the declared datastreams of these things."""
        if not thing_ids:
            return
        for thing_id in thing_ids:
            self._keys.pop(thing_id, None)
        self._places.clear()
        for row in connection.execute(_SQL["datastream_keys"], {"thing_ids": sorted(thing_ids)}):
            keys = self._keys.setdefault(row["thing_id"], {})
            if row["datastream_id"] is not None:
                keys[row["observed_property"]] = row["datastream_id"]

    def find(self, thing_id: str, observed_property: str) -> int | Reason:
        """A datastream, or why there is none."""
        keys = self._keys.get(thing_id)
        if keys is None:
            return Reason.UNREGISTERED_THING
        return keys.get(observed_property, Reason.UNDECLARED_DATASTREAM)

    def find_of(self, one: Observation) -> int | Reason:
        """The datastream of an observation, or why there is none."""
        return self.find(one.thing_id, one.observed_property)

    def place(self, reading: Reading) -> Place | None:
        """Where the values of a reading belong; None where that is not known of all of them."""
        combination = reading.thing_id, reading.observed_properties
        place = self._places.get(combination)
        if place is None:
            keys = self._keys.get(reading.thing_id)
            if keys is None or not all(name in keys for name in reading.observed_properties):
                return None
            if len(self._places) >= _COMBINATIONS:
                self._places.clear()
            place = self._places[combination] = Place(
                [keys[name] for name in reading.observed_properties],
                count_places(reading.observed_properties),
            )
        return place

    def known_part(self, reading: Reading) -> tuple[Reading, dict[Reason, list[str]]]:
        """The values of a reading that have a datastream, and why the others have none."""
        known: list[int] = []
        unknown: dict[Reason, list[str]] = {}
        for place, name in enumerate(reading.observed_properties):
            found = self.find(reading.thing_id, name)
            if isinstance(found, Reason):
                unknown.setdefault(found, []).append(name)
            else:
                known.append(place)
        return reading.only(known), unknown
