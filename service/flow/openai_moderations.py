"""OpenAI's moderation endpoint, answered by our models: only the categories that one of them measures."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from moderation.language import detect_language, may_judge
from moderation.scores import Attribute
from service import schemas
from service.errors import Problem
from service.flow.analyse import Analysed, Scale, TooMany, analyse, value_on
from service.flow.context import Context
from service.store.types import Row

#: From here on a category is flagged: as likely as not, where the scores are probabilities.
FLAGGED_FROM: Final = 0.5
#: As many as go to the scorer in one question; each costs a place in its line.
MOST_TEXTS: Final = 32
#: In UTF-8, of one text: as long as a comment may be that Perspective takes.
MOST_BYTES: Final = 20_480

#: Of all texts together: what one text of the longest and its sentences are, so that no request holds a model longer.
MOST_CHARACTERS: Final = 40_960

#: OpenAI's categories, and what of ours measures each: the first attribute that the model scores counts.
#: `hate/threatening` is hate *and* a threat, of which two numbers say nothing sure; of the others we know nothing.
CATEGORIES: Final[Mapping[str, tuple[Attribute, ...]]] = {
    "harassment": (Attribute.INSULT, Attribute.TOXICITY),
    "harassment/threatening": (Attribute.THREAT,),
    "hate": (Attribute.IDENTITY_ATTACK,),
    "hate/threatening": (),
    "illicit": (),
    "illicit/violent": (),
    "self-harm": (),
    "self-harm/instructions": (),
    "self-harm/intent": (),
    "sexual": (Attribute.SEXUAL_EXPLICIT,),
    "sexual/minors": (),
    "violence": (Attribute.THREAT,),
    "violence/graphic": (),
}


class Moderated(NamedTuple):
    """What a client is answered, and whose scores it rests on."""

    answer: schemas.Moderations
    analysed: list[Analysed]


async def moderate(context: Context, site: Row, texts: Sequence[str], scale: Scale) -> Moderated:
    """Answer what is in texts; raise request.invalid for a language that the model cannot read, which is no zero."""
    # Away from the event loop, which many texts would hold up.
    detecting = asyncio.to_thread(lambda: list(map(detect_language, texts)))
    analysed, languages = await asyncio.gather(_analysed(context, site, texts), detecting)
    for number, (one, language) in enumerate(zip(analysed, languages, strict=True)):
        if one.languages and not may_judge(one.languages, [], language):
            param = "input" if len(texts) == 1 else f"input[{number}]"
            message = f"'{param}' is in a language ({language.code}) that {one.model_id} cannot read; it reads: "
            raise refused(message + f"{', '.join(sorted(one.languages))}.", param, "unsupported_language")
    answer = schemas.Moderations(
        id=f"modr-{context.new_id().replace('-', '')}",
        model=analysed[0].model_id,
        results=[result_of(one, scale) for one in analysed],
    )
    return Moderated(answer, analysed)


async def _analysed(context: Context, site: Row, texts: Sequence[str]) -> list[Analysed]:
    try:
        return await analyse(context, site, texts)
    except TooMany as many:
        seconds = math.ceil(many.retry_after_seconds)
        message = f"Too much waits to be scored. Try again in {seconds} s."
        raise Problem("limits.exceeded", message, headers={"retry-after": str(seconds)}) from None


def result_of(analysed: Analysed, scale: Scale) -> schemas.ModerationResult:
    """Answer what is said of one text."""
    measured = {category: _measured(analysed, scale, attributes) for category, attributes in CATEGORIES.items()}
    categories = {category: value is not None and value >= FLAGGED_FROM for category, value in measured.items()}
    return schemas.ModerationResult(
        flagged=any(categories.values()),
        categories=categories,
        category_scores={category: value or 0.0 for category, value in measured.items()},
        category_applied_input_types={
            category: [] if value is None else ["text"] for category, value in measured.items()
        },
    )


def _measured(analysed: Analysed, scale: Scale, attributes: Sequence[Attribute]) -> float | None:
    values = (value_on(scale, analysed, attribute) for attribute in attributes)
    return next((value for value in values if value is not None), None)


def scale_of(name: str | None) -> Scale:
    """Answer the scale that a client names; here it is probability unless it names another."""
    try:
        return Scale(name) if name is not None else Scale.PROBABILITY
    except ValueError:
        message = f"'scale' must be one of {', '.join(Scale)}."
        raise refused(message, "scale", "invalid_value") from None


def texts_of(body: Any) -> list[str]:
    """Answer the texts that a client asks about, or raise request.invalid with the parameter and OpenAI's code for it.

    A list of strings is as many texts; a list of parts is one.
    """
    if not isinstance(body, dict):
        raise refused("The body must be a JSON object.", None, None)
    for name in body:
        if name not in ("input", "model"):
            raise refused(f"Unknown parameter: '{name[:60]}'.", name[:60], "unknown_parameter")
    if not isinstance(body.get("model"), str | None):
        raise refused("Invalid type for 'model': expected a string.", "model", "invalid_type")
    if "input" not in body:
        raise refused("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    texts = _listed(body["input"])
    for number, text in enumerate(texts):
        param = "input" if len(texts) == 1 else f"input[{number}]"
        if not text.strip():
            raise refused(f"'{param}' must not be empty.", param, "empty_string")
        if (size := len(text.encode())) > MOST_BYTES:
            raise refused(
                f"'{param}' has {size} bytes; at most {MOST_BYTES} are taken.", param, "string_above_max_length"
            )
    if (characters := sum(map(len, texts))) > MOST_CHARACTERS:
        message = f"'input' has {characters} characters in all; at most {MOST_CHARACTERS} are taken. Send fewer texts."
        raise refused(message, "input", "array_above_max_length")
    return texts


def _listed(given: Any) -> list[str]:
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        raise refused("Invalid type for 'input': expected a string or an array.", "input", "invalid_type")
    if not given:
        raise refused("'input' must not be empty.", "input", "empty_array")
    if all(isinstance(one, str) for one in given):
        if len(given) > MOST_TEXTS:
            raise refused(
                f"'input' has {len(given)} texts; at most {MOST_TEXTS} are taken.", "input", "array_above_max_length"
            )
        return given
    return ["\n".join(_part(one, f"input[{number}]") for number, one in enumerate(given))]


def _part(given: Any, param: str) -> str:
    kind = given.get("type") if isinstance(given, dict) else None
    if kind == "image_url":
        raise refused(
            f"'{param}' is an image, which no model here can see; send text.", param, "unsupported_input_type"
        )
    if kind != "text" or not isinstance(given.get("text"), str) or len(given) != 2:
        message = f'Invalid type for \'{param}\': expected a string, all of them, or {{"type": "text", "text": ...}}.'
        raise refused(message, param, "invalid_type")
    return str(given["text"])


def refused(message: str, param: str | None, code: str | None) -> Problem:
    """Answer the problem of a request that OpenAI's clients would be told of so."""
    fields = [(param, message)] if param else []
    return Problem("request.invalid", message, fields=fields, extra={"openai_code": code})


def error_of(problem: Problem) -> schemas.OpenAiErrorBody:
    """Answer a problem in the words of OpenAI's clients."""
    kind, code = _KINDS.get(problem.status, ("invalid_request_error", None))
    if problem.status >= 500:
        kind, code = "server_error", None
    param = problem.fields[0].field if problem.fields else None
    code = problem.extra.get("openai_code", code)
    return schemas.OpenAiErrorBody(schemas.OpenAiError(problem.detail, kind, param, code))


#: What the SDK makes classes of is the status; type and code are what people look for in their logs.
_KINDS: Final = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "insufficient_permissions"),
    429: ("requests", "rate_limit_exceeded"),
}
