"""The commands by name, each loaded when it is asked for.

A health check that runs every few seconds, or a script of many commands, would else load the whole hub
each time.
"""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any

import typer

_PLACES = {
    "up": "up:up",
    "doctor": "doctor:doctor",
    "healthy": "healthy:healthy",
    "migrate": "services:migrate",
    "ingest": "services:ingest",
    "api": "services:api",
    "dashboard": "services:dashboard",
    "simulate": "simulate:simulate",
    "simulate-past": "simulated_past:simulate_past",
    "import": "importing:import_",
    "export": "exporting:export",
    "backup": "backups:backup",
    "restore": "backups:restore",
    "record": "record:record",
    "replay": "replay:app",
    "areas": "areas:app",
    "datasets": "datasets:app",
    "alerts": "alerts:app",
    "rejected": "rejected:app",
    "retention": "keeping:app",
    "keys": "keys:app",
    "roles": "roles:app",
    "devices": "devices:app",
}
"""Module and function, or group of commands, in the order of the help text."""


class Commands(MutableMapping[str, Any]):
    """The commands of `tsuji`, as typer keeps those of a group."""

    def __init__(self) -> None:
        self._places = dict(_PLACES)
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._places[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._places.setdefault(name, "")
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._loaded.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _load(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"tsuji.{module}"), attribute)
    holder = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        holder.command(name)(found)
        holder.callback()(lambda: None)
    return typer.main.get_group(holder).commands[name]
