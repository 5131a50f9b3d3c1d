"""The ground truth: which observations were touched by which fault, and what they should have been."""

from collections.abc import Callable
from typing import Any, BinaryIO

import orjson

from tsuji_simulators.faults.base import Fault
from tsuji_simulators.faults.report import Draft
from tsuji_simulators.faults.windows import Span, shown

Line = dict[str, Any]
Tell = Callable[[Line], None]


class Truth:
    """Says what was broken, as objects that a file can hold one per line.

    Args:
        tell: takes each; None for nobody.
    """

    def __init__(self, tell: Tell | None) -> None:
        self._tell = tell
        self._told: dict[tuple[str, str, str], float] = {}

    def began(self, fault: Fault, thing_id: str, names: set[str], span: Span) -> None:
        """A fault has touched a thing: say once from when to when, for each observed property."""
        if self._tell is None:
            return
        for name in sorted(names):
            place = (fault.id, thing_id, name)
            if place not in self._told or span.start > self._told[place]:
                self._told[place] = span.start
                self._tell(
                    {
                        "type": "fault",
                        "name": fault.id,
                        "fault": fault.fault,
                        "parameters": fault.parameters,
                        "thing": thing_id,
                        "observed_property": name,
                        "from": shown(span.start),
                        "to": shown(span.end),
                    }
                )

    def sent(self, draft: Draft) -> None:
        """What has become of a message: a line for each observation in it that differs from the truth."""
        if self._tell is None:
            return
        report = draft.report
        readable = bool(draft.sends) and draft.payload is None
        for name, faults in draft.faults.items():
            line: Line = {
                "type": "observation",
                "faults": faults,
                "thing": report.thing_id,
                "observed_property": name,
                "time": shown(report.time),
                "true": report.results[name],
                "sent": draft.results[name] if readable else None,
            }
            if readable and draft.time != report.time:
                line["sent_time"] = shown(draft.time)
            if draft.sends and draft.sends != [report.due]:
                line["sent_at"] = [shown(one) for one in draft.sends]
            unchanged = line["sent"] == line["true"] and not line.keys() & {"sent_time", "sent_at"}
            if not unchanged:
                self._tell(line)


def lines_to(file: BinaryIO) -> Tell:
    """Writes each line as JSON."""

    def tell(line: Line) -> None:
        file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    return tell
