"""Several files as one, in the order of arrival, so that the feeds of a city can be kept apart."""

from collections.abc import Iterator, Sequence
from heapq import merge
from operator import attrgetter

from tsuji_simulators.tape.message import Carried, Span, Track


class Merged:
    """Tracks as one track, in the order of time; at the same moment in the order in which they are given.

    Args:
        tracks: each in the order of time; where one isn't, what comes too late in it follows at once.
    """

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._tracks = tracks
        self.name = ", ".join(one.name for one in tracks)

    def span(self) -> Span | None:
        """How much there is in all of them."""
        found: Span | None = None
        for track in self._tracks:
            span = track.span()
            if span is not None:
                found = span if found is None else found.joined(span)
        return found

    def messages(self) -> Iterator[Carried]:
        """All messages."""
        if len(self._tracks) == 1:
            return self._tracks[0].messages()
        return merge(*(one.messages() for one in self._tracks), key=attrgetter("time_us"))
