"""Builds and parses Tsuji's MQTT topics; no other module holds a topic literal."""

import re
from dataclasses import dataclass

from tsuji_platform.contract.rejection import Reason, RejectedError, quote

THING_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
"""A thing's id: 1–64 characters that are safe in topics, addresses and file names."""

_ROOT = "tsuji/v1/things"
THINGS_FILTER = f"{_ROOT}/+"
OBSERVATIONS_FILTER = f"{_ROOT}/+/observations"
FILTERS = (THINGS_FILTER, OBSERVATIONS_FILTER)
"""What ingest subscribes to: registrations first, so that a fresh session knows the things early."""


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


def thing_topic(thing_id: str) -> str:
    """Topic of the retained message that says what the thing is."""
    return f"{_ROOT}/{check_thing_id(thing_id)}"


def observations_topic(thing_id: str) -> str:
    """Topic on which the thing publishes its observations."""
    return f"{_ROOT}/{check_thing_id(thing_id)}/observations"


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
