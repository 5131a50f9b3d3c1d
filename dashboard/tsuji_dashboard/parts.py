"""Attributes whose names Python can't spell: `aria-…` and `data-…`."""

from typing import Any


def aria(**values: str) -> dict[str, Any]:
    """`aria(label="…")` as keyword arguments for a component."""
    return {f"aria-{name}": value for name, value in values.items()}


def data(**values: str) -> dict[str, Any]:
    """`data(figure_age="…")` as keyword arguments for a component."""
    return {f"data-{name.replace('_', '-')}": value for name, value in values.items()}
