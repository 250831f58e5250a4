"""Content codings: the one that is asked for, made once, whatever a header holds."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import coded
from service.coded import Codings, coding_for, coding_of, matches
from service.flow.page_cache import Rendered
from tests.eventually import turns


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (b"", ""), (b"gzip", "gzip"), (b"gzip, deflate, br, zstd", "br"), (b"br;q=0, gzip", "gzip"), (b"*", "br"),
        (b"gzip;q=1.0, br;q=0.5", "gzip"), (b"identity", ""), (b"*;q=0", ""), (b"GZIP", "gzip"), (b"br;q=x", ""),
        (b"gzip;q=0.2,*;q=0.9", "br"), (b"br;q=nan", ""), (b"br;q=7", ""),
    ],
)  # fmt: skip
def test_the_coding_that_is_wanted(header: bytes, coding: str) -> None:
    """Accept-Encoding is read as RFC 9110 has it; of two that are wanted alike Brotli is the smaller."""
    assert coding_of(header) == coding


@given(st.binary(max_size=60))
def test_any_header_has_a_coding(header: bytes) -> None:
    """Whatever stands there, an answer is sent in a coding that we have."""
    assert coding_of(header) in {"", "br", "gzip"}


@pytest.mark.anyio
async def test_who_waits_for_a_body_gets_it_though_the_first_is_gone() -> None:
    """A large body is compressed beside the loop for all who ask meanwhile."""
    codings, page = Codings(), Rendered(json.dumps(list(range(100_000))).encode(), '"x"')
    first, second = (asyncio.create_task(codings.coded(page, "gzip")) for _ in range(2))
    await turns(2)
    first.cancel()
    assert gzip.decompress(await second) == page.body
    assert await codings.coded(page, "gzip") is await codings.coded(page, "gzip")


def test_long_headers_cost_nothing() -> None:
    """Headers that no browser sends are not read to their end, and not remembered."""
    page = Rendered(b"x" * 1000, '"x"')
    before = coding_of.cache_info().currsize
    assert coding_for(page, b"a," * 200_000 + b"br") == ""
    assert coding_of.cache_info().currsize == before
    assert coding_for(page, b"gzip, br") == "br"
    assert not matches('"y",' * 100_000 + '"x"', '"x"')
    assert coding_for(Rendered(b"x" * 2_000_000, '"x"'), b"br") == ""


@pytest.mark.anyio
async def test_bodies_are_bounded() -> None:
    """Those that nobody asked for lately go first."""
    codings = Codings(20 * coded._ENTRY_BYTES)
    pages = [Rendered(f"{number} ".encode() * 300, f'"{number}"') for number in range(60)]
    for page in pages:
        await codings.coded(pages[0], "br")
        await codings.coded(page, "br")
    assert 5 < len(codings._kept) < 20
    assert codings._bytes <= 20 * coded._ENTRY_BYTES
    assert (pages[0].etag, "br") in codings._kept
    assert (pages[1].etag, "br") not in codings._kept
