"""Whose network a request comes from: the socket's peer, or what trusted proxies say of the one before them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNKNOWN = "unknown"
"""Stands for a peer without an address, such as a Unix socket; all of them share its limits."""
_MOST_HOPS = 20
_IPV6_NETWORK_BITS = 64


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks (CIDR) that commas separate; ValueError names the first that is none."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(part))
        except ValueError:
            raise ValueError(f"{part!r} is neither an address nor a network") from None
    return tuple(found)


def client_address(
    peer: str | None, headers: Iterable[tuple[bytes, bytes]], trusted: Sequence[Network]
) -> Address | None:
    """Answer the address of the client, None where there is none to be had.

    A header is read only if the peer is a trusted proxy, and then from its end: each proxy adds the address that it
    saw, so the last one that is no trusted proxy is the client, and what stands before it is the client's own tale.
    """
    found = _parse(peer or "")
    if found is None or not _is_in(found, trusted):
        return found
    for hop in reversed(_forwarded(headers)[-_MOST_HOPS:]):
        address = _parse(hop)
        if address is None:
            return found
        found = address
        if not _is_in(address, trusted):
            return found
    return found


def network_of(address: Address | None) -> str:
    """Answer the network that shares limits: one IPv4 address, or 64 bits of an IPv6 one, which one customer has."""
    if address is None:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _IPV6_NETWORK_BITS), strict=False))
    return str(address)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """Answer the hops that `X-Forwarded-For` names, the nearest last; several headers are one list (RFC 9110, 5.3)."""
    values = [value.decode("latin-1") for name, value in headers if name.lower() == b"x-forwarded-for"]
    return [hop.strip() for value in values for hop in value.split(",")]


def _parse(text: str) -> Address | None:
    """Read an address as it stands in sockets and headers: with a port, in brackets, with a zone, IPv4 in IPv6."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
