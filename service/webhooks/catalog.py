"""The names of events, what each means, and the parts that its payload carries. docs/webhooks.md is written from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final, Literal, NamedTuple

Part = Literal[
    "thread", "comment", "revision", "decision", "review", "commenter", "sanction", "policy", "endpoint", "queue",
    "scorer", "report", "appeal",
]  # fmt: skip

_COMMENT: Final[tuple[Part, ...]] = ("thread", "comment", "revision")
_DECIDED: Final[tuple[Part, ...]] = (*_COMMENT, "decision")


class Event(NamedTuple):
    """One kind of event: its payload's version, a sentence, the parts it carries, and whether its text goes along."""

    version: int
    sentence: str
    carries: tuple[Part, ...]
    #: While the comment is in one of these states, the revision's text is in the payload.
    text_while: frozenset[str] = frozenset()


_PUBLIC = frozenset({"published"})
_WAITING = frozenset({"held", "published"})

EVENTS: Final[Mapping[str, Event]] = {
    "comment.submitted": Event(1, "A comment or an edit was taken in and waits for its score.", _COMMENT),
    "comment.published": Event(1, "Readers can see a comment.", _DECIDED, _PUBLIC),
    "comment.held": Event(
        1,
        "A comment, or an edit of a published one, waits for a person; `review` names the item and its causes.",
        (*_DECIDED, "review"),
        _WAITING,
    ),
    "comment.rejected": Event(1, "A comment, or an edit of a published one, was refused.", _DECIDED),
    "comment.removed": Event(1, "A published comment was taken down.", _DECIDED),
    "comment.restored": Event(1, "A comment that was taken down, or refused, is back.", _DECIDED, _PUBLIC),
    "comment.edited": Event(1, "A published comment shows its author's new text.", _DECIDED, _PUBLIC),
    "comment.deleted": Event(1, "A comment is gone by its author's wish, or by erasure.", _DECIDED),
    "comment.featured": Event(1, "A moderator picked a published comment.", _COMMENT, _PUBLIC),
    "comment.pinned": Event(1, "A moderator put a published comment above its discussion.", _COMMENT, _PUBLIC),
    "review.decided": Event(1, "A person decided; the comment's own event comes beside it if its state changed.", (
        *_DECIDED, "review",
    )),
    "comment.reported": Event(1, "A reader complained about a comment.", (*_COMMENT, "report"), _WAITING),
    "report.closed": Event(
        1,
        "A complaint was answered, or its comment is gone; webhooks carry the address that was left with it.",
        (*_DECIDED, "report"),
    ),
    "appeal.opened": Event(1, "An author asks to look again at a decision.", (*_DECIDED, "appeal")),
    "appeal.closed": Event(1, "That question was answered, or withdrawn.", (*_DECIDED, "appeal")),
    "thread.opened": Event(1, "A discussion began, or was opened again.", ("thread",)),
    "thread.closed": Event(1, "A discussion takes no comments any more.", ("thread",)),
    "commenter.sanctioned": Event(1, "A commenter was banned, suspended or put under review.", (
        "commenter", "sanction",
    )),
    "commenter.sanction_lifted": Event(1, "A sanction was ended before its time.", ("commenter", "sanction")),
    "commenter.erased": Event(1, "Everything that names a commenter is gone; do the same on your side.", (
        "commenter",
    )),
    "policy.changed": Event(1, "Another policy is in force, for the site or for one thread.", ("policy", "thread")),
    "queue.backlog": Event(1, "More waits for a person than the site allows (`crossed`), or no longer does.", (
        "queue",
    )),
    "scorer.down": Event(1, "Nothing is scored: comments wait, or what the policy says about outages is done.", (
        "scorer",
    )),
    "scorer.up": Event(1, "Comments are scored again.", ("scorer",)),
    "webhook.disabled": Event(1, "An endpoint of the site gets nothing any more; `endpoint` says why.", ("endpoint",)),
    "webhook.test": Event(1, "Somebody wants to see whether the endpoint answers; only that endpoint gets it.", (
        "endpoint",
    )),
}  # fmt: skip

EVERYTHING: Final = "*"
KINDS: Final = tuple(dict.fromkeys(name.partition(".")[0] for name in EVENTS))


def is_pattern(text: str) -> bool:
    """Answer whether a text names an event, all of a kind (`comment.*`) or everything (`*`)."""
    kind, _, rest = text.partition(".")
    return text == EVERYTHING or text in EVENTS or (rest == "*" and kind in KINDS)


def why_no_pattern(text: str) -> str:
    """Answer in a sentence what is wrong with a text that is no pattern, and what may have been meant."""
    near = [f"{text}.*"] if text in KINDS else get_close_matches(text, EVENTS, 1, 0.8)
    hint = f"; {near[0]} is one" if near else "; docs/webhooks.md lists them"
    several = ", and each is given by itself" if "," in text else ""
    return f"names no event: {text!r}{hint}{several}"


def is_wanted(type_: str, patterns: Iterable[str]) -> bool:
    """Answer whether an event is one that the patterns name."""
    kind = type_.partition(".")[0]
    return any(pattern in (EVERYTHING, type_, f"{kind}.*") for pattern in patterns)


def overlap(patterns: Iterable[str], others: Iterable[str]) -> bool:
    """Answer whether some event is wanted by both."""
    both = list(patterns), list(others)
    return any(all(is_wanted(name, one) for one in both) for name in EVENTS)


def types_of(patterns: Iterable[str]) -> list[str]:
    """Answer the events that patterns name."""
    patterns = list(patterns)
    return [type_ for type_ in EVENTS if is_wanted(type_, patterns)]


def as_markdown() -> str:
    """Answer the table of docs/webhooks.md."""
    lines = ["| event | version | when | carries |", "|---|---|---|---|"]
    for name, event in EVENTS.items():
        parts = [f"`{part}`" for part in event.carries]
        if event.text_while:
            parts.append("the text")
        lines.append(f"| `{name}` | {event.version} | {event.sentence} | {', '.join(parts)} |")
    return "\n".join(lines) + "\n"
