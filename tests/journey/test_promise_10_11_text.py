"""Promises 10 and 11: what a reader wrote is data: harmless where shown, kept byte for byte, whatever scoring saw."""

from html.parser import HTMLParser
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from service.flow.sanitise import to_html
from service.store.tables import revisions
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<a href='javascript:alert(1)'>press</a>",
    "[press](javascript:alert(1))",
    "[press](JaVaScRiPt&#58;alert(1))",
    "[press](java\nscript:alert(1))",
    "[press](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[press](vbscript:msgbox(1))",
    "[press](/account/delete?yes=1)",
    "[press](//evil.example/)",
    "![picture](https://tracker.example/p.png)",
    "[press][1]\n\n[1]: javascript:alert(1)",
    "<javascript:alert(1)>",
    '[press](https://a.example "onmouseover=alert(1)")',
    '[press](https://a.example/"onmouseover="alert(1))',
    "<!--><script>alert(1)</script>-->",
    "<style>@import 'https://evil.example';</style>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "`</code><script>alert(1)</script>`",
    "```\n</pre><script>alert(1)</script>\n```",
    "<math><mtext></table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<form action=https://evil.example><input name=token></form>",
    "https://a.example/<script>alert(1)</script>",
]
UNUSUAL = [
    "zero\u200bwidth\u200d and \u2060joiners\ufeff",
    "Cyrillic lооk-аlikes and Ｆｕｌｌｗｉｄｔｈ",
    "family 👨‍👩‍👧‍👦, flag 🇪🇺, skin 👍🏽",
    "right to left: \u202eesrever\u202c and עברית, عربي",
    "é as one, e\u0301 as two, ﬁ as a ligature, ① and ½",
    "  leading and trailing spaces  ",
    "tabs\tand\r\nline\u2028ends\u0085 of\x0b all\x0c kinds",
    "y0u 4re 4n 1d10t",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    "\U0001f9ff\U000e0041 private \ue000 and tags",
]
FRAGMENTS = [*HOSTILE, "\n", "[", "](", ")", "<", ">", "&#", '"', "*", "`", "~~", "|"]
SAFE_TAGS = {"p", "br", "em", "strong", "a", "blockquote", "code", "pre", "ul", "ol", "li", "del"}


class Shown(HTMLParser):
    """Collects what a browser would find: elements, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def check_harmless(html: str) -> None:
    """Check that the HTML holds listed elements only, and no attribute but a link's address and relation."""
    for tag, attributes in Shown(html).elements:
        assert tag in SAFE_TAGS
        assert set(attributes) <= ({"href", "rel"} if tag == "a" else set())
        address = attributes.get("href")
        assert address is None or address.startswith(("https://", "http://", "mailto:"))


async def sent(service: Service, body: str) -> dict[str, Any]:
    """Submit a text, let it be scored, and answer it as the author sees it then."""
    answer = await service.submit(body)
    await service.drain()
    path = f"/v1/sites/test/comments/{answer['comment']['id']}"
    found: dict[str, Any] = (await service.call("GET", path, as_=answer["author_token"], expect=200)).json()["comment"]
    assert answer["comment"]["body"] == found["body"]
    return found


async def test_hostile_texts_are_published_unchanged(service: Service) -> None:
    """A hostile text comes back as it was written, beside HTML that is harmless."""
    for body in HOSTILE[:6]:
        found = await sent(service, body)
        check_harmless(found["html"])
        assert found["body"] == body


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_texts_are_harmless(body: str) -> None:
    """Whatever a reader writes, its HTML runs nothing, loads nothing and links to nothing of the publisher's."""
    check_harmless(to_html(body))


@pytest.mark.parametrize("body", HOSTILE[:3])
def test_markup_is_shown_as_text(body: str) -> None:
    """Markup that a reader types is seen by the others as the characters that were typed."""
    assert body in Shown(to_html(body)).text


async def test_unusual_texts_are_kept_byte_for_byte(service: Service) -> None:
    """Invisible characters, look-alikes, emoji and right-to-left text come back as they were written, in SQL too."""
    for body in UNUSUAL:
        found = await sent(service, body)
        assert found["body"].encode() == body.encode()
        check_harmless(found["html"])
    async with service.context.database.reading() as connection:
        kept = set((await connection.execute(sa.select(revisions.c.body))).scalars())
    assert kept == set(UNUSUAL)


async def test_scoring_sees_and_never_writes_the_text(service: Service) -> None:
    """Body and HTML are the same before and after scoring, whether it publishes, holds or rejects."""
    for word in ("civil", "rude", "vile"):
        answer = await service.submit(f"A {word} \u200bоpinion 4 you.")
        async with service.context.database.reading() as connection:
            query = sa.select(revisions.c.body, revisions.c.html, revisions.c.body_hash)
            query = query.where(revisions.c.comment_id == answer["comment"]["id"])
            before = (await connection.execute(query)).one()
        await service.drain()
        async with service.context.database.reading() as connection:
            assert (await connection.execute(query)).one() == before


async def test_a_name_is_data_too(service: Service) -> None:
    """A guest's name comes back as it was written; it is never HTML."""
    answer = await service.submit("A civil opinion.", author={"name": "<b>Ada</b> \u202e&amp;"})
    assert answer["comment"]["author"]["name"] == "<b>Ada</b> \u202e&amp;"


@pytest.mark.slow
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=6))
def test_no_mixture_becomes_harmful(parts: list[str]) -> None:
    """Hostile fragments in any order stay harmless."""
    check_harmless(to_html("".join(parts)))
