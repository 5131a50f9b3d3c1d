"""Reads observations that clients create over MQTT by the OGC SensorThings API 1.1.

The topic `v1.1/Datastreams('thing:property')/Observations` names the datastream, or the body does on
`v1.1/Observations`. One entity a message; the data array extension belongs to HTTP.

The standard lets the server set a time that is missing. We never do: the same message delivered again
would get another time and count twice. `resultTime` stands in, and without it there is no time.
"""

from datetime import datetime
from typing import Any

from tsuji_ingest.decoders.registry import Decoder
from tsuji_ingest.packet import Packet
from tsuji_platform.contract import OBSERVED_PROPERTIES, Observation, Reason, RejectedError
from tsuji_platform.contract.documents import load_json
from tsuji_platform.contract.messages import MAX_PERIOD_S, observe, parse_time
from tsuji_platform.contract.rejection import quote
from tsuji_platform.contract.topics import (
    SENSORTHINGS_FILTERS,
    DatastreamId,
    parse_sensorthings_topic,
)
from tsuji_platform.store.records import Received


def decode(packet: Packet) -> Received:
    """Read one created observation."""
    datastream = parse_sensorthings_topic(packet.topic)
    try:
        body = load_json(packet.payload)
        if not isinstance(body, dict):
            raise RejectedError(
                Reason.WRONG_SHAPE,
                f'expected one Observation with "phenomenonTime" and "result", got {quote(body)}',
            )
        if datastream is None:
            datastream = _datastream(body.get("Datastream"))
        observation = _observation(datastream, body, packet.received_at)
    except RejectedError as error:
        thing_id = None if datastream is None else datastream.thing_id
        return packet.read_as(thing_id, rejections=[error.rejection])
    return packet.read_as(datastream.thing_id, observations=[observation])


DECODER = Decoder(name="sensorthings", filters=SENSORTHINGS_FILTERS, decode=decode)


def _datastream(link: object) -> DatastreamId:
    identity = link.get("@iot.id") if isinstance(link, dict) else None
    if not isinstance(identity, str):
        raise RejectedError(
            Reason.WRONG_SHAPE,
            'on this topic "Datastream" must be {"@iot.id": "thing_id:observed_property"}, '
            f"got {quote(link)}",
        )
    return DatastreamId.parse(identity)


def _observation(datastream: DatastreamId, body: dict[str, Any], now: datetime) -> Observation:
    time, period_s = _time(body, now)
    known = OBSERVED_PROPERTIES.get(datastream.observed_property)
    if known is not None and known.is_count and period_s is None:
        raise RejectedError(
            Reason.MISSING_PERIOD,
            f'{known.id} is a count: its "phenomenonTime" must be the interval that it covers, '
            f"begin/end, got {quote(body.get('phenomenonTime'))}",
        )
    if "result" not in body:
        raise RejectedError(Reason.WRONG_SHAPE, 'there is no "result"')
    return observe(
        datastream.thing_id, datastream.observed_property, time, body["result"], period_s
    )


def _time(body: dict[str, Any], now: datetime) -> tuple[datetime, int | None]:
    """The end of the phenomenon time, and the seconds of an interval."""
    for field in ("phenomenonTime", "resultTime"):
        value = body.get(field)
        if value is None:
            continue
        if not isinstance(value, str):
            raise RejectedError(
                Reason.BAD_TIME, f'"{field}" must be RFC 3339 text with offset, got {quote(value)}'
            )
        begin, slash, end = value.partition("/")
        if not slash or field == "resultTime":
            return parse_time(value, now), None
        return _interval(parse_time(begin, now), parse_time(end, now), value)
    raise RejectedError(
        Reason.BAD_TIME,
        'there is neither "phenomenonTime" nor "resultTime"; the hub gives no time of its own, since '
        "a message delivered twice would count twice",
    )


def _interval(begin: datetime, end: datetime, value: str) -> tuple[datetime, int | None]:
    seconds = (end - begin).total_seconds()
    if not 0 <= seconds <= MAX_PERIOD_S:
        raise RejectedError(
            Reason.BAD_TIME,
            f'"phenomenonTime" {quote(value)} must end 0 to {MAX_PERIOD_S} seconds after its begin',
        )
    # an end of 23:59:59.999 means the whole day
    return end, round(seconds) or None
