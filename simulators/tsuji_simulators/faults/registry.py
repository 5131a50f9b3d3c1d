"""The faults that there are, in the order in which they happen, and the reader of their tables."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Union

from pydantic import TypeAdapter, ValidationError

from tsuji_simulators.faults.base import Fault
from tsuji_simulators.faults.counters import Restart
from tsuji_simulators.faults.delivery import Duplicate, LateBurst, OutOfOrder
from tsuji_simulators.faults.feed import Faults
from tsuji_simulators.faults.messages import BrokenPayload, ClockSkew, DropOut
from tsuji_simulators.faults.values import Drift, Noise, Spike, Stuck, WrongUnit

_IN_ORDER: tuple[type[Fault], ...] = (
    Stuck,
    Drift,
    Noise,
    Spike,
    WrongUnit,
    Restart,
    DropOut,
    ClockSkew,
    BrokenPayload,
    Duplicate,
    OutOfOrder,
    LateBurst,
)
FAULTS: Mapping[str, type[Fault]] = MappingProxyType(
    {one.model_fields["fault"].default: one for one in _IN_ORDER}
)
"""By name, in the order in which they are applied, however a file lists them: the way of a reading from
the sensor over the device to the broker. Several of one name go by their beginning, then by their text."""
_RANK = {name: number for number, name in enumerate(FAULTS)}


def schema() -> dict[str, Any]:
    """JSON schema of one table, with a definition (`$defs`) for each fault."""
    of_any: Any = Union[_IN_ORDER]  # noqa: UP007 - of a tuple
    generated = TypeAdapter(of_any).json_schema(by_alias=True)
    for one in generated["$defs"].values():
        del one["properties"]["utc_offset_h"]  # the scenario's
        one["required"] = ["fault", *one.get("required", ())]
    return generated


def read(tables: Sequence[Mapping[str, Any]], utc_offset_h: float = 0.0) -> Faults:
    """Read the tables `[[faults]]` of a scenario.

    Args:
        tables: as they stand there.
        utc_offset_h: of the scenario's clock, for times of every day.

    Raises:
        ValueError: with every fault of the tables, as `faults.N.member: what is wrong (got value)`.
    """
    found: list[Fault] = []
    wrong: list[str] = []
    for number, table in enumerate(tables):
        name = table.get("fault")
        if not isinstance(name, str) or name not in FAULTS:
            wrong.append(
                f"faults.{number}.fault: there is no such fault; there is {', '.join(FAULTS)} "
                f"(got {name!r:.80})"
            )
            continue
        try:
            found.append(FAULTS[name].model_validate({"utc_offset_h": utc_offset_h, **table}))
        except ValidationError as error:
            wrong += [
                f"faults.{number}{''.join(f'.{part}' for part in one['loc'])}: "
                f"{one['msg'].removeprefix('Value error, ')}{_shown(one['input'])}"
                for one in error.errors()
            ]
    ids = [one.id for one in found]
    for one in sorted({one for one in ids if ids.count(one) > 1}):
        wrong.append(
            f"faults: two are called {one!r}, or say the very same: give each a name of its own"
        )
    if wrong:
        raise ValueError("\n".join(wrong))
    found.sort(key=lambda one: (_RANK[one.fault], one.window.start, one.text))
    return Faults(tuple(found))


def _shown(value: object) -> str:
    return "" if isinstance(value, (dict, list, tuple)) else f" (got {value!r:.80})"
