"""The file format `.tsuji`: blocks that each stand for themselves, so that a file is good up to any kill.

A file is a sequence of blocks, nothing before or between them. A block is a head of 52 bytes (little
endian) and a body:

====== ===== ======================================================================
offset bytes
====== ===== ======================================================================
0      8     F0 54 53 55 4A 49 0D 0A: where reading can begin again after damage
8      1     version of the format, 1
9      1     what it holds: 1 about the file, 2 messages, 3 a note, 4 the end
10     1     how the body is packed: 0 not at all, 1 Zstandard
11     1     0
12     4     messages in it
16     4     length of the body
20     4     length of the body when it is unpacked
24     8     arrival of its first message, microseconds since 1970-01-01T00:00Z
32     8     arrival of its last
40     4     place of the block in the file, counted from 0
44     4     CRC-32 of the body as it stands in the file
48     4     CRC-32 of the 48 bytes before
====== ===== ======================================================================

The body is MessagePack: of messages an array of `[time_us, topic, payload, qos, retain]`, of which there are
at most 262,144; otherwise a map.
"""

import os
import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from io import BytesIO
from typing import BinaryIO, TypeVar
from zlib import crc32

import msgspec
import pyarrow as pa

from tsuji_simulators.tape.message import LATEST_US, Carried

MAGIC = b"\xf0TSUJI\r\n"
VERSION = 1
HEAD_BYTES = 52
MAX_BODY = 320 * 2**20
"""More than MQTT's largest message (256 MiB); what claims to be longer is damage or malice."""
MAX_MESSAGES = 2**18
"""In a block, so that reading one needs bounded memory however well it was packed."""
_HEAD = struct.Struct("<8sBBBBIIIqqII")
_CRC = struct.Struct("<I")
_PLAIN, _ZSTD = 0, 1
_LEVEL = 3
_LOOK_BYTES = 1 << 20
_Body = TypeVar("_Body")


class Kind(IntEnum):
    """What a block holds."""

    ABOUT = 1
    MESSAGES = 2
    NOTE = 3
    END = 4


class About(msgspec.Struct, frozen=True, kw_only=True):
    """How a file came to be; in its first block.

    Attributes:
        program: that wrote it.
        started_us: when its recording began, which may have filled other files before.
        filters: topics that were subscribed to.
        part: number of the file in the recording, from 1.
    """

    program: str
    started_us: int
    filters: tuple[str, ...]
    part: int = 1


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something that whoever reads the recording should know, such as what it misses.

    Attributes:
        from_us: when it began.
        until_us: when it ended.
        text: in words.
    """

    from_us: int
    until_us: int
    text: str


class End(msgspec.Struct, frozen=True, kw_only=True):
    """The file was closed and not just left; in its last block.

    Attributes:
        messages: in the file.
    """

    messages: int


class BlockError(ValueError):
    """A block is not what was written; the text says in which way."""


class CutError(BlockError):
    """The file ends inside of a block, as after a kill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a block says of itself."""

    kind: Kind
    packing: int
    count: int
    stored: int
    length: int
    first_us: int
    last_us: int
    place: int
    crc: int


@lru_cache(maxsize=1)
def _codec() -> pa.Codec:
    return pa.Codec("zstd", compression_level=_LEVEL)


def pack(
    kind: Kind, place: int, body: object, *, count: int = 0, first_us: int = 0, last_us: int = 0
) -> bytes:
    """A block as it stands in a file."""
    raw = msgspec.msgpack.encode(body)
    packing = _ZSTD if kind is Kind.MESSAGES else _PLAIN
    stored = _codec().compress(raw, asbytes=True) if packing == _ZSTD else raw
    head = _HEAD.pack(
        MAGIC, VERSION, kind, packing, 0, count, len(stored), len(raw), first_us, last_us, place,
        crc32(stored),
    )  # fmt: skip
    return head + _CRC.pack(crc32(head)) + stored


def pack_messages(place: int, messages: list[Carried]) -> bytes:
    """A block of messages, of which there are 1 to `MAX_MESSAGES`."""
    return pack(
        Kind.MESSAGES,
        place,
        messages,
        count=len(messages),
        first_us=min(one.time_us for one in messages),
        last_us=max(one.time_us for one in messages),
    )


def read_head(file: BinaryIO) -> Head | None:
    """The head of the block at which the file stands; None at the end of the file.

    Raises:
        CutError: the file ends within the head.
        BlockError: there is no head here, or a damaged one, or one of another version.
    """
    data = file.read(HEAD_BYTES)
    if not data:
        return None
    if len(data) < HEAD_BYTES:
        if data[: len(MAGIC)] == MAGIC[: len(data)]:
            raise CutError("the file ends within the head of a block")
        raise BlockError(f"no block begins here: {data[:8].hex(' ')}")
    if not data.startswith(MAGIC):
        raise BlockError(f"no block begins here: {data[:8].hex(' ')}")
    if _CRC.unpack_from(data, _HEAD.size)[0] != crc32(data[: _HEAD.size]):
        raise BlockError("the head's check sum is wrong")
    _, version, kind, packing, _, count, stored, length, first, last, place, crc = _HEAD.unpack(
        data[: _HEAD.size]
    )
    if version != VERSION:
        raise BlockError(f"it is of version {version} of the format; this program reads {VERSION}")
    if max(stored, length) > MAX_BODY or packing not in (_PLAIN, _ZSTD) or kind not in _KINDS:
        raise BlockError(f"the head makes no sense ({kind=}, {packing=}, {stored=}, {length=})")
    if count > MAX_MESSAGES or not 0 <= first <= last <= LATEST_US:
        raise BlockError(f"the head makes no sense ({count=}, {first=}, {last=})")
    return Head(
        kind=Kind(kind), packing=packing, count=count, stored=stored, length=length,
        first_us=first, last_us=last, place=place, crc=crc,
    )  # fmt: skip


_KINDS = frozenset(Kind)


def read_body(file: BinaryIO, head: Head, wanted: type[_Body]) -> _Body:
    """The body behind a head, unpacked.

    Raises:
        CutError: the file ends within the body.
        BlockError: it is damaged, or holds something else.
    """
    left = os.fstat(file.fileno()).st_size - file.tell()
    if left < head.stored:
        raise CutError("the file ends within the body of a block")
    data = file.read(head.stored)
    if crc32(data) != head.crc:
        raise BlockError("the body's check sum is wrong")
    try:
        if head.packing == _ZSTD:
            data = _codec().decompress(data, decompressed_size=head.length, asbytes=True)
        if head.kind is Kind.MESSAGES and (held := _items(data)) != head.count:
            raise ValueError(f"it holds {held:,} messages, its head says {head.count:,}")
        return msgspec.msgpack.decode(data, type=wanted)
    except (OSError, ValueError, RecursionError) as error:
        raise BlockError(f"the body can't be read: {error}") from error


def _items(data: bytes) -> int:
    """How many items the array has that MessagePack begins with."""
    kind = data[0] if data else 0
    if kind & 0xF0 == 0x90:
        return kind & 0x0F
    width = {0xDC: 2, 0xDD: 4}.get(kind)
    if width is None or len(data) < 1 + width:
        raise ValueError("it is no array")
    return int.from_bytes(data[1 : 1 + width], "big")


def find_head(file: BinaryIO, start: int) -> int:
    """Where the next good head is, at or behind a place; the end of the file where there is none."""
    size = os.fstat(file.fileno()).st_size
    while start < size:
        file.seek(start)
        data = file.read(_LOOK_BYTES)
        at = data.find(MAGIC)
        while at >= 0:
            if at + HEAD_BYTES > len(data) == _LOOK_BYTES:
                break  # the rest of it is in the next look
            try:
                read_head(BytesIO(data[at : at + HEAD_BYTES]))
            except BlockError:
                at = data.find(MAGIC, at + 1)
            else:
                return start + at
        if len(data) < _LOOK_BYTES:
            return size
        start += at if at >= 0 else len(data) - len(MAGIC) + 1
    return size
