"""Answer as the Perspective API did: what a text scores, and keep what people said that it should have."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from moderation.language import Language, detect_language, may_judge
from moderation.places import Place
from moderation.scores import Attribute
from moderation.sentences import sentences, utf16_places
from service import telemetry
from service.errors import Problem
from service.flow import perspective_errors as errors
from service.flow.analyse import WITHIN_SECONDS, Analysed, Scale, TooMany, analyse, value_on
from service.flow.ask import ask
from service.flow.context import Context
from service.flow.identify import Principal
from service.flow.perspective_request import check_type, known_attributes
from service.queue.questions import NoAnswer
from service.schemas.perspective import (
    AnalyzeAnswer,
    AnalyzeRequest,
    AttributeScores,
    Score,
    SpanScore,
    SuggestAnswer,
    SuggestedAttribute,
    SuggestRequest,
)
from service.store import suggestions
from service.store.types import Row

#: Nobody waits for the score that a label is kept beside as long as for one that is asked for.
_BESIDE_LABEL_SECONDS: Final = 0.6


#: Takes so many further texts from the quota of who asks, or raises.
TakeMore = Callable[[int], Awaitable[None]]


class Answered(NamedTuple):
    """An answer, and by which model and why by the quick one; no model where there was nothing to score."""

    answer: AnalyzeAnswer
    by: Analysed | None


class Spoken(NamedTuple):
    """In which languages the client says that a text is, and which one it was found to be in."""

    requested: list[str]
    found: Language

    @property
    def detected(self) -> list[str]:
        """The language that was found, if one was."""
        return [self.found.code] if self.found.code is not None else []

    @property
    def answered(self) -> list[str]:
        """What the client said, else what was found."""
        return self.requested or self.detected


async def analyze(
    context: Context,
    site: Row,
    request: AnalyzeRequest,
    scale: Scale,
    *,
    within_seconds: float = WITHIN_SECONDS,
    take_more: TakeMore,
) -> Answered:
    """Answer what the model in force says of a text, in time or not at all; nothing of the text is kept.

    Parts of it that are scored by themselves are texts of their own in the key's quota, the first of them excepted.
    Raises request.invalid with the API's own error types, and limits.exceeded where nobody answers in time.
    """
    deadline = time.monotonic() + within_seconds
    wanted = known_attributes(list(request.requested_attributes), drop=request.drop_unsupported_attributes)
    for name in wanted:
        _check_threshold(name, request)
    text = request.comment.text
    spoken = await _spoken(text, request.languages)
    answer = AnalyzeAnswer({}, spoken.answered, spoken.detected, request.client_token)
    if not wanted:
        return Answered(answer, None)
    places = await asyncio.to_thread(_places, text, spoken) if request.span_annotations else [(0, len(text))]
    await take_more(len(places) - 1)
    left = deadline - time.monotonic()
    whole, parts = await _analysed(context, site, [text, *(text[begin:end] for begin, end in places)], left)
    scored = _scored(whole, wanted, drop=request.drop_unsupported_attributes)
    scored = _in_language(whole, scored, spoken, drop=request.drop_unsupported_attributes)
    spans = list(zip(utf16_places(text, places), parts, strict=True))
    scores = {name: _score(attribute, scale, whole, spans) for name, attribute in scored.items()}
    kept = {name: one for name, one in scores.items() if one.summary_score.value >= _threshold(name, request)}
    # Where nobody said and nothing tells, it was read as the model reads.
    languages = answer.languages or _read_in(whole)
    return Answered(msgspec.structs.replace(answer, attribute_scores=kept, languages=languages), whole)


async def suggest(context: Context, site: Row, principal: Principal, request: SuggestRequest) -> SuggestAnswer:
    """Keep what a person said that a text should have scored, beside what our model says of it.

    The text itself is kept where the key allows it, its hash otherwise, and neither under `doNotStore`.
    """
    wanted = known_attributes(list(request.attribute_scores), drop=request.drop_unsupported_attributes)
    labels = _labels(wanted, request)
    text = request.comment.text
    spoken = await _spoken(text, request.languages)
    ours = await _said(context, text, spoken)
    may_hash = not request.do_not_store
    of_text = {
        "site_id": site.id,
        "token_id": principal.token_id,
        "community_id": request.community_id or None,
        "client_token": request.client_token or None,
        "text_hash": hashlib.sha256(text.encode()).hexdigest() if may_hash else None,
        "text": text if may_hash and principal.may_store else None,
        "model_id": ours[0],
        "language": spoken.found.code,
        "created_at": context.now(),
    }
    rows: list[dict[str, Any]] = [
        {**of_text, "id": context.new_id(), "attribute": one.value, "value": value, "our_score": ours[1].get(one)}
        for one, value in labels.items()
    ]
    if rows:
        async with context.database.writing() as connection:
            await suggestions.insert(connection, rows)
    telemetry.suggested_total.inc(len(rows))
    return SuggestAnswer(request.client_token, spoken.detected, spoken.requested)


async def forget(context: Context, site: Row, client_token: str) -> int:
    """Delete what was suggested about one text, by the client's own id of it; answer how many labels that were."""
    async with context.database.writing() as connection:
        return await suggestions.forget_of(connection, site.id, client_token)


async def _spoken(text: str, requested: Sequence[str]) -> Spoken:
    # Away from the event loop, which a long text would hold up.
    found = await asyncio.to_thread(detect_language, text)
    spoken = Spoken([code for code in requested if code.strip()], found)
    if not spoken.answered and not any(map(str.isalpha, text)):
        raise errors.no_language()
    return spoken


def _places(text: str, spoken: Spoken) -> list[Place]:
    return sentences(text, language=spoken.found.code or "en")


async def _analysed(
    context: Context, site: Row, texts: Sequence[str], within_seconds: float
) -> tuple[Analysed, Sequence[Analysed]]:
    """Answer what is known of the whole text and of each of its parts, all of it by one model."""
    try:
        whole, *others = await analyse(context, site, texts, within_seconds=within_seconds)
    except TooMany as many:
        seconds = math.ceil(many.retry_after_seconds)
        raise errors.too_many(
            seconds, f"More texts wait than can be scored in time. Try again in {seconds} s."
        ) from None
    return whole, others


def _scored(whole: Analysed, wanted: Mapping[str, Attribute], *, drop: bool) -> dict[str, Attribute]:
    """Answer the attributes that whoever answered scores; another is refused, for now or for good, or left out."""
    for name, attribute in wanted.items():
        if attribute in whole.scores.values or drop:
            continue
        if whole.is_quick:
            # Left out it would look like a low score, and the model in force may well know it.
            raise errors.too_many(1, f"The model that scores {name} does not answer in time. Try again in 1 s.")
        raise errors.unknown_attribute(name, whole.model_id)
    return {name: attribute for name, attribute in wanted.items() if attribute in whole.scores.values}


def _in_language(whole: Analysed, scored: dict[str, Attribute], spoken: Spoken, *, drop: bool) -> dict[str, Attribute]:
    """Answer the attributes if the model is good for the language of the text; refuse them, or none, otherwise."""
    if not scored or not whole.languages or may_judge(whole.languages, spoken.requested, spoken.found):
        return scored
    if drop:
        return {}
    raise errors.unsupported_language(next(iter(scored)), spoken.requested, spoken.detected)


def _read_in(whole: Analysed) -> list[str]:
    return ["en"] if "en" in whole.languages else sorted(whole.languages)[:1]


def _score(
    attribute: Attribute, scale: Scale, whole: Analysed, spans: Sequence[tuple[Place, Analysed]]
) -> AttributeScores:
    parts = [SpanScore(begin, end, _on(scale, part, attribute)) for (begin, end), part in spans]
    return AttributeScores(parts, _on(scale, whole, attribute))


def _on(scale: Scale, analysed: Analysed, attribute: Attribute) -> Score:
    value = value_on(scale, analysed, attribute)
    assert value is not None
    return Score(value)


def _check_threshold(name: str, request: AnalyzeRequest) -> None:
    wanted = request.requested_attributes[name]
    check_type(wanted.score_type, name)
    if wanted.score_threshold is not None and not math.isfinite(wanted.score_threshold):
        raise errors.refused(f"Invalid value at 'requestedAttributes.{name}.scoreThreshold': it must be a number.")


def _threshold(name: str, request: AnalyzeRequest) -> float:
    return request.requested_attributes[name].score_threshold or 0.0


def _labels(wanted: Mapping[str, Attribute], request: SuggestRequest) -> dict[Attribute, float]:
    """Answer what is suggested for each attribute of ours; two names of one attribute must not say different things."""
    labels: dict[Attribute, float] = {}
    for name, attribute in wanted.items():
        value = _label(name, request.attribute_scores[name])
        if labels.setdefault(attribute, value) != value:
            names = " and ".join(one for one, other in wanted.items() if other is attribute)
            raise errors.refused(f"attributeScores: {names} are one attribute here and have different values.")
    return labels


def _label(name: str, suggested: SuggestedAttribute) -> float:
    score = suggested.summary_score
    if score is None:
        raise errors.refused(f"attributeScores.{name}.summaryScore is needed.")
    check_type(score.type, name)
    # A number that is 0 is not sent by those who leave out what is unset.
    value = 0.0 if score.value is None else score.value
    if not 0.0 <= value <= 1.0:
        raise errors.refused(f"Invalid value at 'attributeScores.{name}.summaryScore.value': it must be from 0 to 1.")
    return value


async def _said(context: Context, text: str, spoken: Spoken) -> tuple[str | None, Mapping[Attribute, float]]:
    """Answer what the model in force says of a text as it says it, nothing where it does not in time.

    Nor where it cannot read the text's language: a guess would calibrate it wrongly.
    """
    try:
        answer = await ask(context, [text], within_seconds=_BESIDE_LABEL_SECONDS, remember=False)
    except NoAnswer:
        return None, {}
    scores = answer.scores[text]
    languages = answer.languages.get(scores.model_id)
    if languages and not may_judge(languages, spoken.requested, spoken.found):
        return None, {}
    return scores.model_id, scores.values


def scale_of(asked: str | None, principal: Principal) -> Scale:
    """Answer the scale of a request, the key's own where it names none; raise for one that there is not."""
    try:
        return Scale(asked or principal.scale)
    except ValueError:
        raise _unknown_scale() from None


def _unknown_scale() -> Problem:
    return errors.refused(f"scale: must be one of {', '.join(Scale)}.")
