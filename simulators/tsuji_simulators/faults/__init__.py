"""What goes wrong with sensors, devices and networks, put on simulated feeds by name, the truth beside."""

from tsuji_simulators.faults.feed import Faults
from tsuji_simulators.faults.registry import FAULTS, read, schema

__all__ = ["FAULTS", "Faults", "read", "schema"]
