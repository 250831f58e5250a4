"""Which words made the score of an item that waits for a person: found in idle moments, stored beside the item."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from moderation.rules import Outcome
from moderation.scores import Attribute, Scores
from moderation.spans import Span, occlusion
from moderation.verdict import CauseKind
from service.flow.context import Context
from service.store import review_items
from service.store.types import Row

Score = Callable[[Sequence[str]], Awaitable[list[Scores] | None]]
"""Scores texts, or answers None where the time is over."""
#: Without such a cause it was not the model that asked for a person.
_NOT_JUDGED = frozenset({CauseKind.SCORER.value, CauseKind.MODEL.value, CauseKind.LANGUAGE.value})


async def unexplained(context: Context, *, after: Row | None, limit: int) -> Sequence[Row]:
    """Answer open items, of all sites, that nobody looked into yet, behind the last row of the page before."""
    async with context.database.reading() as connection:
        return await review_items.unexplained_page(connection, after=after, limit=limit)


async def explain_item(context: Context, item: Row, score: Score, *, budget_seconds: float) -> tuple[Span, ...]:
    """Find and store the spans of an item; none where the model did not judge the text, or there is no text any more.

    What `score` raises comes out, and then nothing is stored.
    """
    attribute = _attribute_of(item.causes)
    spans: tuple[Span, ...] = ()
    if attribute is not None and item.body:
        spans = await find_spans(item.body, attribute, score, budget_seconds=budget_seconds)
    stored = [msgspec.to_builtins(span) for span in spans]
    async with context.database.writing(heavy=True) as connection:
        await review_items.keep_spans(connection, item.site_id, item.id, stored)
    return spans


async def find_spans(
    text: str,
    attribute: Attribute,
    score: Score,
    *,
    budget_seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Span, ...]:
    """Do what moderation.spans.explain does, with a scorer that is waited for."""
    steps, deadline = occlusion(text), clock() + budget_seconds
    try:
        wanted = next(steps)
        while True:
            scores = await score(wanted) if clock() < deadline else None
            wanted = steps.send(None if scores is None else [one.values.get(attribute, 0.0) for one in scores])
    except StopIteration as done:
        found: tuple[Span, ...] = done.value
        return found


def _attribute_of(causes: Sequence[dict[str, object]]) -> Attribute | None:
    """The attribute whose rule spoke the loudest; toxicity where the model judged and no rule over a score spoke."""
    if any(cause["kind"] in _NOT_JUDGED and cause["outcome"] != Outcome.PUBLISH for cause in causes):
        return None
    spoke = [
        (value, str(cause["name"]))
        for cause in causes
        if cause["kind"] == CauseKind.ATTRIBUTE and isinstance(value := cause["value"], float | int)
    ]
    return Attribute(max(spoke)[1]) if spoke else Attribute.TOXICITY
