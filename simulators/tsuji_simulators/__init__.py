"""Feeds for developers and demonstrations: a simulated fleet and recordings of real ones, over MQTT."""

from tsuji_simulators.replaying import Replay, replaying

__all__ = ["Replay", "replaying"]
