"""Codes, numbers, coordinates and dates as offices write them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuji_geo.opendata.cells import read_count, read_degrees, read_mark
from tsuji_geo.opendata.codes import has_six_digits, read_code, span
from tsuji_geo.opendata.dates import read_date
from tsuji_geo.prefectures import check_digit

WIDE = str.maketrans("0123456789.-/", "０１２３４５６７８９．－／")
five_digits = st.builds(
    lambda prefecture, rest: f"{prefecture:02d}{rest:03d}",
    st.integers(1, 47),
    st.integers(100, 799),
)
days = st.dates(date(1873, 1, 1), date(2199, 12, 31))


@given(five_digits)
def test_five_and_six_digits_are_the_same_code(code: str) -> None:
    assert read_code(code).code == code
    six = code + check_digit(code)
    for text in (six, f" {six}\t", six.translate(WIDE), f"'{six}"):
        assert read_code(text).code == code
    assert read_code(f"{six}.0", six_digits=True).code == code


@given(five_digits.filter(lambda code: code[0] == "0"))
def test_lost_zeros_are_restored(code: str) -> None:
    assert read_code(code[1:]).code == code
    assert read_code(code[1:]).completed
    six = code + check_digit(code)
    assert read_code(six[1:], six_digits=True).code == code
    assert read_code(six[1:], prefecture=code[:2]).code == code


@given(five_digits, st.integers(0, 9))
def test_a_wrong_check_digit_is_refused(code: str, digit: int) -> None:
    if str(digit) == check_digit(code):
        assert read_code(f"{code}{digit}").code == code
    else:
        with pytest.raises(
            ValueError, match=f"'{code}{digit}' should end in .* {check_digit(code)}"
        ):
            read_code(f"{code}{digit}")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("131041", "13104"),
        ("12025", "01202"),  # Hakodate's 012025: no code goes on with 0
        ("10006", "01000"),
        ("130001", "13000"),
        ("13", "13000"),
        ("1", "01000"),
        ("1.31041E+05", "13104"),
        ("1.3104E+04", "13104"),
        ("\ufeff131041", "13104"),
        ("12106", "12106"),
    ],
)
def test_codes_that_are_read(text: str, code: str) -> None:
    assert read_code(text).code == code


@pytest.mark.parametrize(
    "text",
    [
        "131",
        "1310411",
        "13104a",
        "480001",
        "00000",
        "99999",
        "13-104",
        "",
        "十三",
        "²³¹⁰⁴x",
        "1.31E+04",
        "1.3E+04",
    ],
)
def test_codes_that_are_none_are_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="code ") as caught:
        read_code(text)
    assert repr(text) in str(caught.value)


def test_what_can_be_two_codes_is_told_by_the_row_or_the_column() -> None:
    assert read_code("12106").code == "12106"
    assert read_code("12106", prefecture="01").code == "01210"
    assert read_code("12106", prefecture="12", six_digits=True).code == "12106"
    assert read_code("12106", six_digits=True).code == "01210"
    assert has_six_digits(["12106", "131041"])
    assert has_six_digits(["12106", "12025"])
    assert not has_six_digits(["12106", "13104"])
    assert not has_six_digits(["12106"])


def test_a_code_spans_what_lies_within_it() -> None:
    assert span("13104") == ("13104", "13104")
    assert span("13000") == ("13001", "13999")
    assert span("14100") == ("14100", "14129")  # Yokohama, up to Kawasaki
    assert span("14150") == ("14150", "14199")
    assert span("01100") == ("01100", "01199")


@given(st.integers(0, 2_000_000_000))
def test_whole_numbers_are_read_however_they_are_written(number: int) -> None:
    for text in (f"{number}", f"{number:,}", f"約{number:,}人", f"{number}.0", f" {number}名 "):
        read = read_count(text)
        assert read is not None
        assert read.value == number
    read = read_count(str(number).translate(WIDE))
    assert read is not None
    assert (read.value, read.wide) == (number, True)


@pytest.mark.parametrize("text", ["", "  ", "-", "－", "不明", "…"])
def test_a_cell_without_a_number_is_none(text: str) -> None:
    assert read_count(text) is None


@pytest.mark.parametrize(
    "text", ["-1", "1.5", "1,23", "1_000", "nan", "inf", "1e9", "五百", "9" * 400, "100人200人"]
)
def test_what_is_no_whole_number_is_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        read_count(text)


@given(st.floats(20, 154).map(lambda value: round(value, 7)))
def test_degrees_are_read_however_they_are_written(degrees: float) -> None:
    plain = f"{degrees:.7f}"
    for text in (plain, plain.translate(WIDE), f"北緯{plain}", f"E{plain}"):
        read = read_degrees(text)
        assert read is not None
        assert read.value == pytest.approx(degrees, abs=1e-9)


@given(st.integers(20, 153), st.integers(0, 59), st.integers(0, 5999))
def test_degrees_minutes_and_seconds_are_read(degrees: int, minutes: int, hundredths: int) -> None:
    expected = degrees + minutes / 60 + hundredths / 360_000
    seconds = f"{hundredths / 100:.2f}"
    for text in (
        f"{degrees}°{minutes}′{seconds}″",
        f"{degrees}度{minutes}分{seconds}秒",
        f"{degrees}° {minutes}' {seconds}\"",
        f"北緯{degrees}度{minutes}分{seconds}秒".translate(WIDE),
    ):
        read = read_degrees(text)
        assert read is not None
        assert read.value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("text", ["35,689", "35度70分10秒", "3 5", "nan", "35.6.8", "東京"])
def test_what_is_no_coordinate_is_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="is not a coordinate"):
        read_degrees(text)


def test_marks_are_yes_no_or_nothing() -> None:
    assert [read_mark(text) for text in ("1", "○", "◯", "有", "TRUE", "１")] == [True] * 6
    assert [read_mark(text) for text in ("0", "×", "無", "false")] == [False] * 4
    assert read_mark("") is None
    with pytest.raises(ValueError, match="'たぶん'"):
        read_mark("たぶん")


@given(days)
def test_days_are_read_however_they_are_written(day: date) -> None:
    written = [
        day.isoformat(),
        f"{day.year}/{day.month}/{day.day}",
        f"{day.year}.{day.month:02d}.{day.day:02d}",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day.year}年{day.month}月{day.day}日現在".translate(WIDE),
        f"{day.year}年{day.month}月{day.day}日（{'月火水木金土日'[day.weekday()]}） 現在",
        f"{day:%Y%m%d}",
        f"{day.isoformat()}T00:00:00",
    ]
    for begin, names in (
        (date(2019, 5, 1), ("令和", "R")),
        (date(1989, 1, 8), ("平成", "H")),
        (date(1926, 12, 25), ("昭和", "S")),
        (date(1912, 7, 30), ("大正", "T")),
    ):
        if begin <= day < begin + timedelta(days=98 * 365):
            year = day.year - begin.year + 1
            written += [f"{name}{year}.{day.month}.{day.day}" for name in names]
            shown = "元" if year == 1 else str(year)
            written.append(f"{names[0]}{shown}年{day.month}月{day.day}日")
            break
    for text in written:
        read = read_date(text)
        assert (read.first_day, read.precision) == (day, "day"), text
        assert str(read) == day.isoformat()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("令和7年", "2025"),
        ("2025", "2025"),
        ("令和6年度", "2024"),
        ("2025年4月", "2025-04"),
        ("R7.4", "2025-04"),
        ("202504", "2025-04"),
        ("令和元年", "2019"),
        ("平成31年4月30日", "2019-04-30"),
    ],
)
def test_a_month_or_year_says_no_more_than_that(text: str, shown: str) -> None:
    assert str(read_date(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7/4/1",
        "2025/13/1",
        "2025-02-30",
        "令和0年",
        "令和元年4月1日",
        "1月1日",
        "45292.5",
        "明日",
        "20251301",
    ],
)
def test_what_is_no_date_is_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="'") as caught:
        read_date(text)
    assert repr(text) in str(caught.value)


@given(st.text(max_size=40))
def test_no_text_breaks_a_reader(text: str) -> None:
    refused: list[ValueError] = []
    for read in (read_code, read_count, read_degrees, read_mark, read_date):
        try:
            read(text)
        except ValueError as error:
            refused.append(error)
    # others, such as those of decoders, are no words of ours
    assert [one for one in refused if type(one) is not ValueError or not str(one)] == []
