"""Coral asks what to do with a comment before it keeps it, and is told by the site's policy.

Coral publishes a comment whose phase answers late, wrongly or not at all. So whatever goes wrong here is an answer
too: hold it. Nothing of a comment is kept.
"""

from __future__ import annotations

import asyncio
import html
import logging
import re
from typing import Final, NamedTuple

import msgspec
import nh3

from moderation.rules import Outcome
from moderation.signals import Signals, read_signals
from moderation.verdict import CauseKind, Verdict, judge
from moderation.words import WordList
from service import schemas, telemetry
from service.flow import policies
from service.flow.analyse import WITHIN_SECONDS, Analysed, TooMany, analyse
from service.flow.context import Context
from service.flow.manage_coral import Coral, coral_of
from service.flow.policies import InForce
from service.store.types import Row

#: Of the 800 ms in which Coral wants an answer at Perspective's place; a phase has the timeout that its admin chose.
PATIENCE_SECONDS: Final = 0.75
HELD: Final = schemas.CoralAnswer(actions=[], status="PREMOD")
#: In UTF-8, of a body that is read: as long as a comment may be that Perspective takes. Deep nesting of HTML costs time
#: by its square, and the signals of characters that stand for whole words take long.
MOST_BYTES: Final = 20_480
_SPAM: Final = "spam"
#: Between what these surround a reader sees a gap, and so must a model.
_BLOCKS: Final = {"address", "blockquote", "br", "dd", "div", "dt", "h1", "h2", "h3", "hr", "li", "p", "pre"}
_TAG: Final = re.compile("<[^<>]*>")

logger = logging.getLogger(__name__)


class Advice(NamedTuple):
    """What Coral is told, and whose scores it rests on, if any could be had."""

    answer: schemas.CoralAnswer
    analysed: Analysed | None


async def advise(context: Context, site: Row, body: bytes) -> Advice:
    """Answer what Coral is to do with the comment of a request whose signature was checked; in time, whatever it is."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await _advised(context, coral_of(site), site, msgspec.json.decode(body, type=schemas.CoralRequest))
    except TimeoutError:
        return hold("late")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # What is signed and cannot be read is a version of Coral that nobody knows.
        return hold("unreadable")


def hold(why: str) -> Advice:
    """Answer that a person must look, for a reason that lies with us and not with the comment; counted by it."""
    telemetry.coral_total.labels(why).inc()
    return Advice(HELD, None)


async def _advised(context: Context, coral: Coral, site: Row, asked: schemas.CoralRequest) -> Advice:
    text = asked.comment.body
    if len(text.encode()) > MOST_BYTES:
        return hold("too_large")
    if coral.format == "html":
        # Away from the event loop, which all others wait for.
        text = await asyncio.to_thread(text_of, text)
    async with context.database.reading() as connection:
        in_force = await policies.in_force(connection, site.id, asked.story.url)
    # The signals away from the event loop, which a long text would hold up.
    reading = asyncio.to_thread(_signals, text, in_force.prepared.words)
    analysed, found = await asyncio.gather(_analysed(context, site, text), reading)
    if found is None:
        return hold("unreadable")
    verdict = _judged(analysed, found, in_force)
    telemetry.coral_total.labels(verdict.outcome.value).inc()
    return Advice(answer_of(verdict, approves=coral.approves), analysed)


async def _analysed(context: Context, site: Row, text: str) -> Analysed | None:
    """Answer what a model makes of the text; None when there is no room, which the policy has a word for."""
    try:
        (analysed,) = await analyse(context, site, [text], within_seconds=WITHIN_SECONDS)
    except TooMany:
        return None
    return analysed


def _signals(text: str, words: WordList) -> Signals | None:
    try:
        return read_signals(text, words)
    except Exception:
        logger.exception("signals of a comment of Coral's cannot be read")
        return None


def _judged(analysed: Analysed | None, signals: Signals, in_force: InForce) -> Verdict:
    """Judge as a comment of ours; what a policy asks of its author and its sending, only Coral knows."""
    return judge(
        analysed.scores if analysed else None,
        signals,
        in_force.prepared.policy,
        languages=analysed.languages if analysed else None,
        emergency=in_force.site.emergency_pre_moderation,
    )


def answer_of(verdict: Verdict, *, approves: bool) -> schemas.CoralAnswer:
    """Answer a verdict in Coral's words; what is published for a person to look at after is flagged, not approved."""
    if verdict.outcome is Outcome.REJECT:
        return schemas.CoralAnswer(_flags(verdict), "REJECTED")
    if verdict.outcome is Outcome.HOLD:
        return schemas.CoralAnswer(_flags(verdict), "PREMOD")
    if verdict.review:
        return schemas.CoralAnswer(_flags(verdict))
    return schemas.CoralAnswer([], "APPROVED") if approves else schemas.CoralAnswer([])


def _flags(verdict: Verdict) -> list[schemas.CoralFlag]:
    spoke = [cause for cause in verdict.causes if cause.outcome is not Outcome.PUBLISH]
    flags = []
    # A rule whose attribute nobody scored says nothing against the comment.
    if any(cause.kind is CauseKind.ATTRIBUTE and cause.value is not None and cause.reason != _SPAM for cause in spoke):
        flags.append(schemas.CoralFlag("COMMENT_DETECTED_TOXIC"))
    if any(cause.reason == _SPAM for cause in spoke):
        flags.append(schemas.CoralFlag("COMMENT_DETECTED_SPAM"))
    return flags


def text_of(markup: str) -> str:
    """Answer what a reader sees of a comment in HTML, with a line end wherever a block begins or ends."""
    # What is left has no tag but a block's, and no sign of a tag in its text that is not escaped.
    blocks = nh3.clean(markup, tags=_BLOCKS, attributes={}, clean_content_tags=set(), link_rel=None)
    seen: list[str] = []
    for part in _TAG.split(blocks):
        if seen and not seen[-1].endswith("\n"):
            seen.append("\n")
        if part:
            seen.append(html.unescape(part))
    return "".join(seen).strip()
