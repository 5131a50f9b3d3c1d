"""Reads uplinks of The Things Stack v3 (LoRaWAN) by a file that says what decoded fields mean.

An uplink's fields are named by whoever wrote the device's payload formatter, so nothing is guessed:
what no mapping names is passed over, and an uplink that holds nothing of what its mapping names is
rejected, to be retried once the mapping has been amended.
"""

import string
import tomllib
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tsuji_ingest.decoders.registry import Decoder, DecoderError
from tsuji_ingest.packet import Packet
from tsuji_platform.contract import (
    OBSERVED_PROPERTIES,
    Observation,
    Reason,
    RejectedError,
    Rejection,
)
from tsuji_platform.contract.documents import load_json
from tsuji_platform.contract.messages import MAX_PERIOD_S, observe, parse_time
from tsuji_platform.contract.rejection import quote
from tsuji_platform.contract.topics import (
    UPLINKS_FILTER,
    UplinkTopic,
    check_thing_id,
    parse_uplink_topic,
)
from tsuji_platform.store.records import Received

_ABSENT = object()
_TEMPLATE_FIELDS = {"application", "tenant", "device"}
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class Clock(StrEnum):
    """Whose clock gives the observations' time; all of them are in the payload."""

    NETWORK = "network"
    GATEWAY = "gateway"
    APPLICATION = "application"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldMapping(_Part):
    """What one decoded field means: result = value × factor + offset.

    Attributes:
        observed_property: id of the observed property.
        factor: to bring the value to the property's unit.
        offset: the same, added after the factor.
        period_s: for counts, and for them only: the seconds that each uplink covers.
    """

    observed_property: str
    factor: _Finite = 1.0
    offset: _Finite = 0.0
    period_s: Annotated[int, Field(ge=1, le=MAX_PERIOD_S)] | None = None

    @model_validator(mode="after")
    def _fits_property(self) -> Self:
        known = OBSERVED_PROPERTIES.get(self.observed_property)
        if known is None:
            raise ValueError(
                f"{self.observed_property!r} is not one of {', '.join(OBSERVED_PROPERTIES)}"
            )
        if known.is_count and self.period_s is None:
            raise ValueError(f"{known.id} is a count and needs period_s")
        if not known.is_count and self.period_s is not None:
            raise ValueError(f"{known.id} is no count, period_s means nothing for it")
        return self


class DeviceMapping(_Part):
    """What the fields of some devices mean.

    Attributes:
        device: device id, or a pattern with * and ?.
        application: application id, or a pattern.
        thing: the thing's id, made from {application}, {tenant} and {device}.
        time: whose clock counts.
        fields: by name; `a.b` is `b` inside of `a` where there is no field of the whole name.
    """

    device: str = "*"
    application: str = "*"
    thing: str = "{device}"
    time: Clock = Clock.NETWORK
    fields: Annotated[dict[str, FieldMapping], Field(min_length=1)]

    @field_validator("thing")
    @classmethod
    def _template(cls, template: str) -> str:
        used = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
        if not used <= _TEMPLATE_FIELDS:
            raise ValueError(
                f"{template!r} may hold {{application}}, {{tenant}} and {{device}}, no others"
            )
        return template

    @field_validator("fields")
    @classmethod
    def _each_property_once(cls, fields: dict[str, FieldMapping]) -> dict[str, FieldMapping]:
        names = [field.observed_property for field in fields.values()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"several fields give {', '.join(twice)}; which one counts?")
        return fields

    def covers(self, topic: UplinkTopic) -> bool:
        """Whether this is the topic of one of these devices."""
        return fnmatchcase(topic.device, self.device) and fnmatchcase(
            topic.application, self.application
        )

    def thing_id(self, topic: UplinkTopic) -> str:
        """The id of the thing that the device is.

        Raises:
            RejectedError: `bad_thing`.
        """
        return check_thing_id(
            self.thing.format(
                application=topic.application, tenant=topic.tenant, device=topic.device
            )
        )


class Mapping(_Part):
    """The settings file.

    Attributes:
        devices: the first that covers a device counts.
    """

    devices: Annotated[tuple[DeviceMapping, ...], Field(min_length=1)]


def load_mapping(file: Path) -> Mapping:
    """Read the settings file (TOML).

    Raises:
        DecoderError: with the file, the place in it and what is wrong.
    """
    try:
        return Mapping.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DecoderError(
            f"TSUJI_THE_THINGS_STACK: {file}: {place}: {first['msg']}, got {quote(first['input'])}"
        ) from error
    except (OSError, ValueError) as error:
        raise DecoderError(f"TSUJI_THE_THINGS_STACK: {file} can't be read: {error}") from error


def decoder(mapping: Mapping) -> Decoder:
    """The registration for one settings file."""
    return Decoder(
        name="the-things-stack",
        filters=(UPLINKS_FILTER,),
        decode=lambda packet: decode(packet, mapping),
    )


def decode(packet: Packet, mapping: Mapping) -> Received:
    """Read one uplink."""
    topic = parse_uplink_topic(packet.topic)
    device = next((one for one in mapping.devices if one.covers(topic)), None)
    if device is None:
        raise RejectedError(
            Reason.UNMAPPED,
            f"no mapping covers device {quote(topic.device)} of application "
            f"{quote(topic.application)}",
        )
    thing_id = device.thing_id(topic)
    try:
        document = load_json(packet.payload)
        uplink = _uplink(document)
        observations, rejections = _values(thing_id, device, document, uplink, packet)
    except RejectedError as error:
        return packet.read_as(thing_id, rejections=[error.rejection])
    return packet.read_as(thing_id, observations=observations, rejections=rejections)


def _uplink(document: Any) -> dict[str, Any]:
    uplink = document.get("uplink_message") if isinstance(document, dict) else None
    if not isinstance(uplink, dict):
        raise RejectedError(
            Reason.WRONG_SHAPE, f'there is no "uplink_message" in {quote(document)}'
        )
    return uplink


def _values(
    thing_id: str,
    device: DeviceMapping,
    document: dict[str, Any],
    uplink: dict[str, Any],
    packet: Packet,
) -> tuple[Sequence[Observation], Sequence[Rejection]]:
    payload = uplink.get("decoded_payload")
    if not isinstance(payload, dict) or not payload:
        raise RejectedError(
            Reason.WRONG_SHAPE,
            'the uplink has no "decoded_payload"; the device needs a payload formatter in The Things '
            "Stack",
        )
    present = [
        (name, field, value)
        for name, field in device.fields.items()
        if (value := _find(payload, name)) is not _ABSENT
    ]
    if not present:
        raise RejectedError(
            Reason.UNMAPPED,
            f"the mapping of {quote(device.device)} names none of the fields {quote(list(payload))}",
        )
    time = parse_time(_time(device.time, document, uplink), packet.received_at)
    observations: list[Observation] = []
    rejections: list[Rejection] = []
    for name, field, value in present:
        try:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise RejectedError(
                    Reason.NOT_A_NUMBER, f"{quote(name)} is {quote(value)}, not a number"
                )
            result = value * field.factor + field.offset
            observations.append(
                observe(thing_id, field.observed_property, time, result, field.period_s)
            )
        except RejectedError as error:
            rejections.append(error.rejection)
    return observations, rejections


def _find(payload: AnyMapping[str, Any], name: str) -> object:
    """The field of this name, or the one to which its dots lead."""
    if name in payload:
        return payload[name]
    found: Any = payload
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            return _ABSENT
        found = found[part]
    return found


def _time(clock: Clock, document: dict[str, Any], uplink: dict[str, Any]) -> object:
    if clock is Clock.APPLICATION:
        where, time = '"received_at"', document.get("received_at")
    elif clock is Clock.NETWORK:
        where, time = '"uplink_message.received_at"', uplink.get("received_at")
    else:
        where, time = '"time" in "uplink_message.rx_metadata"', _gateway_time(uplink)
    if time is None:
        raise RejectedError(
            Reason.BAD_TIME, f"there is no {where}, the clock that the mapping chooses"
        )
    return time


def _gateway_time(uplink: dict[str, Any]) -> object:
    """That of the first gateway which gives one: every copy of the message names the same."""
    gateways = uplink.get("rx_metadata")
    for gateway in gateways if isinstance(gateways, list) else ():
        if isinstance(gateway, dict) and gateway.get("time") is not None:
            return gateway["time"]
    return None
