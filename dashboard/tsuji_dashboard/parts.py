"""Attributes whose names Python can't spell, `aria-…` and `data-…`, and the button that saves a chart."""

from typing import Any

from dash import html

from tsuji_dashboard.texts import Lang, text


def aria(**values: str) -> dict[str, Any]:
    """`aria(label="…")` as keyword arguments for a component."""
    return {f"aria-{name}": value for name, value in values.items()}


def data(**values: str) -> dict[str, Any]:
    """`data(figure_age="…")` as keyword arguments for a component."""
    return {f"data-{name.replace('_', '-')}": value for name, value in values.items()}


def png_button(lang: Lang, *named: str) -> html.Button:
    """Saves the chart beside it; the file is called after what it shows, and the browser adds the moment."""
    return html.Button(
        text("chart.png", lang), type="button", className="png", **data(png="-".join(named))
    )
