"""Whose requests count together: those of one address, or with IPv6 of one network, as a household has."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

_LONGEST = 100
"""Longer than any address is, also one of IPv6 with its interface: a stranger's word, which is not kept."""


def address_of(scope: Mapping[str, Any]) -> str:
    """The address that a request counts for; `unknown` where it has none.

    Args:
        scope: of ASGI; its client is whom a believed proxy names.
    """
    client = scope.get("client")
    return _of_host(client[0]) if client and len(client[0]) <= _LONGEST else "unknown"


@lru_cache(10_000)
def _of_host(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ip_network((address, 64), strict=False))
    return str(address)
