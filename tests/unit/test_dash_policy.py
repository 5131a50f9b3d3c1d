"""The policy of the dashboard's pages lets pictures come from the tile server that is set, and no other."""

import pytest

from tsuji_dashboard.policy import content_policy


@pytest.mark.parametrize(
    ("tiles_url", "allowed"),
    [
        ("https://tiles.example.jp/{z}/{x}/{y}.png", " https://tiles.example.jp"),
        ("http://tiles.example.jp:8080/{z}/{x}/{y}.png", " http://tiles.example.jp:8080"),
        ("https://{s}.tiles.example.jp/{z}/{x}/{y}.png", " https://a.tiles.example.jp"),
        ("https://tile-{s}.example.jp/{z}/{x}/{y}.png", " https://tile-a.example.jp"),
        ("//tiles.example.jp/{z}/{x}/{y}.png", " tiles.example.jp"),
        ("https://user:word@tiles.example.jp/{z}/{x}/{y}.png", " https://tiles.example.jp"),
        ("https://[2001:db8::1]/{z}/{x}/{y}.png", " https://[2001:db8::1]"),
        ("/tiles/{z}/{x}/{y}.png", ""),
        ("https://tiles.example.jp; script-src */{z}/{x}/{y}.png", ""),
        ("https://[tiles/{z}", ""),
        ("", ""),
    ],
)
def test_tiles_come_from_where_the_map_asks_for_them(tiles_url: str, allowed: str) -> None:
    directives = content_policy(tiles_url).split("; ")
    assert f"img-src 'self' data: blob:{allowed}" in directives
    assert len(directives) == len(content_policy("").split("; "))
