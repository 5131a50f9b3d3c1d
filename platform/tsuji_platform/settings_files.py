"""Lets a secret be given as a file, so that none need stand in the environment of a process.

Such files are what Docker, Kubernetes and systemd have for secrets.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tsuji_platform.secret_files import SecretFileError, text_of

PREFIX = "TSUJI_"
CONFIG = SettingsConfigDict(
    env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True
)


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Stands in place of a secret that can't be had; says why, and never what."""

    text: str


class OrFile:
    """Marks a setting as a secret, which may be given as the path of a file in `<its name>_FILE` instead.

    Put it into the annotation: `Annotated[SecretStr | None, OrFile()]`. The class derives from `Settings`.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Refuse trouble; everything else is as without the mark."""
        return core_schema.no_info_before_validator_function(_without_trouble, handler(source))


def _without_trouble(value: object) -> object:
    if isinstance(value, _Trouble):
        raise ValueError(value.text)
    return value


class Settings(BaseSettings):
    """Settings of which some may be given as files, and those without a default as empty."""

    model_config = CONFIG

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, given: object) -> object:
        """Containers are given an empty variable for what nobody has set."""
        if not isinstance(given, dict):
            return given
        optional = {name for name, field in cls.model_fields.items() if field.default is None}
        return {name: it for name, it in given.items() if it != "" or name not in optional}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's own names
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What code gives comes before files, and these before the environment."""
        return init_settings, _Files(settings_cls), env_settings


class _Files(PydanticBaseSettingsSource):
    """The secrets whose files are named in the environment."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The secret, the setting's name, and that it is no JSON."""
        if not is_secret(field):
            return None, field_name, False
        environment = {name.upper(): value for name, value in os.environ.items()}
        variable = f"{PREFIX}{field_name.upper()}"
        file = environment.get(file_variable(variable))
        if not file:
            return None, field_name, False
        if environment.get(variable):
            trouble = f"is set, and so is {file_variable(variable)}: leave one of the two out"
            return _Trouble(trouble), field_name, False
        return _read(Path(file), file_variable(variable)), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All that there are, by the names of settings."""
        found = (
            (name, self.get_field_value(field, name)[0])
            for name, field in self.settings_cls.model_fields.items()
        )
        return {name: value for name, value in found if value is not None}


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting is marked as a secret."""
    return any(isinstance(one, OrFile) for one in field.metadata)


def file_variable(variable: str) -> str:
    """The variable that names the file with a secret.

    Args:
        variable: the one that holds the secret itself.
    """
    return f"{variable}_FILE"


def given(variable: str, value: str) -> dict[str, str]:
    """Variables that give a process a secret as a value, whatever file is named to us."""
    return {variable: value, file_variable(variable): ""}


def _read(file: Path, variable: str) -> str | _Trouble:
    """What a file holds, without the end of its last line."""
    try:
        text = text_of(file).rstrip("\r\n")
    except SecretFileError as error:
        return _Trouble(f"its file {error} ({variable}={str(file)!r})")
    if not text:
        return _Trouble(f"its file is empty ({variable}={str(file)!r}): write the secret into it")
    if set("\0\r\n") & set(text):
        return _Trouble(f"its file holds more than one line, or NUL ({variable}={str(file)!r})")
    return text
