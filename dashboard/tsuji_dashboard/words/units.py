"""Units that are words."""

TEXTS: dict[str, tuple[str, str]] = {
    "unit.people/h": ("人/時", "people/h"),
    "unit.people": ("人", "people"),
    "unit.people / 15 min": ("人/15分", "people / 15 min"),
    "unit.people/m²": ("人/m²", "people/m²"),
    "unit.mm / 15 min": ("mm/15分", "mm / 15 min"),
    "unit.mm/h": ("mm/時", "mm/h"),
    "unit.people/km²": ("人/km²", "people/km²"),
    "unit.per resident and hour": ("人/人・時", "per resident and hour"),
    "unit.per resident": ("人/人", "per resident"),
    "unit.people/min/m": ("人/分/m", "people/min/m"),
    "unit.people / 6 h": ("人/6時間", "people / 6 h"),
    "unit.people / 1 h": ("人/時", "people / h"),
    "unit.mm / 1 h": ("mm/時", "mm / h"),
    "unit.mm / 6 h": ("mm/6時間", "mm / 6 h"),
}
