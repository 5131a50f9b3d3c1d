"""Tables of population: which column counts whom, and what a row of one says, long or wide."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from tsuji_geo.opendata.cells import narrow, read_count
from tsuji_geo.opendata.dates import read_date
from tsuji_geo.opendata.forms import Columns, plain
from tsuji_platform.contract.features import Measure, PopulationCount, Sex, StatedDate
from tsuji_platform.contract.rejection import quote

MAX_AGE = 130

_SEXES: tuple[tuple[str, Sex], ...] = (
    ("男女計", "total"), ("男女合計", "total"), ("男女総数", "total"), ("女性", "female"), ("女", "female"),
    ("female", "female"), ("男性", "male"), ("男", "male"), ("male", "male"),
)  # fmt: skip
"""The first that a name holds is meant."""
_TOTALS = frozenset(
    {"", "総数", "計", "合計", "総計", "男女計", "全体", "全年齢", "total", "all", "both", "総人口"}
)
_WHOLE = frozenset(
    {"", "総数", "計", "合計", "総計", "総合計", "総人口", "全域", "全体", "total"}
    | {f"{one}{word}" for one in "市区町村" for word in ("全体", "全域", "計", "合計", "総数")}
    | {f"全{one}" for one in "市区町村"}
)
"""What stands in the column of regions where a row counts the whole municipality."""
_YEAR = re.compile(r"(令和|平成|昭和)(\d{1,2}|元)年|((?:19|20)\d{2})年?")
_AGE = re.compile(
    r"(?P<from>\d{1,3})(?:歳)?[-~〜](?P<to>\d{1,3})歳?|(?P<over>\d{1,3})歳?以上|(?P<one>\d{1,3})歳"
)
_SPACES = re.compile(r"\s")
_PLAIN_AGE = re.compile(r"(\d{1,3})(?:-(\d{1,3})|(\+))?")
_WORDS = re.compile(
    r"人口|総数|総計|合計|計|総|数|年齢|の|人|者|[_\-~()・/\s]|population|total|people|age"
)
_CENSUS = re.compile(r"国勢調査|census")
_SERIES = re.compile(r"[a-z]{0,20}")
_ELSE = re.compile(
    r"density|rate|ratio|percent|share|growth|change|increase|decrease|foreign|birth|death|average|mean"
)
"""English words for what is no count of all people, as 密度 and 外国人 are."""
_HOUSEHOLDS = re.compile(r"世帯数?|households?")
_MEANS = re.compile(r"人口|総数|男|女|male|total|population|歳")
_CENSUS_DAY = (10, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountColumn:
    """A column of a wide table that counts people or households.

    Attributes:
        series: what its name adds, such as `census`.
        date: where its name says one.
    """

    series: str = ""
    date: StatedDate | None = None
    measure: Measure = "people"
    sex: Sex = "total"
    age_from: int | None = None
    age_to: int | None = None


def count_column(name: str) -> CountColumn | None:
    """Read a column's name as those of the standard form: 総人口, 男性, 0-4歳の男性, 85歳以上の女性, 世帯数.

    `census2020_total` and `令和2年総人口` say a year; of a census year the day is known, 1 October.
    None for what counts something else or someone in particular (人口密度, 外国人人口,
    population_density).
    """
    rest = unicodedata.normalize("NFKC", name).lower().replace("～", "~").replace("−", "-")
    households = _HOUSEHOLDS.search(rest)
    if not households and not _MEANS.search(rest):
        return None
    measure: Measure = "households" if households else "people"
    rest = _HOUSEHOLDS.sub("", rest)
    age = _AGE.search(rest)
    age_from = age_to = None
    if age:
        age_from, age_to = _ages(age)
        if age_to is not None and not age_from <= age_to <= MAX_AGE:
            return None
        rest = rest[: age.start()] + rest[age.end() :]
    year, rest = _year(rest)
    sex: Sex = "total"
    for word, meaning in _SEXES:
        if word in rest:
            sex, rest = meaning, rest.replace(word, "", 1)
            break
    is_census = bool(_CENSUS.search(rest))
    rest = _WORDS.sub("", _CENSUS.sub("", rest))
    if not _SERIES.fullmatch(rest) or _ELSE.search(rest):
        return None
    stated = None
    if year is not None:
        stated = StatedDate(first_day=date(year, 1, 1), precision="year")
        if is_census:
            stated = StatedDate(first_day=date(year, *_CENSUS_DAY))
    return CountColumn(
        series="census" if is_census else rest,
        date=stated,
        measure=measure,
        sex=sex,
        age_from=age_from,
        age_to=age_to,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationTable:
    """How the rows of one table are read.

    Attributes:
        columns: recognised ones.
        wide: place of a counting column, and what it counts.
        date: of rows and columns that say none.
    """

    columns: Columns
    wide: tuple[tuple[int, CountColumn], ...]
    date: StatedDate | None = None

    @classmethod
    def of(cls, columns: Columns, stated: StatedDate | None) -> "PopulationTable":
        """Recognise the counting columns.

        Raises:
            ValueError: there is none, or no date for them; says what is needed.
        """
        wide: list[tuple[int, CountColumn]] = []
        is_long = "people" in columns and ("sex" in columns or "age" in columns)
        if not is_long:
            wide = [
                (place, found)
                for place, name in enumerate(columns.names)
                if (found := count_column(name)) is not None
            ]
            if not wide:
                raise ValueError(
                    "no column counts people: the standard form has 総人口, 男性, 女性 and 0-4歳の男性, a "
                    "long table 性別 or 年齢 with 人口"
                )
        undated = is_long or any(it.date is None for _, it in wide)
        if undated and stated is None and "date" not in columns:
            raise ValueError("no column says the date (調査年月日): name it with --date")
        return cls(columns=columns, wide=tuple(wide), date=stated)

    def counts(self, cells: Sequence[str]) -> tuple[list[PopulationCount], list[str]]:
        """What a row counts, and what of it can't be read."""
        stated = self.date
        written = self.columns.cell("date", cells)
        if written:
            try:
                stated = read_date(written)
            except ValueError as error:
                return [], [str(error)]
        region = self.columns.cell("region", cells)
        region_code = narrow(self.columns.cell("region_code", cells))
        named = plain(region)
        if named in _WHOLE or named == plain(self.columns.cell("municipality", cells)):
            region = region_code = ""
        found: list[PopulationCount] = []
        problems: list[str] = []
        if self.wide:
            pairs = [(column, cells[place]) for place, column in self.wide]
        else:
            try:
                pairs = [(self._long(cells), self.columns.cell("people", cells))]
            except ValueError as error:
                return [], [str(error)]
        for column, cell in pairs:
            try:
                count = read_population(cell)
            except ValueError as error:
                problems.append(str(error))
                continue
            when = column.date or stated
            if count is None:
                continue
            if when is None:
                problems.append("the row has no date")
                break
            found.append(
                PopulationCount(
                    region_code=region_code,
                    region=region,
                    series=column.series,
                    date=when,
                    measure=column.measure,
                    sex=column.sex,
                    age_from=column.age_from,
                    age_to=column.age_to,
                    count=count,
                )
            )
        return _without_doubles(found, problems), problems

    def _long(self, cells: Sequence[str]) -> CountColumn:
        sex = self.columns.cell("sex", cells)
        age_from, age_to = read_ages(self.columns.cell("age", cells))
        column = count_column(narrow(sex)) if plain(sex) not in _TOTALS else CountColumn()
        if column is None or column.age_from is not None or column.series:
            raise ValueError(f"sex {quote(sex)} is none of 男, 女, 総数")
        return replace(column, age_from=age_from, age_to=age_to)


def read_population(cell: str) -> int | None:
    """A count; a dash is zero, as tables of statistics write it; None for what is empty or kept secret.

    Raises:
        ValueError: no whole number.
    """
    if narrow(cell) == "-":
        return 0
    read = read_count(cell)
    return None if read is None else int(read.value)


def read_ages(text: str) -> tuple[int | None, int | None]:
    """Youngest and oldest age of a group: 0-4歳, 85歳以上, 20, 総数.

    Raises:
        ValueError: no such group.
    """
    bare = _SPACES.sub("", narrow(text)).lower().replace("～", "~")
    if bare in _TOTALS:
        return None, None
    words = _AGE.fullmatch(bare)
    if words:
        first, last = _ages(words)
    else:
        digits = _PLAIN_AGE.fullmatch(bare)
        if digits is None:
            raise ValueError(f"age {quote(text)} is not such as 0-4歳, 85歳以上, 20 or 総数")
        first = int(digits[1])
        last = None if digits[3] else int(digits[2] or first)
    if first > MAX_AGE or (last is not None and not first <= last <= MAX_AGE):
        raise ValueError(f"age {quote(text)} is no age of people")
    return first, last


def sums_differ(counts: Sequence[PopulationCount]) -> bool:
    """Whether men and women are not together all people, at any date."""
    whole = {
        (it.series, it.date, it.sex): it.count
        for it in counts
        if it.measure == "people" and it.age_from is None
    }
    return any(
        sex == "total"
        and (series, when, "male") in whole
        and (series, when, "female") in whole
        and whole[series, when, "male"] + whole[series, when, "female"] != count
        for (series, when, sex), count in whole.items()
    )


def _ages(match: "re.Match[str]") -> tuple[int, int | None]:
    if match["over"]:
        return int(match["over"]), None
    if match["one"]:
        return int(match["one"]), int(match["one"])
    return int(match["from"]), int(match["to"])


def _year(text: str) -> tuple[int | None, str]:
    found = _YEAR.search(text)
    if not found:
        return None, text
    rest = text[: found.start()] + text[found.end() :]
    if found[3]:
        return int(found[3]), rest
    begin = {"令和": 2018, "平成": 1988, "昭和": 1925}[found[1]]
    return begin + (1 if found[2] == "元" else int(found[2])), rest


def _without_doubles(counts: list[PopulationCount], problems: list[str]) -> list[PopulationCount]:
    """Two columns of one meaning with different numbers are a problem; the first one counts."""
    seen: dict[PopulationCount, int] = {}
    kept = []
    for it in counts:
        key = replace(it, count=0)
        if key not in seen:
            seen[key] = it.count
            kept.append(it)
        elif seen[key] != it.count:
            problems.append(f"two columns count the same and say {seen[key]:,} and {it.count:,}")
    return kept
