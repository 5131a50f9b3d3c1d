"""What each kind of user may publish, subscribe to and receive, for Mosquitto's dynamic security plugin."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tsuji_platform.contract.topics import (
    ALERTS_FILTER,
    DROPPED,
    LATEST_FILTER,
    LEAVING_FILTER,
    OBSERVATIONS_FILTER,
    RECORDED_FILTER,
    SENSORTHINGS_FILTERS,
    THING_ID,
    THINGS_FILTER,
    UPLINKS_FILTER,
    USERS_FILTER,
    topics_of_user,
)

ADMIN = "admin"
"""The user who manages the others."""
_USER = "%u"
"""Stands for the user's name in a topic of the plugin's."""
_FEEDS = (THINGS_FILTER, OBSERVATIONS_FILTER, *SENSORTHINGS_FILTERS, UPLINKS_FILTER)


class Role(StrEnum):
    """What a user is for."""

    THING = "thing"
    """Publishes under its own name, and nothing else."""
    REPLAY = "replay"
    """Publishes for all things: simulators, replays, gateways."""
    READER = "reader"
    """Somebody else's service: reads what the hub publishes."""
    RECORDER = "recorder"
    """Reads everything, to record it."""
    INGEST = "ingest"
    """Reads all feeds, and publishes newest values and alerts."""
    ADMIN = "admin"
    """Manages users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Topic filters of one role.

    Attributes:
        publish: on what it may publish.
        receive: what it may be sent.
        subscribe: to what it may subscribe.
        bound: whether its client id is the user's name. A client id that is free can be another's:
            whoever takes it ends that one's session, and what the broker keeps for it is lost.
    """

    publish: tuple[str, ...] = ()
    receive: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    bound: bool = True


def _reads(*filters: str, publish: tuple[str, ...] = (), bound: bool = True) -> Rights:
    return Rights(publish=publish, receive=filters, subscribe=filters, bound=bound)


RIGHTS: Mapping[Role, Rights] = MappingProxyType(
    {
        Role.THING: _reads(*topics_of_user(_USER), publish=topics_of_user(_USER)),
        Role.REPLAY: Rights(publish=_FEEDS),
        Role.READER: _reads(LATEST_FILTER, ALERTS_FILTER),
        Role.RECORDER: _reads(RECORDED_FILTER, DROPPED, bound=False),
        Role.INGEST: Rights(
            publish=(LATEST_FILTER, ALERTS_FILTER, LEAVING_FILTER),
            receive=(*_FEEDS, LEAVING_FILTER, DROPPED),
            subscribe=(
                *_FEEDS,
                *(f"$share/+/{one}" for one in _FEEDS),
                LEAVING_FILTER,
                DROPPED,
            ),
            bound=False,
        ),
        Role.ADMIN: _reads(USERS_FILTER, publish=(USERS_FILTER,), bound=False),
    }
)
DEFAULT_ACCESS: Mapping[str, bool] = MappingProxyType(
    {
        "publishClientSend": False,
        "publishClientReceive": False,
        "subscribe": False,
        "unsubscribe": True,
    }
)
"""Of topics about which no role says anything."""


def role_name(role: Role) -> str:
    """Its name at the broker, where others may have roles of their own."""
    return f"tsuji-{role}"


def role_of(name: str) -> Role | None:
    """The role of this name at the broker, None where it is none of ours."""
    prefix, _, role = name.partition("-")
    return Role(role) if prefix == "tsuji" and role in Role.__members__.values() else None


def role_document(role: Role) -> dict[str, Any]:
    """A role as the plugin writes it down."""
    rights = RIGHTS[role]
    kinds = (
        ("publishClientSend", rights.publish),
        ("publishClientReceive", rights.receive),
        ("subscribePattern", rights.subscribe),
    )
    return {
        "rolename": role_name(role),
        "textdescription": "Made by `tsuji devices`",
        "acls": [
            {"acltype": kind, "topic": topic, "priority": 0, "allow": True}
            for kind, topics in kinds
            for topic in topics
        ],
    }


_OURS = ("tsuji-", "ingest-")
"""Begin the client ids of the hub. A user's name that is one would be let into that one's session."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str, role: Role) -> str:
    """Return the user's name unchanged.

    Raises:
        ValueError: where it can't be one.
    """
    if role is Role.THING:
        if not THING_ID.fullmatch(name):
            raise ValueError(
                f"{name!r:.80} is no thing's id: it must be 1 to 64 of A-Z a-z 0-9 . _ : - and begin "
                "with a letter or digit, and the thing registers under it"
            )
    elif not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r:.80} is no user's name: it must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a "
            "letter or digit"
        )
    if name == ADMIN:
        raise ValueError(f"{name!r} is who manages the others: choose another name")
    if RIGHTS[role].bound and name.startswith(_OURS):
        raise ValueError(
            f"{name!r} could be the client id of an ingest, which begin with "
            f"{' or '.join(_OURS)}: choose another name"
        )
    return name
