"""What the tables of a scenario file share: what is not known is refused by name, and times are read."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema, model_validator

_YEARS = (1971, 2098)


class Part(BaseModel):
    """A table of a scenario file."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, table: Any) -> Any:
        if isinstance(table, Mapping):
            known = [one.alias or name for name, one in cls.model_fields.items()]
            for name in table:
                if name not in known and name not in cls.model_fields:
                    raise ValueError(f"{name!r} is not known here; known are {', '.join(known)}")
        return table


def _time(value: object) -> object:
    found: datetime | None = None
    if isinstance(value, datetime):
        found = value
    elif isinstance(value, date):
        found = datetime.combine(value, time())
    elif isinstance(value, str):
        with suppress(ValueError):
            found = datetime.fromisoformat(value)
    if found is None:
        raise ValueError("must be a time such as 2025-07-26T19:00:00+09:00")
    if not _YEARS[0] <= found.year <= _YEARS[1]:
        raise ValueError(f"must lie in the years {_YEARS[0]} to {_YEARS[1]}")
    return found


Moment = Annotated[
    datetime,
    BeforeValidator(_time),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\d([T ]|$)"}),
]
"""A time with an offset, or without one by the scenario's own clock."""


def seconds(moment: datetime, utc_offset_s: int) -> int:
    """Seconds since 1970 UTC, whole ones."""
    return int(aware(moment, utc_offset_s).timestamp())


def aware(moment: datetime, utc_offset_s: int) -> datetime:
    """The same in UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone(timedelta(seconds=utc_offset_s)))
    return moment.astimezone(UTC)
