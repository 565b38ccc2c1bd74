"""Which addresses a message may go to: an address in the configuration must not become a way into our own network.

The name is looked up once and the connection goes to what was checked, so that a second answer of the name server (rebinding)
changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(Exception):
    """The name leads to this machine or a private network, and nobody has allowed that."""


class AddressUnknown(Exception):
    """The name could not be looked up; perhaps later."""


def addresses_of(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses behind a host name or a literal address, in the resolver's order.

    Raises AddressUnknown, and AddressRefused where any of them is not public and `allow_private` is false.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressUnknown("the host name cannot be looked up; is it spelt right, does DNS work here?") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_private and not all(is_public(address) for address in addresses):
        raise AddressRefused(
            "the host is on a private network or this machine; where that is meant, set allow_private_address: true"
        )
    return addresses


def is_public(address: str) -> bool:
    """True for an address of the public internet, also behind the ways in which IPv6 wraps IPv4."""
    parsed = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if inner is None and parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if parsed.teredo is not None:
            return False
    return parsed.is_global and not parsed.is_multicast
