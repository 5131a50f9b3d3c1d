"""Finds and reads scenario files: shipped ones by name, others by path, and whatever they build on."""

import tomllib
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tsuji_platform.contract.rejection import quote
from tsuji_simulators import faults
from tsuji_simulators.scenario import Scenario

DEMONSTRATION = "ordinary-day"
"""What `tsuji up` shows."""
_SUFFIX = ".toml"
_DEEPEST = 8
_APPENDED = ("fleets", "spells", "typhoons", "gatherings", "changes", "faults", "holidays")


class ScenarioError(ValueError):
    """The scenario can't be used; the message names the file, the place in it and what is wrong."""


def shipped() -> list[str]:
    """Names of the scenarios that ship with Tsuji."""
    return sorted(_names(_folder()))


def load_scenario(name_or_path: str) -> Scenario:
    """Load a scenario.

    Args:
        name_or_path: a shipped scenario's name, or the path of a TOML file.

    Raises:
        ScenarioError: where there is none, it can't be read, or something in it is wrong.
    """
    if name_or_path in shipped():
        text = (_folder() / f"{name_or_path}{_SUFFIX}").read_text("utf-8")
        return parse_scenario(text, name_or_path)
    path = Path(name_or_path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(
            f"scenario {name_or_path!r} is neither one of {', '.join(shipped())} nor a file "
            f"that can be read: {_why(error)}{_meant(name_or_path)}"
        ) from error
    return parse_scenario(text, name_or_path, path.parent)


def parse_scenario(text: str, source: str, folder: Path | None = None) -> Scenario:
    """Read a scenario's text; `source` is what error messages call it.

    Args:
        text: TOML.
        source: its name or path.
        folder: where what it builds on is looked for.

    Raises:
        ScenarioError: with every fault that was found.
    """
    document = _document(text, source)
    if "name" not in document:
        raise ScenarioError(f'scenario {source}: needs a "name" of its own')
    whole = _whole(document, source, folder, ())
    try:
        scenario = Scenario.model_validate(whole)
    except ValidationError as error:
        found = error.errors()
        wrong = "\n".join(
            f"  {'.'.join(map(str, one['loc'])) or 'scenario'}: "
            f"{one['msg'].removeprefix('Value error, ')}{_shown(one['input'])}"
            for one in found
            # A list whose only entry is wrong counts as empty as well, which says nothing new.
            if not (one["type"] == "too_short" and any(_is_inside(one, other) for other in found))
        )
        raise ScenarioError(f"scenario {source} can't be used:\n{wrong}") from error
    try:
        faults.read(scenario.faults_aware, scenario.utc_offset_h).check(scenario)
    except ValueError as error:
        lines = "\n".join(f"  {line}" for line in str(error).splitlines())
        raise ScenarioError(f"scenario {source} can't be used:\n{lines}") from error
    return scenario


def schema() -> dict[str, Any]:
    """JSON schema of a scenario file, for editors.

    A file that builds on another may leave out what that one has; so nothing of `places` and of the
    file's own level is required there but by the whole.
    """
    generated = Scenario.model_json_schema(by_alias=True)
    required = generated.pop("required")
    del generated["$defs"]["KindOfPlace"]["required"]
    table = faults.schema()
    generated["$defs"] |= table.pop("$defs")
    generated["properties"]["faults"]["items"] = table
    return generated | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scenario of Tsuji",
        "required": ["name"],
        "anyOf": [{"required": ["extends"]}, {"required": required}],
    }


def _document(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ScenarioError(f"scenario {source}: not TOML: {error}") from error


def _whole(
    document: dict[str, Any], source: str, folder: Path | None, above: tuple[str, ...]
) -> dict[str, Any]:
    """The document over what it builds on."""
    extends = document.get("extends", [])
    bases = [extends] if isinstance(extends, str) else extends
    if not isinstance(bases, list) or not all(isinstance(one, str) for one in bases):
        raise ScenarioError(
            f'scenario {source}: "extends" must name scenarios or files, got {quote(extends)}'
        )
    if len(above) >= _DEEPEST:
        raise ScenarioError(
            f"scenario {above[0]}: builds on others over more than {_DEEPEST} files: "
            + " → ".join((*above, source))
        )
    whole: dict[str, Any] = {}
    for base in bases:
        text, where, inside = _base(base, source, folder)
        found = _whole(_document(text, where), where, inside, (*above, source))
        whole = _over(whole, found)
    own = {name: value for name, value in document.items() if name != "extends"}
    return _over(whole, own)


def _base(base: str, source: str, folder: Path | None) -> tuple[str, str, Path | None]:
    for shelf in (_folder(), _folder() / "parts"):
        if base in _names(shelf):
            return (shelf / f"{base}{_SUFFIX}").read_text("utf-8"), base, None
    path = (folder or Path()) / base
    try:
        return path.read_text("utf-8"), str(path), path.parent
    except (OSError, UnicodeDecodeError, ValueError) as error:
        known = [*shipped(), *sorted(_names(_folder() / "parts"))]
        raise ScenarioError(
            f'scenario {source}: "extends" names {quote(base)}, which is neither one of '
            f"{', '.join(known)} nor a file that can be read: {_why(error)}"
        ) from error


def _over(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """One document over another: tables by their members, lists of happenings and things added."""
    merged = dict(base)
    for name, value in own.items():
        before = merged.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[name] = _over(before, value)
        elif isinstance(before, list) and isinstance(value, list) and name in _APPENDED:
            merged[name] = before + value
        else:
            merged[name] = value
    return merged


def _is_inside(outer: ErrorDetails, inner: ErrorDetails) -> bool:
    """Whether the other mistake lies further inside of the same thing."""
    depth = len(outer["loc"])
    return len(inner["loc"]) > depth and inner["loc"][:depth] == outer["loc"]


def _meant(name: str) -> str:
    close = get_close_matches(name.removesuffix(_SUFFIX), shipped(), 1)
    return f"; perhaps you meant {close[0]!r}?" if close else ""


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _shown(value: object) -> str:
    return "" if isinstance(value, (dict, list, tuple)) else f" (got {value!r:.80})"


def _folder() -> Traversable:
    return files("tsuji_simulators") / "scenarios"


def _names(shelf: Traversable) -> list[str]:
    return [one.name.removesuffix(_SUFFIX) for one in shelf.iterdir() if one.name.endswith(_SUFFIX)]
