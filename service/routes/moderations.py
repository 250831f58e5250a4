"""OpenAI's moderation endpoint at its own path: a client changes its base URL and goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from litestar import Request, Response, post
from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody
from litestar.params import QueryParameter

from service import schemas
from service.access import requires_analyze, take_more
from service.flow import openai_moderations
from service.routes import requests
from service.routes.answered_by import headers_of
from service.routes.requests import decode_json

#: As many characters as are taken, each of them escaped.
MOST_BODY_BYTES: Final = 262_144
_NO_STORE: Final = {"cache-control": "no-store"}

ScaleName = Annotated[
    str | None, QueryParameter(name="scale", description="`probability`, the default here, or `perspective`.")
]


@dataclass
class ModerationOperation(Operation):
    """A body that is read by our own hand, since what is wrong with it is told in OpenAI's words."""

    def __post_init__(self) -> None:
        """Say what is in it."""
        schema = Reference(ref="#/components/schemas/ModerationInput")
        self.request_body = RequestBody(content={"application/json": OpenAPIMediaType(schema=schema)}, required=True)


@post(
    "/v1/moderations",
    guards=[requires_analyze],
    status_code=200,
    operation_class=ModerationOperation,
    request_max_body_size=MOST_BODY_BYTES,
    tags=["openai"],
)
async def create_moderation(request: Request[Any, Any, Any], scale: ScaleName = None) -> Response[schemas.Moderations]:
    """Say which of OpenAI's categories texts fall into; nothing of them is kept. Errors are in OpenAI's shape."""
    context, site, _ = requests.visited(request)
    on = openai_moderations.scale_of(scale)
    texts = openai_moderations.texts_of(decode_json(await request.body()))
    # A quota is of texts, of which the guard, that cannot know how many there are, has counted one.
    await take_more(request, len(texts) - 1)
    moderated = await openai_moderations.moderate(context, site, texts, on)
    return Response(moderated.answer, headers=_NO_STORE | headers_of(moderated.analysed))


HANDLERS = [create_moderation]
