"""The demo's discussion: what it holds, how its readers send it, and how it is told what became of it."""

import json
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from service.demo import discussion
from service.demo.command import is_running
from service.demo.discussion import Said, agrees, load
from service.demo.outcome import Became, became, lines
from service.demo.readers import CannotSend, Client, Readers
from service.settings import Settings

ARTICLE: Final = Path("service/static/demo/missiles.html")
README: Final = Path("README.md")
PRIVATE: Final = 0o600
#: What became of the comments when they were sent for the first time, 2026-11-28: by what a person would do, how many
#: were published, held, rejected and refused.
MEASURED: Final = {
    "publish": (43, 8, 0, 0),
    "publish or hold": (2, 2, 0, 0),
    "hold or reject": (2, 8, 0, 1),
    "reject": (1, 11, 0, 0),
}
Script = Callable[[int, dict[str, Any], dict[str, str]], tuple[int, dict[str, str], Any]]


class Door(ThreadingHTTPServer):
    """A service that answers each submit as a script says, and keeps what was asked."""

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.asked: list[tuple[dict[str, Any], dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Door

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((body, headers))
        status, more, answer = self.server.script(len(self.server.asked), body, headers)
        content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {**more, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *_: object) -> None:
        """Say nothing."""


@contextmanager
def door(script: Script) -> Iterator[Door]:
    """Open one."""
    with Door(script) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def taken(number: int, _body: dict[str, Any], headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
    """Take everything in, and give new guests a token."""
    token = None if "authorization" in headers else f"token-{number}"
    return 201, {}, {"comment": {"id": f"id-{number}"}, "author_token": token}


def said(id: str, author: str = "Ada", parent: str | None = None, expected: str = "publish") -> Said:
    """One comment."""
    return Said(id, author, parent, expected, f"The text of {id}.")


def nothing(_done: int) -> None:
    """Tell nobody how far it is."""


def test_the_discussion_is_one_that_can_be_sent() -> None:
    """At least 60 comments of at least 40 authors, each once, after what it answers, within a site's length."""
    every = load()
    ids = [one.id for one in every]
    assert len(every) >= 60
    assert len({one.author for one in every}) >= 40
    assert len(set(ids)) == len(ids)
    for number, one in enumerate(every):
        assert one.parent is None or one.parent in ids[:number]
        assert set(one.expected.split(" or ")) <= {"publish", "hold", "reject"}
        assert 1 <= len(one.text) <= 5000


def test_the_article_is_about_its_thread() -> None:
    """The page of the article names the page key and the title that the readers send."""
    page = ARTICLE.read_text()
    assert f'page="{discussion.PAGE}"' in page
    assert discussion.TITLE in page
    assert f"/demo/{ARTICLE.name}" == discussion.PATH


def test_the_readme_tells_what_was_measured() -> None:
    """Its table has the numbers of the first run, for as many comments as there are."""
    text = README.read_text()
    for expected, counts in MEASURED.items():
        of = sum(one.expected == expected for one in load())
        assert sum(counts) == of
        assert f"| {expected} | {of} | {' | '.join(map(str, counts))} |" in text


@pytest.mark.parametrize(
    ("expected", "outcome", "same"),
    [
        ("publish", "published", True),
        ("publish", "held", False),
        ("publish or hold", "held", True),
        ("hold or reject", "refused", True),
        ("reject", "removed", True),
        ("reject", "pending", False),
    ],
)
def test_a_person_agrees_or_not(expected: str, outcome: str, same: bool) -> None:
    """What was refused or removed is rejected, and what is not decided agrees with nobody."""
    assert agrees(expected, outcome) is same


def test_each_is_sent_once_with_the_token_of_its_author(tmp_path: Path) -> None:
    """A second run, also by another process, sends nothing; an author's later comments carry the token of the first."""
    both = [said("one"), said("two", "Bob", "one"), said("three", "Ada", "two")]
    with door(taken) as server:
        path = tmp_path / "kept.json"
        assert Readers(Client(server.url), path).send(both, nothing) == 3
        assert Readers(Client(server.url), path).send(both, nothing) == 0
        (first, _), (second, _), (third, headers) = server.asked
    assert (first["author"], first["title"], first["url"]) == ({"name": "Ada"}, discussion.TITLE, discussion.PAGE)
    assert [body.get("parent_id") for body in (first, second, third)] == [None, "id-1", "id-2"]
    assert headers["authorization"] == "Bearer token-1"
    assert len({headers["idempotency-key"] for _, headers in server.asked}) == 3
    assert stat.S_IMODE(path.stat().st_mode) == PRIVATE


def test_a_reader_comes_again_when_told_and_under_the_same_key(tmp_path: Path) -> None:
    """A 429 is waited out as its Retry-After says, and the comment is sent again as it was."""

    def limited(number: int, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if number == 1:
            return 429, {"retry-after": "7"}, {"code": "limits.exceeded"}
        return taken(number, body, headers)

    waited: list[float] = []
    with door(limited) as server:
        Readers(Client(server.url), tmp_path / "kept.json", waited.append).send([said("one")], nothing)
        [first, second] = [headers["idempotency-key"] for _, headers in server.asked]
    assert waited == [7.0]
    assert first == second


def test_who_answers_what_nobody_sees_writes_below_what_that_answered(tmp_path: Path) -> None:
    """A reply to a comment that is not shown goes to the nearest one above that is, and else stands by itself."""

    def hidden(number: int, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if body.get("parent_id") == "id-2":
            return 422, {}, {"code": "parent.unknown"}
        return taken(number, body, headers)

    with door(hidden) as server:
        every = [said("root"), said("rude", "Bob", "root"), said("answer", "Cy", "rude")]
        Readers(Client(server.url), tmp_path / "kept.json").send(every, nothing)
        assert [body.get("parent_id") for body, _ in server.asked] == [None, "id-1", "id-2", "id-1"]


def test_a_double_is_kept_as_refused_and_nothing_hangs_on_it(tmp_path: Path) -> None:
    """A duplicate is not sent again later, when the service would take it; what answers it stands above."""

    def twice(number: int, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if number == 2:
            return 409, {}, {"code": "comment.duplicate"}
        return taken(number, body, headers)

    with door(twice) as server:
        every = [said("one"), said("double"), said("answer", "Bob", "double")]
        readers = Readers(Client(server.url), tmp_path / "kept.json")
        assert (readers.send(every, nothing), readers.send(every, nothing)) == (3, 0)
        assert readers.refused == {"double": "comment.duplicate"}
        assert "parent_id" not in server.asked[-1][0]


def test_what_is_refused_for_another_reason_ends_the_run(tmp_path: Path) -> None:
    """The error names the comment, the status and the code, and the next run begins with this comment."""

    def closed(_number: int, _body: dict[str, Any], _headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        return 409, {}, {"code": "thread.closed"}

    with door(closed) as server:
        readers = Readers(Client(server.url), tmp_path / "kept.json")
        with pytest.raises(CannotSend, match=r"one was refused: 409 thread\.closed"):
            readers.send([said("one")], nothing)
        assert not readers.sent
    with pytest.raises(CannotSend, match="does not answer"):
        readers.send([said("one")], nothing)


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "{}",
        '{"url": "http://127.0.0.1:1", "moderator_token": "cq_x"}',
        '{"url": "http://x:y", "moderator_token": "x"}',
    ],
)
def test_a_demo_that_is_not_there_is_none(tmp_path: Path, kept: str) -> None:
    """Where demo.json is missing, empty or leads nowhere the command starts a demo of its own."""
    if kept:
        (tmp_path / "demo.json").write_text(kept)
    assert not is_running(Settings(colloquy_home=str(tmp_path)))


def test_the_table_says_what_became_of_each_and_what_a_person_would_do() -> None:
    """A line for each comment, those that a person would decide otherwise in capitals, then counts and the sum."""
    rude = said("rude", "Bob", expected="reject")
    found = {
        "status": "held",
        "reasons": [{"code": "toxicity", "text": "…"}],
        "scores": [{"attribute": "insult", "value": 0.9}, {"attribute": "toxicity", "value": 0.812}],
    }
    all_of = [Became(said("one"), "published", (), 0.03), became(rude, found), Became(said("two"), "refused", ("x",))]
    told = list(lines(all_of))
    assert told[1].split() == ["published", "0.030", "the", "same", "Ada:", "The", "text", "of", "one."]
    assert told[2].split()[:4] == ["held", "toxicity", "0.812", "REJECT"]
    assert told[-1].startswith("3 comments: a person agrees with 1;")
    assert told[-5].split() == ["publish", "1", "0", "0", "1"]
