"""What travels: observed properties, topics, messages and the reasons for refusing them."""

from tsuji_platform.contract.messages import (
    Decoded,
    Thing,
    decode_observations,
    decode_thing,
    encode_observations,
    encode_thing,
)
from tsuji_platform.contract.observation import Observation
from tsuji_platform.contract.properties import (
    OBSERVED_PROPERTIES,
    Aggregation,
    ObservedProperty,
)
from tsuji_platform.contract.rejection import Reason, RejectedError, Rejection
from tsuji_platform.contract.topics import Topic, observations_topic, parse_topic, thing_topic

__all__ = [
    "OBSERVED_PROPERTIES",
    "Aggregation",
    "Decoded",
    "Observation",
    "ObservedProperty",
    "Reason",
    "RejectedError",
    "Rejection",
    "Thing",
    "Topic",
    "decode_observations",
    "decode_thing",
    "encode_observations",
    "encode_thing",
    "observations_topic",
    "parse_topic",
    "thing_topic",
]
