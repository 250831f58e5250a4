"""Score texts for a system that waits: by the model in force where it makes it in time, else by the quick one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final, NamedTuple

from moderation.scale import on_perspective_scale
from moderation.scores import Attribute, Scores
from service import telemetry
from service.errors import Problem
from service.flow import calibrations
from service.flow.ask import ask
from service.flow.context import Context
from service.flow.quick import TooMany
from service.queue.questions import NoAnswer, Unanswered
from service.store import people, sites
from service.store.types import Row

__all__ = ["WITHIN_SECONDS", "Analysed", "Quickly", "Scale", "TooMany", "analyse", "be_ready", "get_ready", "value_on"]

#: Since a request came, but for its body's way. Clients wait 800 ms; what is left of them is for the way, and for a
#: machine that is busy.
WITHIN_SECONDS: Final = 0.6
#: So many of one process wait for the scorer; one more would hardly be answered in time.
MOST_ASKED: Final = 64
#: So much of the time is the quick model's at most: what a long text would take it keeps nobody from asking the other.
_MOST_QUICK_SHARE: Final = 0.5
#: A key is made by another process as a rule, which tells nobody.
_LOOKS_SECONDS: Final = 3.0
#: What the quick model has at least, whatever it says of itself.
_LEAST_QUICK_SECONDS: Final = 0.1


class Scale(StrEnum):
    """What a value is to be read on: the scale of the API that is replaced, or the probability that we state."""

    PERSPECTIVE = "perspective"
    PROBABILITY = "probability"


class Quickly(StrEnum):
    """Why the quick model answered: too much waits, the time was over first, or nobody scores now."""

    OVERLOAD = "overload"
    LATE = "late"
    AWAY = "away"


_WHY = {
    Unanswered.FULL: Quickly.OVERLOAD,
    Unanswered.BUSY: Quickly.OVERLOAD,
    Unanswered.LATE: Quickly.LATE,
    Unanswered.AWAY: Quickly.AWAY,
    Unanswered.FAILED: Quickly.AWAY,
}


class Analysed(NamedTuple):
    """What is known of one text: `scores` under the site's calibration, `said` as the model gave them."""

    scores: Scores
    model_id: str
    is_quick: bool
    languages: frozenset[str]
    said: Scores
    why: Quickly | None = None


async def analyse(
    context: Context, site: Row, texts: Sequence[str], *, within_seconds: float = WITHIN_SECONDS, remember: bool = False
) -> list[Analysed]:
    """Answer one Analysed per text, in order and all of one model, within the time; raise TooMany beyond capacity.

    With `remember` a worker knows a text again by its hash; nothing else of it is kept anywhere.
    """
    deadline, distinct = time.monotonic() + within_seconds, list(dict.fromkeys(texts))
    context.quick.wake()
    reserved = min(max(context.quick.seconds_for(distinct), _LEAST_QUICK_SECONDS), within_seconds * _MOST_QUICK_SHARE)
    why = None
    try:
        if context.answers.waiting >= MOST_ASKED:
            raise NoAnswer(Unanswered.FULL)
        said, languages = await ask(context, distinct, within_seconds=within_seconds - reserved, remember=remember)
    except NoAnswer as none:
        why = _WHY[none.reason]
        said = await _quickly(context, distinct, deadline)
        languages = {one.model_id: context.quick.languages for one in said.values()}
    telemetry.analysed_total.labels(why.value if why else "model").inc(len(distinct))
    scores = await _calibrated(context, site, said)
    known = {
        text: Analysed(scores[text], one.model_id, why is not None, languages.get(one.model_id, frozenset()), one, why)
        for text, one in said.items()
    }
    return [known[text] for text in texts]


async def get_ready(context: Context) -> bool:
    """Load the quick model where there is a key, or a Coral, that may need it: it takes longer than a client waits."""
    async with context.database.reading() as connection:
        if not (await people.is_in_use(connection, "analyze") or await sites.knows_a_coral(connection)):
            return False
    context.quick.wake()
    return True


async def be_ready(context: Context, *, every_seconds: float = _LOOKS_SECONDS) -> None:
    """Look for the first key, or Coral, until there is one: whoever made it may ask a moment later."""
    is_ready = False
    while not is_ready:
        await asyncio.sleep(every_seconds)
        with suppress(Problem):
            is_ready = await get_ready(context)


def value_on(scale: Scale, analysed: Analysed, attribute: Attribute) -> float | None:
    """Answer a value on a scale, None for an attribute that the model does not score.

    A map to Perspective's scale is fit to what the model says, so it is not put on top of a site's calibration.
    """
    if scale is Scale.PROBABILITY:
        return analysed.scores.values.get(attribute)
    said = analysed.said.values.get(attribute)
    return None if said is None else on_perspective_scale(analysed.model_id, attribute, said)


async def _quickly(context: Context, texts: Sequence[str], deadline: float) -> dict[str, Scores]:
    try:
        scores = await context.quick.score(texts, within_seconds=deadline - time.monotonic())
    except TooMany:
        telemetry.analysed_total.labels("refused").inc(len(texts))
        raise
    return dict(zip(texts, scores, strict=True))


async def _calibrated(context: Context, site: Row, said: Mapping[str, Scores]) -> dict[str, Scores]:
    async with context.database.reading() as connection:
        maps = await calibrations.in_force(connection, [(site.id, one) for one in said.values()])
    # What cannot be calibrated was told to the operator; the model's own word is better than none.
    return {text: maps.apply(site.id, one).scores or one for text, one in said.items()}
