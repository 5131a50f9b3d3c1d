"""Just enough MQTT to see whether a broker answers: one CONNECT and its CONNACK."""

import socket

from tsuji_platform.listening import ListenError, take

_CONNECT = bytes.fromhex("10 0c 0004 4d515454 04 02 000a 0000")
"""MQTT 3.1.1, clean session, keep-alive 10 s, empty client id."""
_CONNACK_ACCEPTED = bytes.fromhex("20 02 00 00")
_DISCONNECT = bytes.fromhex("e0 00")


def answers(port: int, host: str = "127.0.0.1", timeout_s: float = 2) -> bool:
    """Whether an MQTT broker on this port lets an anonymous client in."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.sendall(_CONNECT)
            reply = b""
            while len(reply) < len(_CONNACK_ACCEPTED):
                more = connection.recv(len(_CONNACK_ACCEPTED) - len(reply))
                if not more:
                    return False
                reply += more
            connection.sendall(_DISCONNECT)
    except OSError:
        return False
    return reply == _CONNACK_ACCEPTED


def listens(port: int, host: str, timeout_s: float = 3) -> bool:
    """Whether anything listens on the port, be it a broker that asks for a password."""
    try:
        socket.create_connection((host, port), timeout=timeout_s).close()
    except OSError:
        return False
    return True


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port."""
    try:
        taken = take(host, port, ("host", "port"))
    except ListenError:
        return False
    for one in taken:
        one.close()
    return True


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
