"""What strangers sent is shown without obeying it."""

import pytest

from tsuji.terminal import dump, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("西新宿1号 °C", "西新宿1号 °C"),
        ("\x1b[2J\x1b]0;gone\x07", "\\x1b[2J\\x1b]0;gone\\x07"),
        ("a\nreason ok\r\tb", "a\\nreason ok\\r\\tb"),
        ("left\u202etfel\u200b", "left\\u202etfel\\u200b"),
        ("\x9b31m\x7f\x00", "\\x9b31m\\x7f\\x00"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_is_not_visible_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert shown.isprintable()


def test_text_is_shown_as_text_line_by_line() -> None:
    assert dump('{"名": 1,\n "b": "\x1b"}'.encode()) == ['{"名": 1,', ' "b": "\\x1b"}']
    assert dump(b"") == [""]


def test_a_character_that_is_cut_in_two_does_not_make_text_binary() -> None:
    assert dump("温度計".encode()[:-1]) == ["温度"]


def test_binary_is_shown_in_hex() -> None:
    assert dump(bytes(range(18))) == [
        "000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  ................",
        "000010  10 11                                            ..",
    ]
    assert dump(b"\xff{}")[0].endswith("  .{}")
    assert dump("温度".encode("shift_jis"))[0].startswith("000000  89 b7")
    for payload in (bytes(range(256)), b"\x1b\x07" * 9, b"{\x9b"):
        assert all(line.isprintable() for line in dump(payload))
