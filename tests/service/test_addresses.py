"""Whose network a request comes from: never what an untrusted peer says of itself."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.addresses import UNKNOWN, client_address, network_of, parse_networks

PROXIES = parse_networks("10.0.0.0/8, 127.0.0.1, fd00::/8")
ADDRESSES = st.ip_addresses().map(str)


def seen(peer: str | None, *forwarded: str) -> str:
    """Answer the client's address as text, with the given headers."""
    return str(client_address(peer, [(b"X-Forwarded-For", one.encode()) for one in forwarded], PROXIES))


@given(peer=st.ip_addresses().filter(lambda one: not any(one in net for net in PROXIES)), told=st.lists(ADDRESSES))
def test_an_untrusted_peer_is_its_own_address_whatever_it_says(peer: object, told: list[str]) -> None:
    """A spoofed header from an untrusted peer changes nothing."""
    address = ip_address(str(peer))
    mapped = getattr(address, "ipv4_mapped", None)
    assert seen(str(peer), *told) == seen(str(peer))
    assert seen(str(peer)) == str(mapped or address)


@given(told=st.lists(st.one_of(ADDRESSES, st.text(max_size=12)), max_size=5), client=st.ip_addresses(v=4))
def test_what_a_client_puts_before_its_own_address_does_not_help(told: list[str], client: object) -> None:
    """Behind a trusted proxy the last address counts that no proxy of ours has; what stands before it is a tale."""
    if ip_address(str(client)) in ip_network("10.0.0.0/8") or str(client) == "127.0.0.1":
        return
    tale = ", ".join(told).encode("ascii", "ignore").decode()
    assert seen("10.0.0.1", f"{tale}, {client}, 10.1.2.3") == str(client)


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("198.51.100.9, 203.0.113.7", "203.0.113.7"),
        ("198.51.100.9, 203.0.113.7, 10.9.9.9", "203.0.113.7"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("nonsense", "10.0.0.1"),
        ("203.0.113.7, nonsense", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("unknown", "10.0.0.1"),
    ],
)
def test_a_trusted_proxy_is_believed(header: str, address: str) -> None:
    """The address is read with its port, brackets, zone or IPv4 prefix; behind nonsense the proxy itself counts."""
    assert seen("10.0.0.1", header) == address


def test_several_headers_are_one_list() -> None:
    """A second header goes on where the first ended (RFC 9110)."""
    assert seen("127.0.0.1", "198.51.100.9", "203.0.113.7") == "203.0.113.7"


def test_a_peer_without_an_address_shares_one_network() -> None:
    """A Unix socket has no address; who comes over it shares the limits."""
    assert client_address(None, [], PROXIES) is None
    assert client_address("/run/app.sock", [], PROXIES) is None
    assert network_of(None) == UNKNOWN


def test_a_network_is_an_address_or_a_customers_64_bits() -> None:
    """Who has 2^64 addresses is still one."""
    assert network_of(ip_address("203.0.113.7")) == "203.0.113.7"
    assert network_of(ip_address("2001:db8:1:2::1")) == network_of(ip_address("2001:db8:1:2:ffff::9"))
    assert network_of(ip_address("2001:db8:1:2::1")) != network_of(ip_address("2001:db8:1:3::1"))


@pytest.mark.parametrize("text", ["10.0.0.0/33", "proxy.internal", "10.0.0.1/8", "1.2.3.4 5.6.7.8"])
def test_what_is_no_network_is_named(text: str) -> None:
    """A setting that cannot be read is refused with the part that is wrong."""
    with pytest.raises(ValueError, match="is neither an address nor a network"):
        parse_networks(f"127.0.0.1, {text}")
