"""Several API processes behind one port show one page of metrics, and each its own samples."""

import asyncio
import os
import sys
from collections.abc import Callable

import pytest
import uvloop
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.siblings import Siblings, together
from tests.service_fixture import Service

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="sockets without files are Linux' own")


def page_of(number: int) -> bytes:
    """A page with a plain counter and one with a label that has every sign which could be taken for another."""
    registry = CollectorRegistry()
    Counter("plain_total", "Plain.", registry=registry).inc(number)
    Counter("labelled_total", "Labelled.", ["of"], registry=registry).labels('a {b="c"} d\n').inc(number)
    return generate_latest(registry)


def samples(page: str, name: str) -> dict[str, float]:
    """Answer the samples of a name by their process."""
    families = text_string_to_metric_families(page)
    return {one.labels["process"]: one.value for family in families for one in family.samples if one.name == name}


def test_pages_become_one() -> None:
    """Each family stands once, with the samples of all, and a parser of Prometheus' reads it."""
    page = together({"7": page_of(1).decode(), "8": page_of(2).decode()})
    assert page.count("# HELP plain_total") == 1
    assert samples(page, "plain_total") == {"7": 1, "8": 2}
    assert samples(page, "labelled_total") == {"7": 1, "8": 2}
    [of] = {
        one.labels["of"]
        for family in text_string_to_metric_families(page)
        for one in family.samples
        if one.name == "labelled_total"
    }
    assert of == 'a {b="c"} d\n'


@LINUX
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_whoever_is_asked_asks_the_others(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Processes of one server know of each other, not of another server's, and not of one that has ended."""
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(_ask_the_others())


async def _ask_the_others() -> None:
    server = os.getpid()
    one, two = (Siblings(server, number, lambda number=number: page_of(number)) for number in (1, 2))  # type: ignore[misc]
    stranger = Siblings(server + 1_000_000, 3, lambda: page_of(3))
    async with one.told(), stranger.told():
        async with two.told():
            assert samples((await one.page()).decode(), "plain_total") == {"1": 1, "2": 2}
            assert samples((await two.page()).decode(), "plain_total") == {"1": 1, "2": 2}
        assert samples((await one.page()).decode(), "plain_total") == {"1": 1}


@LINUX
@pytest.mark.anyio
async def test_one_that_hangs_is_left_out() -> None:
    """A process that does not answer in time keeps nobody from the others' numbers."""
    one = Siblings(os.getpid(), 1, lambda: page_of(1))

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with one.told():
        hanging = await asyncio.start_unix_server(hang, f"\0colloquy-api-{os.getpid()}-9")
        assert samples((await one.page()).decode(), "plain_total") == {"1": 1}
        hanging.close()


@pytest.mark.anyio
async def test_one_process_alone_has_no_label(service: Service) -> None:
    """With one API process, as it is unless told otherwise, the page is as it was."""
    page = (await service.call("GET", "/metrics", expect=200)).text
    assert "colloquy_http_in_flight 1.0" in page
    assert 'process="' not in page
