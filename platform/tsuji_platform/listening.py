"""Takes the addresses that a setting names: all of a host, of either family, however many processes serve."""

import errno
import socket

_ALL = "::"
_ALL_IPV4 = "0.0.0.0"  # noqa: S104 - as is asked for with `::`


class ListenError(Exception):
    """Nothing can listen on the address that was asked for; the text names the settings."""

    def __init__(self, host: str, port: int, settings: tuple[str, str], error: OSError) -> None:
        shown = f"[{host}]" if ":" in host else host
        super().__init__(
            f"can't listen on {shown}:{port} ({error.strerror}); set {settings[0]} and "
            f"{settings[1]} to an address of this machine and a free port"
        )


def addresses(host: str, port: int) -> dict[str, socket.AddressFamily]:
    """Addresses of a host to listen on, with their families; `::` and nothing are all of this machine.

    Raises:
        OSError: there are none, or it can be no name at all.
    """
    if host == _ALL:
        return {_ALL: socket.AF_INET6, _ALL_IPV4: socket.AF_INET}
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except UnicodeError:  # a part of it is empty, or longer than 63 characters
        raise OSError(errno.EINVAL, "no name of a machine") from None
    return {str(address[0]): family for family, _, _, _, address in found}


def bound(address: str, port: int, family: socket.AddressFamily) -> socket.socket:
    """A socket that has taken one address, and does not listen yet; of its own family alone."""
    taken = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # what is accepted inherits it: an answer's second part must not wait for a word on the first
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taken.bind((address, port))
    except BaseException:
        taken.close()
        raise
    return taken


def take(host: str, port: int, settings: tuple[str, str]) -> list[socket.socket]:
    """A socket for each address of a host; one is enough, since a name may have some of another machine.

    Args:
        host: name or address to listen on.
        port: port to listen on.
        settings: names of the settings that say host and port.

    Raises:
        ListenError: there is none, or the port is taken at one of them.
    """
    taken: list[socket.socket] = []
    trouble = OSError(errno.EADDRNOTAVAIL, "no address of this machine")
    try:
        for address, family in addresses(host, port).items():
            try:
                taken.append(bound(address, port, family))
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    raise
                trouble = error
        if not taken:
            raise trouble
    except OSError as error:
        for one in taken:
            one.close()
        raise ListenError(host, port, settings, error) from error
    return taken
