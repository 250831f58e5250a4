"""What OpenAI's `POST /v1/moderations` asks and is answered; the names and shapes are its own.

See https://platform.openai.com/docs/api-reference/moderations
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class TextPart(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of one input; an image cannot be one here."""

    type: Literal["text"]
    text: str


class ModerationInput(Struct, frozen=True, forbid_unknown_fields=True):
    """One text, several of them, or one in parts. `model` may say anything: there is one model in force here."""

    input: str | Annotated[list[str | TextPart], Meta(min_length=1)]
    model: str | None = None


class ModerationResult(Struct, frozen=True):
    """What is said of one text, by category; one that applies to no type of input was measured by nobody, and is 0."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[Literal["text"]]]


class Moderations(Struct, frozen=True):
    """The results, in the order of the texts."""

    id: str
    model: str
    results: list[ModerationResult]


class OpenAiError(Struct, frozen=True):
    """An error in the words of OpenAI's clients."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAiErrorBody(Struct, frozen=True):
    """The JSON of an error under `/v1/moderations`."""

    error: OpenAiError
