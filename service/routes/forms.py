"""Readers without scripts: the form, and what became of what was sent with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from litestar import Request, Response, get, post
from litestar.enums import MediaType
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody
from litestar.params import QueryParameter

from service import schemas
from service.access import of_form, of_site
from service.errors import Problem
from service.flow import post_form, reader_page
from service.flow.markup import Markup
from service.flow.reader_form import Filled
from service.routes import problems, requests
from service.routes.requests import FORM, PagePath, SiteSlug
from service.routes.without_scripts import Lang
from service.visits import context_of, network_hash_of, visit_of

#: 10,000 characters of four bytes each, every byte written as `%XX`, and the other fields.
BODY_BYTES: Final = 140_000
_MOST_FIELDS: Final = 20
_PRIVATE: Final = "private, no-cache"
_NO_STORE: Final = "no-store"
_HTML: Final = {200: ResponseSpec(str, description="HTML", media_type=MediaType.HTML, generate_examples=False)}


@dataclass
class FormOperation(Operation):
    """An operation whose body is a form; the framework would take it for JSON."""

    def __post_init__(self) -> None:
        """Say so."""
        schema = Reference(ref="#/components/schemas/FormComment")
        self.request_body = RequestBody(content={FORM: OpenAPIMediaType(schema=schema)}, required=True)


def on_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[Any]:
    """Answer a browser the form once more with what was wrong, anybody else the problem as ever."""
    site, page = visit_of(request).site, request.path_params.get("page")
    if site is None or page is None or "text/html" not in request.headers.get("accept", ""):
        return problems.on_problem(request, problem)
    # As it came: what was wrong may be wrong with it.
    sent: dict[str, str] = getattr(request.state, "form", {})
    filled = Filled(**{name: sent[name] for name in Filled._fields if name in sent})
    scene = post_form.scene_of(context_of(request), site, requests.page_key(page), sent.get("lang"))
    answer = _page(site, post_form.refused(scene, filled, problem), _NO_STORE, status=problem.status)
    answer.headers.update(problem.headers)
    return answer


def _page(site: Any, page: Markup, caching: str, *, status: int = 200) -> Response[Any]:
    headers = {"cache-control": caching, **reader_page.headers_of(site)}
    return Response(page.encode(), status_code=status, media_type=MediaType.HTML, headers=headers)


@get(
    "/v1/sites/{site:str}/threads/{page:str}/form",
    guards=[of_site],
    responses=_HTML,
    media_type=MediaType.HTML,
    exception_handlers={Problem: on_problem},
    tags=["readers"],
)
async def read_form(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: PagePath,
    lang: Lang = None,
    reply_to: Annotated[str | None, QueryParameter(description="The comment that is answered.")] = None,
    receipt: Annotated[
        str | None, QueryParameter(max_length=200, description="What a sent form led to: what became of it.")
    ] = None,
) -> Response[bytes]:
    """Open the form of a thread as a page that needs no scripts, or see what became of a comment sent with it."""
    context, found, _ = requests.visited(request)
    scene = post_form.scene_of(context, found, requests.page_key(page), lang)
    if receipt is not None:
        return _page(found, await post_form.read_receipt(context, scene, receipt), _NO_STORE)
    answered = requests.known_id(reply_to, "comment.unknown") if reply_to is not None else None
    return _page(found, await post_form.open_form(context, scene, answered), _PRIVATE)


@post(
    "/v1/sites/{site:str}/threads/{page:str}/form",
    guards=[of_form],
    status_code=303,
    responses={303: ResponseSpec(None, description="The article, or what became of it", generate_examples=False)},
    request_max_body_size=BODY_BYTES,
    operation_class=FormOperation,
    exception_handlers={Problem: on_problem},
    opt={"kind": "submit"},
    tags=["readers"],
)
async def send_form(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: PagePath,
) -> Response[bytes]:
    """Submit a comment by a form that needs no scripts; the Origin header must be there and be the site's or ours."""
    context, found, visit = requests.visited(request)
    request.state.form = sent = await _fields(request)
    form: schemas.FormComment = requests.convert_strictly(sent, schemas.FormComment)
    scene = post_form.scene_of(context, found, requests.page_key(page), form.lang)
    address = await post_form.send_form(
        context,
        scene,
        form,
        network_hash=await network_hash_of(request),
        from_allowed_origin=visit.cors_origin is not None,
    )
    return Response(b"", status_code=303, headers={"location": address, "cache-control": _NO_STORE})


async def _fields(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Read a form strictly, every field once; an empty one is left out."""
    if requests.media_type_of(request) != FORM:
        raise Problem("request.content_type", f"Send the form as {FORM}.")
    raw = await request.body()
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Problem("request.malformed", "The form is not encoded as forms are (UTF-8, percent-encoded).") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Problem("request.malformed", "A field of the form is there twice.")
    if any("\x00" in text for pair in pairs for text in pair):
        raise Problem("request.nul", "Remove the NUL characters.")
    # Browsers end the lines of a form with two characters, whatever was typed.
    return {name: text.replace("\r\n", "\n") for name, text in fields.items() if text or name == "body"}


HANDLERS = [read_form, send_form]
