"""Texts that attack whoever shows them, by class (`hostile.json`), and what each field of a reader's takes of one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from service.flow.sanitise import is_ink
from service.schemas.base import BODY_CHARACTERS, NAME_CHARACTERS, PAGE_KEY_CHARACTERS
from tests.mail_server import html, plain
from tests.service.well_formed import Page

ARTICLES = "https://news.example/"
#: What every page of ours may hold beside what the sanitiser lets through, and what a letter may.
OURS = {
    "section", "h1", "h2", "div", "article", "header", "footer", "nav", "bdi", "span", "time", "noscript", "form",
    "label", "input", "textarea", "button", "script", "html", "head", "body", "main", "meta", "title", "style", "link",
}  # fmt: skip
SANITISED = {"p", "br", "em", "strong", "a", "blockquote", "code", "pre", "ul", "ol", "li", "del"}
_IN_LETTERS = {"html", "head", "meta", "title", "body", "p", "a", "strong", "blockquote", "br"}
#: Only these; a header that a text made would be one more.
_HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Precedence", "List-Unsubscribe",
    "List-Unsubscribe-Post", "References", "MIME-Version", "Content-Type", "Content-Language",
}  # fmt: skip
#: What turns the direction of all that follows it, until it is ended.
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_TITLE, _URL = 300, 2048


class Hostile(NamedTuple):
    """A text and its class."""

    kind: str
    text: str

    @property
    def is_refused(self) -> bool:
        """Answer whether it holds what no field takes."""
        return "\0" in self.text

    @property
    def body(self) -> str:
        """The text as a comment's, with something to see."""
        return self._inked(self.text[: BODY_CHARACTERS // 2])

    @property
    def name(self) -> str:
        """The text as a name, without the spaces around it that no name keeps."""
        return self._inked(self.text[:NAME_CHARACTERS].strip())

    @property
    def title(self) -> str:
        """The text as a thread's title."""
        return self.text[:_TITLE]

    @property
    def url(self) -> str:
        """An article's address that ends with the text."""
        return f"{ARTICLES}{self.text}"[:_URL]

    @property
    def page(self) -> str:
        """The text as a page key."""
        return self.text[:PAGE_KEY_CHARACTERS]

    def _inked(self, cut: str) -> str:
        return cut if any(map(is_ink, cut)) else f"{cut[:-1]}x"


def _read() -> list[Hostile]:
    found: dict[str, list[str | tuple[str, int]]] = json.loads(Path(__file__).with_name("hostile.json").read_text())
    return [
        Hostile(kind, one if isinstance(one, str) else one[0] * one[1]) for kind, all_ in found.items() for one in all_
    ]


HOSTILE = _read()
ACCEPTED = [one for one in HOSTILE if not one.is_refused]


def check_page(html: str, *, scripts: int) -> Page:
    """Check a page or a part of one: ours are the elements, nothing runs, and nothing leads where it should not."""
    page = Page(html.removeprefix("<!doctype html>"))
    assert {tag for tag, _ in page.elements} <= OURS | SANITISED
    assert [given for tag, given in page.elements if tag == "script"] == [{"type": "application/ld+json"}] * scripts
    for tag, given in page.elements:
        check_attributes(tag, given)
    return page


def check_attributes(tag: str, given: dict[str, str | None]) -> None:
    """Check that no attribute runs anything or leads away from addresses that are whole."""
    assert not [name for name in given if name.startswith(("on", "src", "formaction"))], (tag, given)
    assert given.get("style") is None or "url(" not in str(given["style"]), (tag, given)
    for name in ("href", "action"):
        if address := given.get(name):
            assert re.match(r"(https?://[^/\s]|mailto:|#c-[\w-]+$)", address), (tag, address)
            assert not re.search(r"[\s\x00-\x1f<>]", address), (tag, address)


def check_letter(raw: bytes, letter: Any, *, to: str) -> None:
    """Check one letter as it goes over SMTP."""
    assert letter.defects == []
    assert set(letter.keys()) <= _HEADERS
    assert len(letter.keys()) == len(set(letter.keys()))
    [sender], [recipient] = letter["From"].addresses, letter["To"].addresses
    assert (recipient.addr_spec, sender.addr_spec) == (to, "comments@daily.example")
    assert re.fullmatch(r"<https?://[\w.:]+/v1/mail/unsubscribe\?token=[\w-]+>", str(letter["List-Unsubscribe"]))
    # As it goes over the wire: nobody who looks for an address decodes words for it.
    assert re.search(rb"(?m)^List-Unsubscribe: <https?://[\w.:]+/v1/mail/unsubscribe\?token=[\w-]+>\r$", raw)
    for name in ("Subject", "From"):
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", str(letter[name]))
        assert not TURNING.search(str(letter[name]))
    assert [part.get_content_type() for part in letter.walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip
    assert not re.search(rb"(?mi)^(\.|bcc:.*|content-type: text/html.*\n\r?\n.*)\r?$", raw.split(b"text/html", 1)[0])
    check_lines(plain(letter))
    check_letter_html(html(letter))


def check_lines(text: str) -> None:
    """Check that what somebody wrote begins no line of ours and turns none."""
    ours = [line for line in text.splitlines() if not line.startswith(">")]
    assert not [line for line in ours if re.match(r"(?i)(bcc|content-type|location|mail from|\.$)", line)]
    assert not [line for line in ours if TURNING.search(line)]


def check_letter_html(text: str) -> None:
    """Check the HTML of a letter: a few elements, nothing loaded, links of ours alone, and no line of ours turned."""
    page = Page(text.removeprefix("<!doctype html>"))
    for tag, given in page.elements:
        assert tag in _IN_LETTERS
        assert set(given) <= {"href", "style", "lang", "dir", "charset"}, given
        check_attributes(tag, given)
    for said in re.findall(r"<p\b.*?</p>|<title>.*?</title>", text, re.DOTALL):
        assert not TURNING.search(said), said
