"""Derived figures, residents and shelters of an area in the panel, each with its source one click away."""

from collections.abc import Iterable, Sequence
from typing import Any

from dash import html

from tsuji_dashboard.bins import BINS
from tsuji_dashboard.charts import moment, number
from tsuji_dashboard.parts import data
from tsuji_dashboard.profile import DerivedFigure, Listed, Profile, Rate, Source
from tsuji_dashboard.texts import LANGUAGES, TEXTS, Lang, is_japanese, text, unit_label

_FIRST = (
    "congestion", "level_of_service", "percent_of_typical", "percent_of_capacity", "pedestrian_flow",
    "wbgt", "heat_index", "wind_chill", "rain_band", "pm2_5_day_mean",
)  # fmt: skip
_WIND = ("wind_vector_speed", "wind_vector_from_direction")


def _of(both: tuple[str, str], lang: Lang) -> str:
    return both[LANGUAGES.index(lang)]


def derived_section(profile: Profile, lang: Lang) -> list[Any]:
    """Derived figures with a value, then those without and why."""
    told = [it for key in _FIRST if (it := profile.derived.get(key)) and _known(it)]
    rows = [_row(it, _shown(it, lang), lang) for it in told]
    speed, direction = (profile.derived.get(key) for key in _WIND)
    if speed and speed.value is not None:
        rows.append(_row(speed, _wind(speed, direction, lang), lang))
    missing = [
        it for key, it in profile.derived.items() if key in (*_FIRST, _WIND[0]) and not _known(it)
    ]
    return [
        html.Section(
            [
                html.H3(text("derived", lang)),
                html.Div(rows, className="derived-list") if rows else None,
                _missing(missing, lang) if missing else None,
            ]
        )
    ]


def _known(it: DerivedFigure) -> bool:
    return it.value is not None or it.band is not None


def _shown(it: DerivedFigure, lang: Lang) -> list[Any]:
    """Value, unit and band; a level or a label is its own band, whose number nobody needs."""
    band = _worded(it, _of(it.band, lang), lang) if it.band else ""
    if it.value is None or it.id in ("congestion", "level_of_service"):
        return [html.Span(band, className="derived-value")]
    unit = unit_label(it.unit_label, lang)
    return [
        html.Span(number(it.value, it.decimals), className="derived-value", **data(derived=it.id)),
        html.Span(unit, className="tile-unit"),
        html.Span(band, className="derived-band") if band else None,
    ]


def _worded(it: DerivedFigure, band: str, lang: Lang) -> str:
    """The band as the map's legend words it, where that says the same and more."""
    bins = BINS.get(it.id)
    if bins is None or it.value is None or not bins.words:
        return band
    key = bins.words[bins.index(it.value)]
    word = text(key, lang) if key else ""
    return word if word.startswith(band) else band


def _wind(speed: DerivedFigure, direction: DerivedFigure | None, lang: Lang) -> list[Any]:
    shown = _shown(speed, lang)
    if direction is None or direction.value is None:
        return shown
    sector = int(((direction.value + 22.5) % 360) // 45)
    said = text(f"compass.{sector}", lang) + f" {direction.value:.0f}°"
    return [*shown, html.Span(said, className="derived-band")]


def _row(it: DerivedFigure, shown: Sequence[Any], lang: Lang) -> html.Details:
    """One figure; opened it says by which rule, of what and when, how and after whom."""
    marked = [html.Span("≈", className="guess", title=text("estimated.short", lang))]
    rule = text("by_rule", lang, rule=text(f"rule.{it.rule}", lang)) if _rule(it) else ""
    notes = [
        rule,
        _of(it.reason, lang),
        _away(it, lang),
        text("derived.as_of", lang, time=moment(it.time, lang)) if it.time else "",
        _of(it.method, lang),
        _source(it, lang),
    ]
    return html.Details(
        [
            html.Summary(
                [
                    html.Span(_of(it.label, lang), className="derived-name"),
                    html.Span(
                        [*(marked if it.away else ()), *shown], className="derived-shown"
                    ),
                    html.Span(rule, className="derived-rule") if rule else None,
                ]
            ),
            *(html.P(note) for note in notes[1 if rule else 0 :] if note),
        ],
        className="derived",
        **data(derived_row=it.id, fold=f"derived-{it.id}"),
    )  # fmt: skip


def _source(it: DerivedFigure, lang: Lang) -> str:
    """Who defines it; what only names its rule has no source of its own."""
    if it.id == "congestion":
        return ""
    key = f"derived_source.{it.id}"
    return text("source", lang, source=text(key, lang) if key in TEXTS else it.source)


def _rule(it: DerivedFigure) -> bool:
    return it.rule is not None and f"rule.{it.rule}" in TEXTS


def _away(it: DerivedFigure, lang: Lang) -> str:
    if it.away is None:
        return ""
    ends = dict.fromkeys(number(metres / 1000, 1) for metres in it.away)
    return text("estimated.inputs", lang, distance="–".join(ends) + " km")


def _missing(missing: Iterable[DerivedFigure], lang: Lang) -> html.Details:
    rows: list[Any] = []
    for it in missing:
        rows += [html.Dt(_of(it.label, lang)), html.Dd(_of(it.reason, lang) or "–")]
    return html.Details(
        [html.Summary(text("derived.missing", lang)), html.Dl(rows)],
        className="missing",
        **data(fold="derived-missing"),
    )


def residents_section(profile: Profile, lang: Lang) -> list[Any]:
    """Who lives in the area, and what is listed in it, with the datasets that say so."""
    rows: list[tuple[str, Any]] = []
    if profile.people:
        rows.append((text("population.people", lang), _count(profile.people.count, "people", lang)))
    if profile.households:
        shown = _count(profile.households.count, "households", lang)
        rows.append((text("population.households", lang), shown))
    if profile.people:
        rows.append((text("population.density", lang), _rate(profile.density, 0, lang)))
        rows.append((text("population.counted", lang), _rate(profile.per_resident, 2, lang)))
    if profile.km2 is not None:
        rows.append((text("population.size", lang), f"{number(profile.km2, 2)} km²"))
    for it in profile.shelters:
        rows.append((kind_of_place(it.kind, lang), _places(it, lang)))
        if it.capacity is not None and it.per_resident is not None:
            rows.append((text("shelters.per_resident", lang), _rate(it.per_resident, 2, lang)))
    rows += [(kind_of_place(it.kind, lang), _places(it, lang)) for it in profile.facilities]
    said: dict[Source, str] = {}
    for counted in (profile.people, profile.households):
        if counted:
            said[counted.source] = counted.date
    for listed in (*profile.shelters, *profile.facilities):
        said.setdefault(listed.source, listed.source.date or "")
    if not rows:
        return []
    cells = [cell for name, shown in rows for cell in (html.Dt(name), html.Dd(shown))]
    return [
        html.Section(
            [
                html.H3(text("residents", lang)),
                html.Dl(cells),
                html.Details(
                    [
                        html.Summary(text("sources", lang)),
                        html.Ul(
                            [html.Li(credit(source, date, lang)) for source, date in said.items()]
                        ),
                    ],
                    **data(fold="sources"),
                )
                if said
                else None,
            ],
            className="residents",
        )
    ]


def credit(source: Source, date: str, lang: Lang) -> list[Any]:
    """Title, publisher, licence and date of a dataset, as they must stand wherever it is shown."""
    parts = (_of(source.title, lang), source.publisher, source.licence, date, source.source)
    said = [credited(part, lang) for part in parts if part]
    return [it for i, part in enumerate(said) for it in ((" · ", part) if i else (part,))]


def credited(name: str, lang: Lang) -> Any:
    """A publisher's name, licence or source in the reader's language; marked where it stays Japanese."""
    said = text(f"credited.{name}", lang) if f"credited.{name}" in TEXTS else name
    return html.Span(said, lang="ja") if lang != "ja" and is_japanese(said) else said


def kind_of_place(kind: str, lang: Lang) -> str:
    """What a kind of listed places is called; an unknown one as it was imported."""
    key = f"place.{kind}"
    return text(key, lang) if key in TEXTS else kind


def _count(value: int, unit: str, lang: Lang) -> str:
    return text(f"count.{unit}", lang, n=f"{value:,}")


def _places(it: Listed, lang: Lang) -> str:
    shown = _count(it.features, "places", lang)
    if it.capacity is None:
        return shown
    return shown + text("shelters.capacity", lang, n=f"{it.capacity:,}")


def _rate(rate: Rate, decimals: int, lang: Lang) -> str:
    if rate.value is None:
        return _of(rate.reason, lang) or "–"
    return f"{number(rate.value, decimals)} {unit_label(rate.unit_label, lang)}"
