"""Decoders: one function and a registration for each format; docs/decoders.md shows how to add one."""

from functools import cache

from tsuji_ingest.decoders import own, sensorthings, the_things_stack
from tsuji_ingest.decoders.registry import Decoder, DecoderError, Decoders, installed, refused
from tsuji_ingest.packet import Packet
from tsuji_platform.settings import DecoderSettings
from tsuji_platform.store.records import Received

__all__ = ["Decoder", "DecoderError", "Decoders", "decode", "filters", "refused", "registered"]


def registered(settings: DecoderSettings) -> Decoders:
    """All decoders that these settings and the installed packages give.

    Raises:
        DecoderError: where one can't be used.
    """
    decoders = [own.DECODER, sensorthings.DECODER]
    if settings.the_things_stack is not None:
        mapping = the_things_stack.load_mapping(settings.the_things_stack)
        decoders.append(the_things_stack.decoder(mapping))
    return Decoders([*decoders, *installed()])


@cache
def _of_this_process() -> Decoders:
    return registered(DecoderSettings())


def decode(packet: Packet) -> Received:
    """Read one packet with the decoders of this process; never raises once `filters` has not."""
    return _of_this_process().decode(packet)


def filters() -> tuple[str, ...]:
    """What ingest subscribes to.

    Raises:
        DecoderError: where a decoder can't be used.
    """
    return _of_this_process().filters
