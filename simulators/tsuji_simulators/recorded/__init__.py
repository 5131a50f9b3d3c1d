"""Readers of published recordings: real counts and real weather as things and observations."""

from tsuji_simulators.recorded.recording import Problem, Recording, RecordingError

__all__ = ["Problem", "Recording", "RecordingError"]
