"""Under which address a server is called that listens where a setting says."""

import httpx
import pytest

from tsuji import up


@pytest.mark.parametrize(
    ("host", "called"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("hub.example", "hub.example"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("::1", "[::1]"),
        ("fe80::1", "[fe80::1]"),
    ],
)
def test_the_address_of_a_host_is_one_that_can_be_called(host: str, called: str) -> None:
    assert up._reachable(host) == called
    assert httpx.URL(f"http://{called}:8000").port == 8000
