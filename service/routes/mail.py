"""Mail to authors: what they want, and the pages that the links in letters lead to."""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args
from urllib.parse import parse_qsl

from litestar import Request, Response, delete, get, post, put
from litestar.enums import MediaType
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter

from service import schemas
from service.access import open_to_all, requires_author
from service.errors import Problem
from service.flow import confirm_mail, mail_pages, manage_mail
from service.flow.markup import Markup
from service.routes import problems, requests
from service.routes.requests import FORM, SiteSlug
from service.visits import context_of

_NO_STORE: Final = {"cache-control": "no-store"}
_ME: Final = "/v1/sites/{site:str}/me/mail"
_CONFIRM, _UNSUBSCRIBE = "/v1/mail/confirm", "/v1/mail/unsubscribe"
_MOST_FIELDS: Final = 5
_BODY_BYTES: Final = 2_048
_HTML: Final = {200: ResponseSpec(str, description="HTML", media_type=MediaType.HTML, generate_examples=False)}
Token = Annotated[str, QueryParameter(max_length=200, description="What the letter's link carries.")]


def on_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[Any]:
    """Answer a browser a page, anybody else the problem as ever."""
    if problem.code != "mail.link_over" or "text/html" not in request.headers.get("accept", ""):
        return problems.on_problem(request, problem)
    return _page(mail_pages.over(request.headers.get("accept-language", "").partition(",")[0]), problem.status)


def _page(page: Markup, status: int = 200) -> Response[Any]:
    return Response(page.encode(), status_code=status, media_type=MediaType.HTML, headers=mail_pages.headers())


#: The pages that links in letters lead to, and their buttons.
_OPENED: Final[dict[str, Any]] = {
    "guards": [open_to_all],
    "responses": _HTML,
    "media_type": MediaType.HTML,
    "exception_handlers": {Problem: on_problem},
    "tags": ["mail"],
}
_PRESSED: Final[dict[str, Any]] = {**_OPENED, "status_code": 200, "request_max_body_size": _BODY_BYTES}


@get(_ME, guards=[requires_author], tags=["readers"])
async def read_mail(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> Response[schemas.MailView]:
    """Read whether mail comes to the author and about what; the address is never told."""
    context, found, visit = requests.visited(request)
    return Response(await manage_mail.read(context, found, requests.as_author(visit)), headers=_NO_STORE)


@put(_ME, guards=[requires_author], status_code=202, opt={"kind": "mail"}, tags=["readers"])
async def put_mail(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.MailInput],
) -> Response[bytes]:
    """Ask for mail: a confirmation goes to a new address, and nothing else before it is confirmed."""
    context, found, visit = requests.visited(request)
    await manage_mail.put(context, found, requests.as_author(visit), data)
    # Not `null`, which is JSON.
    return Response(b"", headers=_NO_STORE)


@delete(_ME, guards=[requires_author], tags=["readers"])
async def delete_mail(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
) -> None:
    """End mail to the author and forget the address."""
    context, found, visit = requests.visited(request)
    await manage_mail.end(context, found, requests.as_author(visit))


@get(_CONFIRM, **_OPENED)
async def open_confirmation(request: Request[Any, Any, Any], token: Token) -> Response[bytes]:
    """Open the page of a confirmation; looking changes nothing, for programs follow the links in letters."""
    asked = await confirm_mail.find_confirmation(context_of(request), token)
    return _page(mail_pages.ask_to_confirm(asked, f"{_CONFIRM}?token={token}"))


@post(_CONFIRM, **_PRESSED)
async def confirm_address(request: Request[Any, Any, Any], token: Token) -> Response[bytes]:
    """Confirm an address; once more is the same."""
    return _page(mail_pages.confirmed(await confirm_mail.confirm(context_of(request), token)))


@get(_UNSUBSCRIBE, **_OPENED)
async def open_unsubscribing(request: Request[Any, Any, Any], token: Token) -> Response[bytes]:
    """Open the page of an unsubscribing link; looking changes nothing."""
    topic, asked = await confirm_mail.find_unsubscribing(context_of(request), token)
    return _page(mail_pages.ask_to_unsubscribe(asked, topic, f"{_UNSUBSCRIBE}?token={token}"))


@post(_UNSUBSCRIBE, **_PRESSED)
async def unsubscribe(request: Request[Any, Any, Any], token: Token) -> Response[bytes]:
    """Unsubscribe at once, without a sign-in, as mail programs do for their users (RFC 8058)."""
    chosen = _chosen(requests.media_type_of(request), await request.body())
    topic, asked = await confirm_mail.unsubscribe(context_of(request), token, chosen)
    return _page(mail_pages.unsubscribed(asked, topic))


def _chosen(media_type: str, raw: bytes) -> schemas.MailTopic | None:
    """Answer which button of the page was pressed; None for a mail program, whose body says nothing more."""
    if media_type != FORM:
        return None
    try:
        given = dict(parse_qsl(raw.decode("ascii"), max_num_fields=_MOST_FIELDS))
    except ValueError:
        return None
    topics: dict[str, schemas.MailTopic] = {topic: topic for topic in get_args(schemas.MailTopic)}
    return topics.get(given.get("what", ""))


HANDLERS = [
    read_mail,
    put_mail,
    delete_mail,
    open_confirmation,
    confirm_address,
    open_unsubscribing,
    unsubscribe,
]
