"""Sockets that services listen on."""

import socket

import pytest

from tsuji_platform.listening import take


@pytest.mark.parametrize("host", ["127.0.0.1", "::", "localhost"])
def test_an_answer_in_two_parts_goes_out_at_once(host: str) -> None:
    """Else its second part waits until the first is acknowledged, which takes clients 40 ms."""
    sockets = take(host, 0, ("TSUJI_API_HOST", "TSUJI_API_PORT"))
    assert sockets
    for one in sockets:
        with one:
            one.listen()
            port = one.getsockname()[1]
            loopback = "::1" if one.family == socket.AF_INET6 else "127.0.0.1"
            with socket.create_connection((loopback, port)), one.accept()[0] as accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                assert accepted.proto == socket.IPPROTO_TCP  # by which asyncio knows it for one
