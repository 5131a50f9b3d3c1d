"""Builds and parses the MQTT topics of all formats; no other module holds a topic literal."""

import re
from dataclasses import dataclass
from functools import lru_cache

from tsuji_platform.contract.rejection import Reason, RejectedError, quote

THING_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
"""A thing's id: 1–64 characters that are safe in topics, addresses and file names."""

_ROOT = "tsuji/v1/things"
THINGS_FILTER = f"{_ROOT}/+"
OBSERVATIONS_FILTER = f"{_ROOT}/+/observations"

_INGESTS = "tsuji/v1/ingests"
LEAVING_FILTER = f"{_INGESTS}/+/leaving"

_LATEST = "tsuji/v1/latest"
LATEST_FILTER = f"{_LATEST}/+/+"
_ALERTS = "tsuji/v1/alerts"
ALERTS_FILTER = f"{_ALERTS}/+"

DROPPED = "$SYS/broker/publish/messages/dropped"
"""Where Mosquitto says how many messages it had no room for."""

_SENSORTHINGS = "v1.1"
SENSORTHINGS_FILTERS = (f"{_SENSORTHINGS}/Observations", f"{_SENSORTHINGS}/+/Observations")
"""Where SensorThings clients create observations; a wildcard stands for a whole level only."""
_DATASTREAM = re.compile(r"Datastreams\((?:'([^']*)'|([^']*))\)")

UPLINKS_FILTER = "v3/+/devices/+/up"
"""Where The Things Stack publishes what devices send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A parsed topic: whose it is, and whether it carries observations or the thing itself."""

    thing_id: str
    is_observations: bool


def check_thing_id(thing_id: str) -> str:
    """Return the id unchanged, or raise `RejectedError` (`bad_thing`) where it is not one."""
    if not THING_ID.fullmatch(thing_id):
        raise RejectedError(
            Reason.BAD_THING,
            f"thing id {quote(thing_id)} must be 1 to 64 of A-Z a-z 0-9 . _ : - and begin with a "
            "letter or digit",
        )
    return thing_id


USERS_TOPIC = "$CONTROL/dynamic-security/v1"
"""Where Mosquitto's dynamic security plugin takes commands."""
USERS_ANSWERS_TOPIC = f"{USERS_TOPIC}/response"
USERS_FILTER = f"{USERS_TOPIC}/#"
RECORDED_FILTER = "#"
"""Everything but what begins with $."""


def topics_of_user(user: str) -> tuple[str, ...]:
    """Topics on which a thing publishes, for a broker that puts the user's name in the place of `user`."""
    return f"{_ROOT}/{user}", f"{_ROOT}/{user}/observations"


def thing_topic(thing_id: str) -> str:
    """Topic of the retained message that says what the thing is."""
    return f"{_ROOT}/{check_thing_id(thing_id)}"


def observations_topic(thing_id: str) -> str:
    """Topic on which the thing publishes its observations."""
    return f"{_ROOT}/{check_thing_id(thing_id)}/observations"


@lru_cache(maxsize=16_384)  # only what is good is kept, and that is short
def parse_topic(topic: str) -> Topic:
    """Parse a topic.

    Raises:
        RejectedError: `unknown_topic` where it is none of ours, `bad_thing` where the id is no id.
    """
    parts = topic.split("/")
    if parts[:3] != _ROOT.split("/") or not (
        len(parts) == 4 or (len(parts) == 5 and parts[4] == "observations")
    ):
        raise RejectedError(
            Reason.UNKNOWN_TOPIC,
            f"topic {quote(topic)} is neither {THINGS_FILTER} nor {OBSERVATIONS_FILTER}",
        )
    return Topic(thing_id=check_thing_id(parts[3]), is_observations=len(parts) == 5)


def leaving_topic(ingest_id: str) -> str:
    """Topic on which an ingest that leaves for good sends itself a mark."""
    return f"{_INGESTS}/{ingest_id}/leaving"


def is_thing_topic(topic: str) -> bool:
    """Whether this is the topic of a registration, whatever the thing's id."""
    return topic.startswith(f"{_ROOT}/") and topic.count("/") == _ROOT.count("/") + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DatastreamId:
    """A datastream as SensorThings names it: `thing_id:observed_property`.

    No observed property holds a colon, so the last one divides, whatever the thing's id holds.
    """

    thing_id: str
    observed_property: str

    def __str__(self) -> str:
        return f"{self.thing_id}:{self.observed_property}"

    @classmethod
    def parse(cls, text: str) -> "DatastreamId":
        """Read an id without its quotes.

        Raises:
            RejectedError: `bad_thing`.
        """
        thing_id, colon, observed_property = text.rpartition(":")
        if not colon:
            raise RejectedError(
                Reason.BAD_THING,
                f"datastream id {quote(text)} is not of the form thing_id:observed_property, such as "
                "pole-001:air_temperature",
            )
        return cls(thing_id=check_thing_id(thing_id), observed_property=observed_property)


def datastream_observations_topic(datastream: DatastreamId) -> str:
    """Topic on which a SensorThings client creates observations of one datastream."""
    check_thing_id(datastream.thing_id)
    return f"{_SENSORTHINGS}/Datastreams('{datastream}')/Observations"


def parse_sensorthings_topic(topic: str) -> DatastreamId | None:
    """The datastream that a SensorThings topic names; None where the body has to name it.

    Raises:
        RejectedError: `unknown_topic` where it is none of these, `bad_thing` where the id is no id.
    """
    parts = topic.split("/")
    if parts[0] == _SENSORTHINGS and parts[-1] == "Observations":
        if len(parts) == 2:
            return None
        named = _DATASTREAM.fullmatch(parts[1])
        if len(parts) == 3 and named:
            return DatastreamId.parse(named[1] if named[1] is not None else named[2])
    raise RejectedError(
        Reason.UNKNOWN_TOPIC,
        f"topic {quote(topic)} is neither {SENSORTHINGS_FILTERS[0]} nor "
        f"{_SENSORTHINGS}/Datastreams('thing_id:observed_property')/Observations",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkTopic:
    """A parsed topic of The Things Stack; `tenant` is empty in its open source edition."""

    application: str
    tenant: str
    device: str


def parse_uplink_topic(topic: str) -> UplinkTopic:
    """Parse `v3/{application}@{tenant}/devices/{device}/up`.

    Raises:
        RejectedError: `unknown_topic`.
    """
    parts = topic.split("/")
    if len(parts) != 5 or (parts[0], parts[2], parts[4]) != ("v3", "devices", "up"):
        raise RejectedError(
            Reason.UNKNOWN_TOPIC,
            f"topic {quote(topic)} is not v3/application@tenant/devices/device/up",
        )
    application, _, tenant = parts[1].partition("@")
    return UplinkTopic(application=application, tenant=tenant, device=parts[3])


def latest_topic(thing_id: str, observed_property: str) -> str:
    """Topic on which the hub keeps the newest observation of a datastream, retained."""
    return f"{_LATEST}/{check_thing_id(thing_id)}/{observed_property}"


def alert_topic(alert_id: str) -> str:
    """Topic on which the hub says that an alert has begun (retained while it is on) or ended."""
    return f"{_ALERTS}/{alert_id}"
