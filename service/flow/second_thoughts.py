"""A gentle second chance: what the site's policy would make of a text, told to its author before it is sent."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from moderation.circumstances import Circumstances
from moderation.places import Place, joined, places
from moderation.rules import OTHER, Outcome, Signal
from moderation.scores import Attribute, Scores
from moderation.signals import Signals, read_signals
from moderation.verdict import Cause, CauseKind, Verdict, judge
from moderation.words import WordList
from service import schemas
from service.errors import Problem
from service.flow import calibrations, policies, sanitise
from service.flow.ask import ask
from service.flow.circumstances import of_author
from service.flow.context import Context
from service.flow.explain import find_spans
from service.flow.identify import Commenter
from service.flow.policies import Prepared
from service.queue.questions import NoAnswer
from service.store.types import Row

PATIENCE_SECONDS: Final = 1.5
#: Asking ends a little earlier, so that what is known by then can be told.
_ASKING_SECONDS: Final = 1.3
MOST_WORDS: Final = 20
_NOTHING: Final = schemas.SecondThoughts(False, [], [])

logger = logging.getLogger(__name__)


class _Known(NamedTuple):
    prepared: Prepared
    circumstances: Circumstances


async def second_thoughts(
    context: Context, site: Row, author: Commenter | None, text: schemas.UnsentText
) -> schemas.SecondThoughts:
    """Answer whether a text would not be published for its words, why and which; without an answer in time, no.

    Nothing of it is kept.
    """
    if not site.second_chance:
        raise Problem("second_chance.off", "This site asks nobody to think again.")
    if author is None and not site.guests_allowed:
        raise Problem("guests.refused", "Sign in to comment here.")
    sanitise.check_body(text.body, minimum=site.body_min_characters, maximum=site.body_max_characters)
    deadline = time.monotonic() + _ASKING_SECONDS
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await _thought(context, site, author, text, deadline)
    except (TimeoutError, NoAnswer):
        return _NOTHING


async def _thought(
    context: Context, site: Row, author: Commenter | None, text: schemas.UnsentText, deadline: float
) -> schemas.SecondThoughts:
    body = text.body
    known = await _known(context, site, author, text.page)
    policy, words = known.prepared
    answer = await ask(context, [body], within_seconds=deadline - time.monotonic())
    scores = answer.scores[body]
    # Away from the event loop, which a long text would hold up.
    signals = await asyncio.to_thread(_signals, body, words)
    if signals is None:
        return _NOTHING
    verdict = judge(
        await _calibrated(context, site, scores),
        signals,
        policy,
        circumstances=known.circumstances,
        languages=answer.languages.get(scores.model_id),
    )
    causes = _of_words(verdict)
    if not causes:
        return _NOTHING
    listed = await asyncio.to_thread(places, body, signals.words, words) if _names_words(causes) else ()
    found = joined([*listed, *await _spans(context, body, causes, deadline)])
    reasons = dict.fromkeys(policy.reason(cause.reason or OTHER) for cause in causes)
    return schemas.SecondThoughts(
        concern=True,
        reasons=[schemas.ReasonView(reason.code, reason.text) for reason in reasons],
        words=list(found[:MOST_WORDS]),
    )


async def _known(context: Context, site: Row, author: Commenter | None, page: str | None) -> _Known:
    """Answer the policy in force for a page, and what it may ask about who writes there."""
    async with context.database.reading() as connection:
        prepared = (await policies.in_force(connection, site.id, page)).prepared
        commenter_id = author.commenter_id if author else None
        facts = await of_author(connection, site.id, commenter_id, prepared.policy, context.now())
    return _Known(prepared, facts)


def _signals(body: str, words: WordList) -> Signals | None:
    """Read the signals, None for a text that they cannot be read from: once sent, a person looks at it."""
    try:
        return read_signals(body, words)
    except Exception:
        logger.exception("signals of an unsent text cannot be read")
        return None


async def _calibrated(context: Context, site: Row, scores: Scores) -> Scores | None:
    async with context.database.reading() as connection:
        maps = await calibrations.in_force(connection, [(site.id, scores)])
    return maps.apply(site.id, scores).scores


def _of_words(verdict: Verdict) -> list[Cause]:
    """Answer what the author's words did: not what holds every comment, or what nobody could score."""
    if verdict.outcome is Outcome.PUBLISH:
        return []
    return [cause for cause in verdict.causes if cause.outcome is not Outcome.PUBLISH and _is_of_words(cause)]


def _is_of_words(cause: Cause) -> bool:
    if cause.kind is CauseKind.ATTRIBUTE:
        return cause.value is not None
    return cause.kind is CauseKind.SIGNAL and cause.name == Signal.WORDS.value


def _names_words(causes: Sequence[Cause]) -> bool:
    return any(cause.kind is CauseKind.SIGNAL for cause in causes)


async def _spans(context: Context, body: str, causes: Sequence[Cause], deadline: float) -> list[Place]:
    """Answer what made the highest of the scores that spoke, as far as it can be found in the time."""
    spoke = [(cause.value or 0.0, cause.name or "") for cause in causes if cause.kind is CauseKind.ATTRIBUTE]
    if not spoke:
        return []

    async def score(texts: Sequence[str]) -> list[Scores] | None:
        try:
            left = deadline - time.monotonic()
            answer = await ask(context, texts, within_seconds=left, remember=False)
        except NoAnswer:
            return None
        return [answer.scores[text] for text in texts]

    left = deadline - time.monotonic()
    found = await find_spans(body, Attribute(max(spoke)[1]), score, budget_seconds=left)
    return [(span.start, span.end) for span in found]
