"""What faults work on: one report of a thing, on its way from sensor to broker."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a thing that works measures and would send at once, in one message.

    Attributes:
        thing_id: whose.
        time: phenomenon time, seconds since 1970 UTC.
        due: when it is to be sent, likewise.
        period_s: seconds since the report before; counts and rain cover them.
        results: by observed property.
    """

    thing_id: str
    time: float
    due: float
    period_s: int
    results: Mapping[str, float]


@dataclass(slots=True, kw_only=True)
class Draft:
    """What becomes of it, or of some of its results.

    Attributes:
        report: as it should have been.
        results: as they are sent; empty where nothing is.
        time: as the message says.
        sends: moments at which the message goes out, in order.
        payload: bytes in place of the message; None for what the results say.
        faults: names of those that touched each observed property, in their order.
    """

    report: Measured
    results: dict[str, float]
    time: float
    sends: list[float]
    payload: bytes | None = None
    faults: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, report: Measured) -> "Draft":
        """A report before any fault."""
        return cls(
            report=report,
            results=dict(report.results),
            time=report.time,
            sends=[report.due],
        )

    def split(self, names: set[str]) -> "list[Draft]":
        """These results, and the others, as two messages."""
        return [
            replace(
                self,
                results={n: v for n, v in self.results.items() if (n in names) is wanted},
                faults={n: list(v) for n, v in self.faults.items() if (n in names) is wanted},
                sends=list(self.sends),
            )
            for wanted in (True, False)
        ]
