"""The console's own routes: its files, and what lies on a moderator's desk beside the queue."""

from pathlib import Path

import pytest

from service.routes.console import squeezed
from tests.service.answers import problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


async def test_the_console_is_served_with_a_strict_policy_and_an_etag(service: Service) -> None:
    """Page, scripts and styles come with their types, run nothing of anybody else's, and are sent once."""
    for name, kind in (("", "text/html"), ("/app.js", "text/javascript"), ("/css/frame.css", "text/css")):
        answer = await service.call("GET", f"/console{name}", expect=200)
        assert answer.headers["content-type"].startswith(kind)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        again = await service.call("GET", f"/console{name}", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "views", "i18n/fr.js", "..%2f..%2froutes%2fpages.py"])
async def test_nothing_else_is_served_there(service: Service, name: str) -> None:
    """A name that is no file of the console is unknown, and none climbs out of its folder."""
    problem(await service.call("GET", f"/console/{name}"), "route.unknown")


async def test_the_home_page_leads_to_the_console(service: Service) -> None:
    """Who opens an installation finds where moderators sign in."""
    assert 'href="/console"' in (await service.call("GET", "/", expect=200)).text


async def test_a_moderator_reads_the_desk(service: Service) -> None:
    """The site's name, its reasons with their sentences, its words and how it undoes are a moderator's to know."""
    desk = (await service.call("GET", "/v1/review/test/desk", as_="moderator", expect=200)).json()
    assert (desk["site"], desk["blur"], desk["undo_seconds"], desk["words"]) == ("test", True, 300, [])
    assert {"code": "insult", "text": "This comment insults someone."} in desk["reasons"]
    problem(await service.call("GET", "/v1/review/test/desk"), "auth.required")


SCRIPT = """// A comment.
const a = { b: "x = { y }", c: 1 + +d };
  const text = `one ,  two`; // = kept
if (a.b === "\\"  ;  ") { go (/ = /); }
"""
STYLE = """/* A
comment. */
a :is(b, c) > d { margin: 0 calc(1px + 2px); font: "A ; B", serif; }
"""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.js", SCRIPT, [
            "", 'const a={b:"x = { y }",c:1 + +d};', "const text = `one ,  two`; // = kept",
            'if (a.b === "\\"  ;  ") { go (/ = /); }', "",
        ]),
        ("a.css", STYLE, ["", "", 'a :is(b,c) > d{margin:0 calc(1px + 2px);font:"A ; B",serif;}', ""]),
        ("a.html", "<p>\n  a = b\n</p>", ["<p>", "a = b", "</p>"]),
    ],
)  # fmt: skip
def test_what_is_left_out_of_a_file_means_nothing(tmp_path: Path, name: str, text: str, expected: list[str]) -> None:
    """Comments and needless spaces go, text in quotes stays as it is, and so does a line that is not sure."""
    (tmp_path / name).write_text(text)
    assert squeezed(tmp_path / name).split("\n") == expected
