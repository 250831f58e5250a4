"""Requests to outside: only to public addresses, to the address that was checked, and never for long."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.egress import Egress, EgressFailed, EgressRefused, Names, check_url, may_connect
from tests.raw_server import RawServer, raw_server

pytestmark = pytest.mark.anyio
INNER = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.8.8.8", "169.254.169.254", "172.16.0.1", "192.0.0.8",
    "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "fc00::1",
    "fd00:ec2::254",
    "::ffff:0:7f00:1", "1::1", "4000::1", "e000::1", "fe80::1", "fe80::1%eth0",
    "fec0::1", "ff02::1", "not an address", "",
]  # fmt: skip


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """A server on this machine."""
    async with raw_server() as running:
        yield running


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    """A way out that may ask this machine."""
    opened = Egress(allow_loopback=True)
    yield opened
    await opened.close()


@pytest.mark.parametrize("address", INNER)
def test_no_inner_address_may_be_connected_to(address: str) -> None:
    """Private, shared, link-local, reserved, multicast, and whatever carries an inner IPv4 address."""
    assert not may_connect(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "172.32.0.1"])
def test_public_addresses_may(address: str) -> None:
    """What the whole internet reaches."""
    assert may_connect(address)


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_connected_to(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """Our table is never wider than the standard library's."""
    if may_connect(str(address)):
        assert address.is_global
        assert not address.is_private
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_an_ipv6_one_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    """Mapped addresses are no way around."""
    assert may_connect(f"::ffff:{address}") == may_connect(str(address))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "scheme"),
        ("ftp://example.com/", "scheme"),
        ("file:///etc/passwd", "url"),
        ("https://", "url"),
        ("https://user@example.com/", "userinfo"),
        ("https://user:secret@example.com/", "userinfo"),
        ("https://example.com:22/", "port"),
        ("https://example.com:99999/", "url"),
        ("https://example.com:0/", "port"),
        ("https://127.0.0.1/", "address"),
        ("https://[::1]/", "address"),
        ("https://[::ffff:10.0.0.1]/", "address"),
        ("https://169.254.169.254/latest/meta-data", "address"),
        ("https://exa mple.com/", "url"),
        ("https://example.com\\@127.0.0.1/", "url"),
        ("https://example.com/\r\nx: y", "url"),
        ("https://ex%61mple.com/", "url"),
        ("https://" + "a" * 64 + ".example/", "url"),
        ("//example.com/", "scheme"),
        ("", "url"),
    ],
)
def test_urls_that_are_refused_unasked(url: str, reason: str) -> None:
    """Another scheme or port, a user, an inner address or a trick of spelling."""
    with pytest.raises(EgressRefused) as refused:
        check_url(url)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "url", ["https://example.com", "https://EXAMPLE.com:443/a?b=c", "https://bücher.example/", "https://1.1.1.1:8443/x"]
)
def test_urls_that_may_be_asked(url: str) -> None:
    """A public host over https; its name becomes ASCII, a fragment goes."""
    parts = check_url(url + "#fragment")
    assert parts.netloc.isascii()
    assert (parts.path, parts.fragment) == (urlsplit(url).path or "/", "")


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1.", "localhost", "localhost."]
)
async def test_this_machine_is_refused_in_every_spelling(host: str) -> None:
    """Whatever spelling the system's resolver reads as loopback is refused by what it reads."""
    egress = Egress()
    with pytest.raises((EgressRefused, EgressFailed)) as refused:
        await egress.request("GET", f"https://{host}/")
    assert str(refused.value) in ("address", "resolve")


async def test_one_inner_answer_among_public_ones_is_refused() -> None:
    """It must not depend on which answer comes first."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.215.14", "10.0.0.1"]

    with pytest.raises(EgressRefused, match="address"):
        await Egress(resolve=resolve).request("GET", "https://example.com/")


async def test_a_name_that_resolves_differently_the_second_time_changes_nothing(server: RawServer) -> None:
    """The connection goes to the address that was checked (no rebinding): the name is resolved once."""
    asked = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    egress = Egress(allow_loopback=True, resolve=resolve)
    server.answers("/", b"hello")
    answer = await egress.request("GET", f"http://localhost:{server.port}/")
    assert (answer.status, answer.body, asked) == (200, b"hello", ["localhost"])
    assert server.received[0].headers["host"] == f"localhost:{server.port}"
    await egress.close()


async def test_a_request_carries_what_it_was_given_and_nothing_of_ours(server: RawServer, egress: Egress) -> None:
    """Method, path, query, headers and body; no cookie, no user agent, no environment's proxy."""
    server.answers("/hook", b"", status="204 No Content")
    url = f"{server.url}/hook?a=b"
    await egress.request("POST", url, headers={"content-type": "application/json"}, content=b"{}")
    [got] = server.received
    assert (got.method, got.target, got.body) == ("POST", "/hook?a=b", b"{}")
    assert set(got.headers) == {"host", "content-type", "content-length"}


async def test_a_redirect_is_an_answer_like_any_other(server: RawServer, egress: Egress) -> None:
    """Nobody is led inside by a redirect."""
    server.answers("/", b"", status="302 Found", headers=("location: http://169.254.169.254/",))
    assert (await egress.request("GET", server.url)).status == 302
    assert len(server.received) == 1


async def test_a_body_that_does_not_end_is_given_up(server: RawServer, egress: Egress) -> None:
    """More bytes than asked for are not read to their end."""

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    server.replies["/"] = endless
    with pytest.raises(EgressFailed, match="too_large"):
        await egress.request("GET", server.url, most_bytes=100_000)


async def test_a_server_that_drips_is_given_up_in_time(server: RawServer, egress: Egress) -> None:
    """The time counts for the whole request, not for each byte."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        await writer.drain()
        await asyncio.Event().wait()

    server.replies["/"] = drip
    with pytest.raises(EgressFailed, match="timeout"):
        await egress.request("GET", server.url, timeout_seconds=0.2)


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc"])
async def test_what_is_no_answer_is_a_failure(server: RawServer, egress: Egress, said: bytes) -> None:
    """A closed connection, nonsense, or half of a body."""

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    server.replies["/"] = say
    with pytest.raises(EgressFailed, match=r"protocol|network"):
        await egress.request("GET", server.url)


async def test_a_port_where_nobody_listens_is_a_failure(egress: Egress) -> None:
    """Nothing of the operating system's message comes out."""
    async with raw_server() as gone:
        url = gone.url
    with pytest.raises(EgressFailed) as failed:
        await egress.request("GET", url)
    assert str(failed.value) == "connect"
    assert failed.value.__cause__ is None


async def test_a_handshake_that_is_not_answered_is_given_up(server: RawServer, egress: Egress) -> None:
    """A server without TLS that says nothing costs no more than the time that was given, and no socket."""
    with pytest.raises(EgressFailed, match="timeout"):
        await egress.request("GET", f"https://127.0.0.1:{server.port}/", timeout_seconds=0.2)


async def test_through_a_proxy_inner_addresses_are_refused_by_their_looks(server: RawServer) -> None:
    """The proxy resolves names; what is an inner address already is not even sent to it."""
    egress = Egress(proxy=server.url)
    with pytest.raises(EgressRefused, match="address"):
        await egress.request("GET", "https://10.0.0.1/")
    with pytest.raises(EgressFailed):
        await egress.request("GET", "https://example.com/")
    assert [one.target for one in server.received] == ["example.com:443"]
    await egress.close()


@pytest.mark.parametrize("manner", ["endless", "silent", "broken"])
async def test_where_the_status_is_enough_the_body_changes_nothing(
    server: RawServer, egress: Egress, manner: str
) -> None:
    """Ten megabytes, drops, or half of what was promised: what was said first counts."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 OK\r\ncontent-length: 10000000\r\nretry-after: 3\r\n\r\nabc")
        await writer.drain()
        if manner == "silent":
            await asyncio.Event().wait()
        while manner == "endless":
            writer.write(b"x" * 65536)
            await writer.drain()

    server.replies["/"] = answer
    got = await egress.request("POST", server.url, content=b"{}", timeout_seconds=0.3, status_only=True)
    assert (got.status, got.body, got.headers["retry-after"]) == (202, b"", "3")


async def test_connections_that_nobody_uses_are_closed(
    server: RawServer, egress: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hundred receivers that were asked once no connection is left after a while."""
    closed = asyncio.Event()

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 OK\r\n\r\n")
        await reader.read()
        closed.set()
        writer.close()

    keeping = await asyncio.start_server(keep, "127.0.0.1", 0)
    server.answers("/", b"hello")
    async with keeping:
        await egress.request("GET", f"http://127.0.0.1:{keeping.sockets[0].getsockname()[1]}/")
        monkeypatch.setattr("service.egress._IDLE_SECONDS", -1.0)
        await egress.request("GET", server.url)
        async with asyncio.timeout(10):
            await closed.wait()


async def test_a_name_that_hangs_holds_back_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask for it, it is looked up once; others are answered meanwhile, and who waits gives up in time."""
    looked_up: list[str] = []
    released = threading.Event()

    def slow(host: str, port: int, **_more: object) -> list[tuple[object, ...]]:
        looked_up.append(host)
        if host == "hangs.example":
            released.wait(30)
        return [(None, None, None, "", ("10.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    names = Names()
    try:
        waiting = [asyncio.create_task(names.addresses_of("hangs.example", 443)) for _ in range(50)]
        assert await names.addresses_of("good.example", 443) == ["10.0.0.1"]
        waiting[0].cancel()
        released.set()
        assert await asyncio.gather(*waiting[1:]) == [["10.0.0.1"]] * 49
        assert sorted(looked_up) == ["good.example", "hangs.example"]
    finally:
        released.set()
        names.close()
