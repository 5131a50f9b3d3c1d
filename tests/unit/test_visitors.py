"""Whose requests count together."""

import tracemalloc

import pytest

from tsuji_platform.visitors import address_of


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.7", 50_000), "192.0.2.7"),
        (("::ffff:192.0.2.7", 50_000), "192.0.2.7"),
        (("2001:db8:1:2:3::4", 50_000), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 50_000), "fe80::/64"),
        (("no address", 0), "unknown"),
        (("", 0), "unknown"),
        (None, "unknown"),
    ],
)
def test_a_request_counts_for_an_address_or_for_the_network_of_a_household(
    client: tuple[str, int] | None, address: str
) -> None:
    assert address_of({"client": client}) == address


def test_what_strangers_say_through_a_proxy_that_believes_them_is_not_kept() -> None:
    tracemalloc.start()
    try:
        for number in range(200):
            assert address_of({"client": (f"{number:050000}", 0)}) == "unknown"
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
