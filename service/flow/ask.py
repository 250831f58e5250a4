"""Ask the scorer from a process that has none: texts go to a worker, sealed, and their scores come back in time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from moderation.scores import Scores
from service import telemetry
from service.flow.context import Context
from service.queue.client import QueueUnavailable
from service.queue.questions import Answer, NoAnswer, Unanswered


class Answered(NamedTuple):
    """Scores by text, as the model gave them (a site's calibration is not applied), and each model's languages."""

    scores: dict[str, Scores]
    languages: dict[str, frozenset[str]]


async def ask(context: Context, texts: Sequence[str], *, within_seconds: float, remember: bool = True) -> Answered:
    """Answer the scores of texts; raise NoAnswer when the scorer is away, too much waits, or time is over first.

    With `remember` a worker knows the answer again, by a hash of the text, for as long as its memory reaches.
    """
    distinct, began = list(dict.fromkeys(texts)), time.monotonic()
    try:
        answer = await _asked(context, distinct, began + within_seconds, remember)
    except NoAnswer as none:
        telemetry.questions_total.labels(none.reason.value).inc()
        raise
    telemetry.questions_total.labels("answered").inc()
    telemetry.questions_seconds.observe(time.monotonic() - began)
    languages = {model_id: frozenset(codes) for model_id, codes in answer.languages.items()}
    return Answered(dict(zip(distinct, answer.scores or (), strict=True)), languages)


async def _asked(context: Context, texts: list[str], deadline: float, remember: bool) -> Answer:
    try:
        scorer = await context.scorers.read()
    except QueueUnavailable:
        raise NoAnswer(Unanswered.AWAY) from None
    if not scorer.is_up:
        raise NoAnswer(Unanswered.AWAY)
    # Redis keeps its commands, slow ones and all of them where it writes a log to disk: there too it is no text.
    sealed = context.box.seal(msgspec.json.encode(texts))
    characters = sum(map(len, texts))
    left = deadline - time.monotonic()
    return await context.answers.ask(sealed, characters=characters, within_seconds=left, remember=remember)
