"""Which decoder reads which topic: those that come with Tsuji, and those that others have installed."""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from tsuji_ingest.packet import Packet
from tsuji_platform.contract import Reason, RejectedError, Rejection, Thing
from tsuji_platform.contract.readings import Readings
from tsuji_platform.contract.rejection import quote
from tsuji_platform.store.records import Received

GROUP = "tsuji.decoders"
"""Entry point group in which other packages name their `Decoder`."""

_log = logging.getLogger(__name__)
_LEVEL = re.compile(r"[^+#\x00]*|\+")


class DecoderError(Exception):
    """A decoder or its settings can't be used; said before anything is received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """One registration.

    Attributes:
        name: for messages to people.
        filters: MQTT topic filters; ingest subscribes to them and hands what comes to `decode`.
        decode: packet in, what was read from it out (`Packet.read_as`). It may raise `RejectedError`
            for the message as a whole. It must give the same for the same packet at any time, so
            that a redelivery changes nothing: the time of an observation comes from the payload.

    Raises:
        DecoderError: where a filter is none by the rules of MQTT.
    """

    name: str
    filters: tuple[str, ...]
    decode: Callable[[Packet], Received]

    def __post_init__(self) -> None:
        for one in self.filters:
            levels = one.split("/")
            if levels[-1] == "#":
                levels.pop()
            if not one or len(one) > 1000 or not all(_LEVEL.fullmatch(level) for level in levels):
                raise DecoderError(
                    f"decoder {self.name!r}: {one!r} is no MQTT topic filter; + stands for a whole "
                    "level, # for all that follow"
                )


class Decoders:
    """The decoders of one ingest; the first whose filter fits reads the packet.

    Raises:
        DecoderError: where two claim the same name or filter.
    """

    def __init__(self, decoders: Iterable[Decoder]) -> None:
        self._readers: list[tuple[re.Pattern[str], Decoder]] = []
        owners: dict[str, str] = {}
        for decoder in decoders:
            if any(other.name == decoder.name for _, other in self._readers):
                raise DecoderError(f"there are two decoders of the name {decoder.name!r}")
            for one in decoder.filters:
                if one in owners:
                    raise DecoderError(
                        f"decoders {owners[one]!r} and {decoder.name!r} both claim {one!r}"
                    )
                owners[one] = decoder.name
            self._readers.append((_pattern(decoder.filters), decoder))
        self.filters = tuple(owners)

    def decode(self, packet: Packet) -> Received:
        """Read one packet; never raises: whatever is wrong with it ends as a rejection."""
        for pattern, decoder in self._readers:
            if pattern.fullmatch(packet.topic):
                return _read(decoder, packet)
        detail = f"topic {quote(packet.topic)} is none of {', '.join(self.filters)}"
        return packet.read_as(
            None, rejections=[Rejection(reason=Reason.UNKNOWN_TOPIC, detail=detail)]
        )


def _read(decoder: Decoder, packet: Packet) -> Received:
    try:
        received = decoder.decode(packet)
        if not isinstance(received, Received):
            raise TypeError(f"the decoder returned a {type(received).__name__}, no Received")
        _check(received)
    except RejectedError as error:
        return packet.read_as(None, rejections=[error.rejection])
    except Exception as error:  # noqa: BLE001 - a message that trips a defect must not stop the stream
        _log.exception("decoder %r met a defect in a message on %r", decoder.name, packet.topic)
        return refused(
            packet, None, f"a defect of the decoder {decoder.name!r}: {quote(error, 200)}"
        )
    return received


def _check(received: Received) -> None:
    """What nothing behind the decoders is prepared for.

    What is kept of a refused message is kept under one thing, and found again by it.
    """
    thing_id, observations = received.thing_id, received.observations
    if not (isinstance(observations, Sequence) and isinstance(received.rejections, Sequence)):
        raise TypeError("observations and rejections must be sequences, such as lists")
    if not isinstance(thing_id, str) and (thing_id is not None or observations):
        raise TypeError(f"thing_id must be text, it is {quote(thing_id)}")
    if not isinstance(received.thing, Thing | None):
        raise TypeError(f"thing must be a Thing, it is {quote(received.thing)}")
    for one in Readings.of(observations).readings:
        if one.thing_id != thing_id:
            raise ValueError(
                f"the message is of thing {quote(thing_id)}, an observation in it of "
                f"{quote(one.thing_id)}: one message must speak for one thing"
            )
    for refusal in received.rejections:
        if not isinstance(refusal, Rejection) or not isinstance(refusal.reason, Reason):
            raise TypeError(f"rejections must be of Rejection and Reason, one is {quote(refusal)}")


def refused(packet: Packet, thing_id: str | None, detail: str, value_count: int = 1) -> Received:
    """A message that could be read but not kept, and how many values that makes."""
    rejection = Rejection(reason=Reason.NOT_STORABLE, detail=detail)
    return packet.read_as(thing_id, rejections=[rejection] * max(value_count, 1))


def installed(found: Sequence[EntryPoint] | None = None) -> list[Decoder]:
    """The decoders that other installed packages bring.

    Raises:
        DecoderError: where one can't be loaded. Ingest doesn't start then, and the broker keeps what
            comes: better than to go on and refuse all messages of that format.
    """
    decoders = []
    for point in entry_points(group=GROUP) if found is None else found:
        try:
            loaded = point.load()
        except Exception as error:
            raise DecoderError(
                f"decoder {point.name!r} ({point.value}) can't be loaded: {error!r}"
            ) from error
        if not isinstance(loaded, Decoder):
            raise DecoderError(
                f"decoder {point.name!r} ({point.value}) must be a tsuji_ingest.decoders.Decoder, "
                f"it is {quote(loaded)}"
            )
        decoders.append(loaded)
    return decoders


def _pattern(filters: Sequence[str]) -> re.Pattern[str]:
    """What the filters match, as one regular expression."""
    alternatives = []
    for one in filters:
        open_ended = one == "#" or one.endswith("/#")
        levels = (
            one.removesuffix("#").removesuffix("/").split("/") if open_ended else one.split("/")
        )
        body = "/".join("[^/]*" if level == "+" else re.escape(level) for level in levels)
        if one == "#":
            body = ".*"
        elif open_ended:  # # stands for the level before it, too
            body += "(?:/.*)?"
        alternatives.append(body)
    return re.compile("|".join(alternatives), re.DOTALL)
