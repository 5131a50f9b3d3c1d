"""One row of a table to one feature: what is believed, what is repaired, what is left out and why."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tsuji_geo.areas import DIGITS, JAPAN
from tsuji_geo.opendata.cells import (
    Read,
    is_missing,
    narrow,
    read_count,
    read_degrees,
    read_mark,
    read_number,
)
from tsuji_geo.opendata.codes import read_code, span
from tsuji_geo.opendata.dates import read_date
from tsuji_geo.opendata.forms import Columns, Form
from tsuji_geo.opendata.geojson import Spot
from tsuji_geo.opendata.population import PopulationTable, sums_differ
from tsuji_geo.opendata.report import Report
from tsuji_geo.prefectures import PREFECTURES
from tsuji_platform.contract.features import Feature, FeatureFlag, PopulationCount
from tsuji_platform.contract.rejection import quote

_NUMBERS = {name: number for number, (name, _) in PREFECTURES.items()}
_MODERN = (
    "jgd2000", "jgd2011", "jgd2024", "wgs84", "wgs 84", "世界測地系", "epsg:4326", "epsg:6668",
    "epsg:4612", "4326", "6668", "4612",
)  # fmt: skip
_TEXTS = ("id", "prefecture", "municipality", "name_kana", "phone", "url", "note")


@dataclass(slots=True)
class _Draft:
    """What is known of a row while it is read."""

    line: int
    flags: dict[FeatureFlag, str] = field(default_factory=dict)

    def mark(self, flag: FeatureFlag, detail: str) -> None:
        before = self.flags.get(flag)
        self.flags[flag] = f"{before}; {detail}" if before else detail

    def mark_read(self, name: str, text: str, read: Read) -> None:
        if read.wide:
            self.mark(FeatureFlag.WIDE_DIGITS, f"{name} {quote(text)} was read as {read.value:g}")
        elif read.cleaned:
            self.mark(
                FeatureFlag.NUMBER_CLEANED, f"{name} {quote(text)} was read as {read.value:g}"
            )


class RowReader:
    """Reads the rows of one table in their order.

    Args:
        columns: that were recognised.
        form: of the table.
        report: to be told.
        population: for tables of population.
        default_code: of rows in a table without codes.
        six_digits: whether the codes of the table have six digits.
    """

    def __init__(
        self,
        columns: Columns,
        form: Form,
        report: Report,
        *,
        population: PopulationTable | None = None,
        default_code: str | None = None,
        six_digits: bool = False,
    ) -> None:
        self._columns = columns
        self._form = form
        self._report = report
        self._population = population
        self._default_code = default_code
        self._six = six_digits
        self._seen: dict[bytes, int] = {}
        self.publishers: set[tuple[str, str]] = set()

    def read(
        self,
        line: int,
        cells: Sequence[str],
        spot: Spot | None = None,
    ) -> Feature | None:
        """Make a feature of a row; None where it is refused, which the report then tells.

        Args:
            line: where it begins.
            cells: as many as there are columns.
            spot: of a GeoJSON, with its position and its properties as published.
        """
        report = self._report
        report.rows += 1
        draft = _Draft(line=line)
        code = self._code(cells, draft)
        point = self._place(cells, spot, draft)
        counts: Sequence[PopulationCount] = ()
        if self._population is not None and code is not None:
            counts, problems = self._population.counts(cells)
            for problem in problems:
                draft.mark(FeatureFlag.VALUE_REFUSED, problem)
            if sums_differ(counts):
                draft.mark(FeatureFlag.SUMS_DIFFER, "men and women are not together all people")
        if code is None and point is None:
            report.refuse(line, _why_not(draft))
            return None
        if self._population is not None and not counts:
            said = draft.flags.get(FeatureFlag.VALUE_REFUSED) or draft.flags.get(
                FeatureFlag.CODE_REFUSED
            )
            if code is None:
                said = said or "it has no municipality code, by which people are counted"
            report.refuse(line, said or "it counts nobody")
            return None
        fields = self._fields(cells, draft)
        capacity = fields.get("capacity")
        self._mark_repeated(line, cells, draft, None if spot is None else spot.position)
        self._tell(draft, code, point)
        return Feature(
            number=report.rows,
            line=line,
            name=self._columns.cell("name", cells),
            name_en=self._columns.cell("name_en", cells),
            address=self._address(cells),
            code=code,
            code_span=None if code is None else span(code),
            longitude=None if point is None else point[0],
            latitude=None if point is None else point[1],
            capacity=capacity if isinstance(capacity, int) else None,
            flags=tuple(sorted(draft.flags)),
            fields=fields,
            properties=self._properties(cells) if spot is None else spot.properties,
            population=() if FeatureFlag.REPEATED in draft.flags else tuple(counts),
        )

    def _code(self, cells: Sequence[str], draft: _Draft) -> str | None:
        for name in ("place_code", "code"):
            text = self._columns.cell(name, cells)
            if not text or is_missing(text):
                continue
            try:
                read = read_code(text, prefecture=self._prefecture(cells), six_digits=self._six)
            except ValueError as error:
                draft.mark(FeatureFlag.CODE_REFUSED, str(error))
                continue
            if read.completed:
                draft.mark(
                    FeatureFlag.CODE_COMPLETED, f"code {quote(text)} was read as {read.code}"
                )
            elif narrow(text) != text:
                draft.mark(FeatureFlag.WIDE_DIGITS, f"code {quote(text)} was read as {read.code}")
            return read.code
        return None if FeatureFlag.CODE_REFUSED in draft.flags else self._default_code

    def _prefecture(self, cells: Sequence[str]) -> str | None:
        """The number of the prefecture that the row names."""
        text = self._columns.cell("prefecture", cells)
        return _NUMBERS.get(text[:4]) or _NUMBERS.get(text[:3])

    def _place(
        self, cells: Sequence[str], spot: Spot | None, draft: _Draft
    ) -> tuple[float, float] | None:
        """The geometry's, where there is one; else that in the cells."""
        if spot is not None and spot.position is not None:
            return self._checked(spot.position, draft)
        point = self._position(cells, draft)
        if spot is not None and spot.trouble and point is None:
            draft.mark(FeatureFlag.POSITION_REFUSED, spot.trouble)
        return point

    def _position(self, cells: Sequence[str], draft: _Draft) -> tuple[float, float] | None:
        texts = [self._columns.cell(name, cells) for name in ("longitude", "latitude")]
        try:
            longitude, latitude = (read_degrees(text) for text in texts)
        except ValueError as error:
            draft.mark(FeatureFlag.POSITION_REFUSED, str(error))
            return None
        if longitude is None and latitude is None:
            return None
        if longitude is None or latitude is None:
            missing = "longitude" if longitude is None else "latitude"
            draft.mark(FeatureFlag.POSITION_REFUSED, f"the {missing} is missing")
            return None
        datum = self._columns.cell("datum", cells)
        if datum and not narrow(datum).lower().startswith(_MODERN):
            draft.mark(
                FeatureFlag.POSITION_REFUSED,
                f"datum {quote(datum)} is not JGD2011, JGD2000 or WGS 84 (世界測地系)",
            )
            return None
        point = self._checked((longitude.value, latitude.value), draft)
        if point is not None:
            draft.mark_read("longitude", texts[0], longitude)
            draft.mark_read("latitude", texts[1], latitude)
        return point

    def _checked(self, point: tuple[float, float], draft: _Draft) -> tuple[float, float] | None:
        longitude, latitude = point
        if longitude == latitude == 0:  # how an unknown position is often written
            return None
        if _is_in_japan(longitude, latitude):
            return round(longitude, DIGITS), round(latitude, DIGITS)
        if _is_in_japan(latitude, longitude):
            draft.mark(
                FeatureFlag.COORDINATES_SWAPPED,
                f"latitude {latitude:g} and longitude {longitude:g} stand in each other's place",
            )
            return round(latitude, DIGITS), round(longitude, DIGITS)
        draft.mark(
            FeatureFlag.POSITION_REFUSED,
            f"latitude {latitude:g}, longitude {longitude:g} is not in Japan",
        )
        return None

    def _fields(self, cells: Sequence[str], draft: _Draft) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name in _TEXTS:
            text = self._columns.cell(name, cells)
            if text:
                fields[name] = text
        kinds = {name: one.type for name, one in self._form.fields.items()} | {"date": "date"}
        for name, kind in kinds.items():
            text = self._columns.cell(name, cells)
            if not text or name in ("people", "sex", "age"):
                continue
            try:
                value = self._value(name, kind, text, draft)
            except ValueError as error:
                if not (kind == "date" and is_missing(text)):
                    draft.mark(FeatureFlag.VALUE_REFUSED, f"{name}: {error}")
                continue
            if value is not None:
                fields[name] = value
        return fields

    def _value(self, name: str, kind: str, text: str, draft: _Draft) -> Any:
        if kind == "mark":
            return read_mark(text)
        if kind == "date":
            return str(read_date(text))
        if kind in ("count", "number"):
            if is_missing(text):
                return None
            read = read_count(text) if kind == "count" else read_number(text)
            if read is None:
                return None
            draft.mark_read(name, text, read)
            return int(read.value) if kind == "count" else read.value
        return text

    def _address(self, cells: Sequence[str]) -> str:
        parts = ("prefecture", "municipality", "town", "lot")
        whole = self._columns.cell("address", cells)
        if not whole and "town" in self._columns:
            whole = "".join(self._columns.cell(name, cells) for name in parts)
        building = self._columns.cell("building", cells)
        return f"{whole} {building}".strip() if building not in whole else whole

    def _properties(self, cells: Sequence[str]) -> dict[str, str]:
        return {name: cell for name, cell in zip(self._columns.names, cells, strict=False) if cell}

    def _mark_repeated(
        self,
        line: int,
        cells: Sequence[str],
        draft: _Draft,
        position: tuple[float, float] | None,
    ) -> None:
        whole = hashlib.blake2b(repr((*cells, position)).encode("utf-8", "replace"), digest_size=16)
        before = self._seen.setdefault(whole.digest(), line)
        if before != line:
            draft.mark(FeatureFlag.REPEATED, f"the same as line {before}")

    def _tell(self, draft: _Draft, code: str | None, point: tuple[float, float] | None) -> None:
        report = self._report
        report.taken += 1
        report.repaired += any(flag.is_repair for flag in draft.flags)
        report.doubtful += any(not flag.is_repair for flag in draft.flags)
        report.without_position += point is None
        report.without_code += code is None
        report.flags.update(list(draft.flags))
        for flag, detail in draft.flags.items():
            report.note(draft.line, flag, detail)

    def see_publisher(self, cells: Sequence[str]) -> None:
        """Remember of which prefecture and municipality a row is, as long as they are few."""
        if len(self.publishers) < 2:
            self.publishers.add(
                (self._columns.cell("prefecture", cells), self._columns.cell("municipality", cells))
            )


def _is_in_japan(longitude: float, latitude: float) -> bool:
    west, south, east, north = JAPAN
    return west <= longitude <= east and south <= latitude <= north


def _why_not(draft: _Draft) -> str:
    said = [
        draft.flags[flag]
        for flag in (FeatureFlag.POSITION_REFUSED, FeatureFlag.CODE_REFUSED)
        if flag in draft.flags
    ]
    return "; ".join(said) or "it has neither coordinates nor a municipality code"
