"""Which addresses may be connected to: public ones, unless private ones are allowed.

A name is looked up once and the connection goes to an address that was checked: what the name says a moment later
(DNS rebinding) does not matter. If any address of a name is private, the name is refused.
"""

from __future__ import annotations

import ipaddress
import socket
from ipaddress import IPv4Address, IPv6Address

from modelyard.errors import Refused, Unavailable

Address = IPv4Address | IPv6Address
_EMBEDDING = (
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("::/96"),
)


def public(address: Address) -> bool:
    """Whether an address lies in the open network, also when it wears another as a dress.

    >>> [public(ipaddress.ip_address(each)) for each in ("8.8.8.8", "127.0.0.1", "::", "::ffff:10.0.0.1", "169.254.169.254")]
    [True, False, False, False, False]
    """
    if isinstance(address, IPv6Address):
        inner = _inside(address)
        if inner is not None:
            return public(inner)
        if address.scope_id is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to: mapped, 6to4, Teredo, NAT64, compatible."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def checked(host: str, port: int, *, allow_private: bool) -> str:
    """An address of `host` that may be connected to. Refused when it is private, Unavailable when there is none now."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unavailable("its name cannot be looked up") from None
    addresses = [str(each[4][0]) for each in found]
    if not addresses:
        raise Unavailable("its name leads nowhere")
    if not allow_private and not all(public(ipaddress.ip_address(each)) for each in addresses):
        raise Refused(
            "it leads to this machine or a private network",
            hint="Declare allow_private: true on the channel if it is meant to.",
        )
    return addresses[0]
