"""Which messages are wanted: by topic filters as MQTT has them, by thing, by arrival."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import translate
from functools import lru_cache

from tsuji_platform.contract import RejectedError, parse_topic
from tsuji_platform.contract.topics import parse_sensorthings_topic, parse_uplink_topic
from tsuji_simulators.tape.message import Carried, TapeError, Track


def check_filter(text: str) -> str:
    """Return a topic filter unchanged.

    Raises:
        TapeError: where it is none.
    """
    levels = text.split("/")
    if (
        not text
        or "\0" in text
        or len(text.encode()) > 65_535
        or any("#" in level and level != "#" for level in levels)
        or any("+" in level and level != "+" for level in levels)
        or "#" in levels[:-1]
    ):
        raise TapeError(
            f"{text!r} is not a topic filter: + stands for one whole level, # for all that follow, "
            "such as tsuji/v1/things/+/observations"
        )
    return text


def _filter_pattern(text: str) -> str:
    levels = check_filter(text).split("/")
    wild = "" if text.startswith("$") or levels[0] not in ("+", "#") else r"(?!\$)"
    if levels == ["#"]:
        return wild + ".*"
    many = levels[-1] == "#"
    parts = [
        "[^/]*" if level == "+" else re.escape(level) for level in levels[: -1 if many else None]
    ]
    return wild + "/".join(parts) + ("(/.*)?" if many else "")


def topic_pattern(filters: Sequence[str]) -> re.Pattern[str]:
    """What matches a topic for which one of the filters stands.

    Raises:
        TapeError: where one is none.
    """
    return re.compile("|".join(_filter_pattern(one) for one in filters), re.DOTALL)


def thing_of(topic: str) -> str | None:
    """The thing whose message this is by its topic; None where that does not say.

    Of The Things Stack it is the device, since only ingest's mapping knows what the thing is called.
    """
    try:
        return parse_topic(topic).thing_id
    except RejectedError:
        pass
    try:
        datastream = parse_sensorthings_topic(topic)
        return None if datastream is None else datastream.thing_id
    except RejectedError:
        pass
    try:
        return parse_uplink_topic(topic).device
    except RejectedError:
        return None


class Choice:
    """Some of the messages of a track.

    Args:
        topics: filters of which one must fit; none takes all.
        things: ids, or patterns with * and ?, of which one must fit; none takes all.
        start_us: what arrived before is left out, but for what was retained then: that comes first,
            as a broker gives it to whoever subscribes later.
        end_us: what arrived then or later is left out.

    Raises:
        TapeError: where a filter is none.
    """

    def __init__(
        self,
        *,
        topics: Sequence[str] = (),
        things: Sequence[str] = (),
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> None:
        self.start_us, self.end_us = start_us, end_us
        self.text = repr((tuple(topics), tuple(things), start_us, end_us))
        """All of it in words, the same for the same choice."""
        self._is_all_topics = not topics and not things
        self.is_all = self._is_all_topics and start_us is None and end_us is None
        by_topic = topic_pattern(topics)
        by_thing = re.compile("|".join(translate(one) for one in things))

        @lru_cache(maxsize=65_536)
        def wants(topic: str) -> bool:
            if topics and not by_topic.fullmatch(topic):
                return False
            if not things:
                return True
            thing = thing_of(topic)
            return thing is not None and by_thing.fullmatch(thing) is not None

        self.wants = wants
        """Whether messages on a topic are wanted."""

    def of(self, track: Track) -> Iterator[Carried]:
        """The wanted messages of a track."""
        messages = track.messages()
        if not self._is_all_topics:
            messages = (one for one in messages if self.wants(one.topic))
        if self.start_us is not None:
            messages = _since(messages, self.start_us)
        for one in messages:
            if self.end_us is None or one.time_us < self.end_us:
                yield one


def _since(messages: Iterator[Carried], start_us: int) -> Iterator[Carried]:
    retained: dict[str, Carried] = {}
    for one in messages:
        if one.time_us >= start_us:
            for kept in retained.values():
                yield Carried(start_us, kept.topic, kept.payload, kept.qos, True)
            yield one
            break
        if one.retain:
            retained.pop(one.topic, None)
            if one.payload:
                retained[one.topic] = one
    yield from messages
