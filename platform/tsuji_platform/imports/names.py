"""What the names in a file mean: which thing a device is, which observed property a series is."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.contract.messages import MAX_PERIOD_S
from tsuji_platform.contract.rejection import quote
from tsuji_platform.imports.rows import ImportFileError

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Period = Annotated[int, Field(ge=1, le=MAX_PERIOD_S)]


class Series(BaseModel):
    """What a series is.

    Attributes:
        observed_property: id of the observed property.
        unit: in which the file's values are, whatever the file says; otherwise the file's own word
            counts.
        period_s: for counts: the seconds that each covers where the file does not say.
        factor: result = value * factor + offset, before any conversion of units.
        offset: see `factor`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    observed_property: str
    unit: str | None = None
    period_s: _Period | None = None
    factor: _Finite = 1.0
    offset: _Finite = 0.0

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.observed_property not in OBSERVED_PROPERTIES:
            raise ValueError(
                f"{self.observed_property!r} is not one of {', '.join(OBSERVED_PROPERTIES)}"
            )
        return self


class Names(BaseModel):
    """The mapping file.

    Attributes:
        things: by the file's name of a device the thing's id; others keep their names.
        series: by the file's name what it is, or just the observed property's id; others keep
            their names.
        ignore: series that are passed over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    things: Mapping[str, str] = Field(default_factory=dict)
    series: Mapping[str, Series] = Field(default_factory=dict)
    ignore: frozenset[str] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("series"), dict):
            series = {
                name: {"observed_property": one} if isinstance(one, str) else one
                for name, one in data["series"].items()
            }
            return data | {"series": series}
        return data


def load_names(file: Path) -> Names:
    """Read a mapping file (TOML).

    Raises:
        ImportFileError: with the file, the place in it and what is wrong.
    """
    try:
        return Names.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ImportFileError(
            f"{file}: {place}: {first['msg']}, got {quote(first['input'])}"
        ) from error
    except (OSError, ValueError) as error:
        raise ImportFileError(f"{file} can't be read as TOML: {error}") from error
