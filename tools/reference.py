"""Writes the reference of settings, commands and data API out of the code, so that it can't be out of date.

`python tools/docs.py` calls it; what has no description fails there, by name.
"""

import logging
from collections.abc import Iterator
from typing import Any

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from tsuji.cli import app
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.settings import CONCERNS, describe
from tsuji_platform.store import Database

_SETTINGS = """\
# Settings

From the environment of a process, read when it starts; made out of the code. Lengths of time may be written
as `90s`, `7d` or `P7D` ([more](../commands.md#lengths-of-time)). A secret may be given as a file, named by
the variable with `_FILE` behind it. A variable that begins with `TSUJI_` and is none of these is told on
standard error."""
_COMMANDS = """\
Made out of the code; `tsuji COMMAND --help` says the same. What all have in common, such as exit codes:
[commands.md](../commands.md)."""
_API = """\
# The data API

Made out of the OpenAPI document, which every hub serves with examples at `/openapi.json`, and as pages to try
out at `/docs`. Formats, pages and caches: [resources.md](../resources.md); recipes: [api.md](../api.md).
Errors are problem details (RFC 9457) with the statuses that an operation names."""


class UndocumentedError(Exception):
    """Something that people use is described nowhere; the text names it."""


def pages() -> dict[str, str]:
    """All pages by their file names.

    Raises:
        UndocumentedError: naming all that has no description.
    """
    lacking = [*undocumented_settings(), *undocumented_commands(get_command(app), "tsuji")]
    document = _document()
    lacking += undocumented_operations(document)
    if lacking:
        raise UndocumentedError("without a description: " + ", ".join(lacking))
    return {
        "settings.md": settings_page(),
        "commands.md": commands_page(),
        "api.md": api_page(document),
    }


def undocumented_settings() -> list[str]:
    """Settings without a meaning."""
    return [name for name, _, meaning in describe() if not meaning.strip()]


def undocumented_commands(command: Any, name: str) -> list[str]:
    """Commands, arguments and options without a help text.

    Args:
        command: a command or a group of them, as Typer has it.
        name: as people write it.
    """
    lacking = [] if (command.help or "").strip() else [name]
    for child, one in getattr(command, "commands", {}).items():
        lacking += undocumented_commands(one, f"{name} {child}")
    return lacking + [
        f"{name} {one.opts[0]}"
        for one in command.params
        if one.name != "help" and not (one.help or "").strip()
    ]


def undocumented_operations(document: dict[str, Any]) -> list[str]:
    """Operations of the data API without a summary, and parameters without a description."""
    lacking = []
    for method, path, operation in _operations(document):
        if not operation.get("summary"):
            lacking.append(f"{method} {path}")
        lacking += [
            f"{method} {path} ?{one['name']}"
            for one in operation.get("parameters", ())
            if not one.get("description")
        ]
    return lacking


def settings_page() -> str:
    """The settings, by what they are about."""
    rows = {name: (default, meaning) for name, default, meaning in describe()}
    lines = [_SETTINGS]
    for concern in CONCERNS:
        title = (concern.__doc__ or "").strip().splitlines()[0].rstrip(".")
        lines += ["", f"## {title}", "", "| variable | default | meaning |", "|---|---|---|"]
        for field in concern.model_fields:
            variable = f"TSUJI_{field.upper()}"
            for name in (variable, f"{variable}_FILE"):
                if name in rows:
                    default, meaning = rows.pop(name)
                    shown = f"`{_cell(default)}`" if default else ""
                    lines.append(f"| `{name}` | {shown} | {_cell(meaning)} |")
    if rows:
        raise UndocumentedError(f"settings that are of no concern: {', '.join(rows)}")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """The commands with their arguments and options, as Typer writes them."""
    group = get_command(app)
    text = get_docs_for_click(obj=group, ctx=typer.Context(group), name="tsuji", title="Commands")
    for name, short, whole in _summaries(group):
        text = text.replace(f"* `{name}`: {short}\n", f"* `{name}`: {whole}\n")
    head, _, rest = text.strip().partition("\n")
    return f"{head}\n\n{_COMMANDS}\n{rest}\n"


def _summaries(group: Any) -> Iterator[tuple[str, str, str]]:
    """Names of commands, what Typer shortens their descriptions to, and their whole first paragraph."""
    for name, one in group.commands.items():
        yield name, one.get_short_help_str(), " ".join((one.help or "").split("\n\n")[0].split())
        if hasattr(one, "commands"):
            yield from _summaries(one)


def api_page(document: dict[str, Any]) -> str:
    """The operations of the data API out of its OpenAPI document."""
    lines = [_API]
    tag = None
    for method, path, operation in _operations(document):
        mine = next(iter(operation.get("tags", ())), "figures for Prometheus")
        if mine != tag:
            tag = mine
            lines += ["", f"## {tag.capitalize()}"]
        lines += ["", f"### `{method} {path}`", "", f"**{operation['summary']}.** "]
        lines[-1] += (operation.get("description") or "").strip()
        parameters = operation.get("parameters", ())
        if parameters:
            lines += ["", "| parameter | in | values | meaning |", "|---|---|---|---|"]
        for one in parameters:
            name = f"`{one['name']}`" + (" (needed)" if one.get("required") else "")
            values = _values(one.get("schema", {}))
            lines.append(f"| {name} | {one['in']} | {values} | {_cell(one['description'])} |")
        good = operation["responses"].get("200", {}).get("content", {})
        kinds = ", ".join(f"`{kind}`" for kind in good) or "nothing"
        others = ", ".join(code for code in operation["responses"] if code != "200")
        lines += ["", f"Answers {kinds}." + (f" Other statuses: {others}." if others else "")]
    return "\n".join(lines) + "\n"


def _document() -> dict[str, Any]:
    """The OpenAPI document; no database is asked for it, so none has to be there."""
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    with Database("postgresql://127.0.0.1:1/nobody") as database:
        return create_app(Hub(database)).openapi()


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation, those of one tag behind each other."""
    found = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    tags = list(dict.fromkeys((one.get("tags") or [""])[0] for _, _, one in found))
    yield from sorted(found, key=lambda it: tags.index((it[2].get("tags") or [""])[0]))


def _values(schema: dict[str, Any]) -> str:
    """What a parameter may be, in a few words."""
    kinds = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    said = []
    for one in kinds:
        if "enum" in one:
            said.append(", ".join(f"`{value}`" for value in one["enum"]))
            continue
        text = one.get("format") or one.get("type") or "text"
        low, high = one.get("minimum"), one.get("maximum")
        if low is not None or high is not None:
            text += f" {'' if low is None else f'{low:g}'}–{'' if high is None else f'{high:g}'}"
        said.append(text)
    default = schema.get("default")
    return _cell(" or ".join(said)) + ("" if default is None else f"; `{_cell(str(default))}`")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
