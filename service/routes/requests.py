"""Reading a request strictly: JSON and nothing else, no NUL, no bottomless nesting, a clear problem for each."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from litestar import Request
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from service.errors import Problem
from service.flow.context import Context, Row
from service.flow.identify import Commenter, Principal
from service.routes.messages import explained
from service.schemas import PAGE_KEY_CHARACTERS
from service.schemas.base import SITE_PATH_PATTERN
from service.visits import Visit, context_of, visit_of

SiteSlug = Annotated[str, PathParameter(description="The site's slug.", pattern=SITE_PATH_PATTERN)]
PagePath = Annotated[str, PathParameter(description="The page key, percent-encoded, up to 512 characters.")]
CommentId = Annotated[str, PathParameter(description="A comment id (UUIDv7).")]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many, at most.")]
After = Annotated[str | None, QueryParameter(description="The cursor that the page before gave.")]
Prefer = Annotated[
    str | None, HeaderParameter(name="Prefer", description="`wait=SECONDS` (RFC 7240): wait for the decision.")
]

FORM: Final = "application/x-www-form-urlencoded"
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)
_NAMED = re.compile(r"(?:unknown|required) field `(.*)`")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class ApiRequest(Request[Any, Any, Any]):
    """A request whose JSON is read by our rules."""

    async def json(self) -> Any:
        """Answer the body as what the route asks for, or raise the problem that says what is wrong with it."""
        if media_type_of(self) != "application/json":
            raise Problem("request.content_type", "Send the body as application/json.")
        wanted = self.route_handler.parsed_data_field
        return convert_strictly(decode_json(await self.body()), wanted.annotation if wanted else Any)


def media_type_of(request: Request[Any, Any, Any]) -> str:
    """Answer the media type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def decode_json(raw: bytes) -> Any:
    """Decode JSON (RFC 8259) into plain data, refusing what would break a part behind us."""
    try:
        value = msgspec.json.decode(raw)
    except RecursionError:
        raise Problem("request.nesting", "Objects and arrays go too deep.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem("request.malformed", _explain(raw, error)) from None
    # An escaped NUL is the only kind that valid JSON can hold.
    if b"\\u0000" in raw and _has_nul(value):
        raise Problem("request.nul", "Remove the NUL characters.")
    return value


def convert_strictly(value: Any, wanted: Any) -> Any:
    """Answer plain data as a struct; the framework's own conversion would take the text "5" for a number."""
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        place = path.rstrip("`").lstrip(".")
        field = ".".join(part for part in (place, *_NAMED.findall(message)) if part)
        message = explained(message, place, wanted)
        fields = [(field, message)] if field else []
        raise Problem("request.invalid", f"{field or 'The body'}: {message}.", fields=fields) from None


def _explain(raw: bytes, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "The body is not UTF-8."
    if re.search(rb"\\u[dD][89a-fA-F]", raw):
        return "The body is not valid JSON, or a text in it holds half of a surrogate pair."
    return "The body is not valid JSON."


def _has_nul(value: Any) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if "\x00" in one:
                return True
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
    return False


def page_key(segment: str) -> str:
    """Decode the page's path segment, which routing leaves as it was sent."""
    try:
        page = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise _bad_page("must be percent-encoded UTF-8") from None
    if "\x00" in page:
        raise Problem("request.nul", "Remove the NUL characters.")
    if not 1 <= len(page) <= PAGE_KEY_CHARACTERS:
        raise _bad_page(f"must have 1 to {PAGE_KEY_CHARACTERS} characters")
    return page


def _bad_page(message: str) -> Problem:
    return Problem("request.invalid", f"The page key {message}.", fields=[("page", message)])


def check_pages(pages: list[str]) -> list[str]:
    """Answer page keys from a query, each checked like one in a path."""
    for page in pages:
        if "\x00" in page:
            raise Problem("request.nul", "Remove the NUL characters.")
        if not 1 <= len(page) <= PAGE_KEY_CHARACTERS:
            raise _bad_page(f"must have 1 to {PAGE_KEY_CHARACTERS} characters")
    return pages


def plain(field: str, text: str | None) -> str | None:
    """Answer a text from a query that names something, or raise for one that no database takes."""
    if text is not None and "\x00" in text:
        raise Problem("request.nul", f"{field}: remove the NUL characters.")
    return text


def known_id(text: str, code: str) -> str:
    """Answer an id in its canonical form; what cannot be an id is as unknown as one that is not there."""
    lowered = text.lower()
    if not _UUID.fullmatch(lowered):
        raise Problem(code, "Nothing here has this id.")
    return lowered


def wait_seconds(prefer: str | None) -> float:
    """Answer how long the client prefers to wait; a preference that cannot be read is none (RFC 7240)."""
    found = _WAIT.search(prefer or "")
    return float(found.group(1)) if found else 0.0


def idempotency_key(text: str | None) -> str | None:
    """Answer the canonical Idempotency-Key, or raise for one that is not a UUID."""
    if text is None:
        return None
    lowered = text.strip().strip('"').lower()
    if not _UUID.fullmatch(lowered):
        message = "must be a UUID"
        raise Problem("request.invalid", f"Idempotency-Key {message}.", fields=[("Idempotency-Key", message)])
    return lowered


def visited(request: Request[Any, Any, Any]) -> tuple[Context, Row, Visit]:
    """Answer what the guards of a site's route found."""
    visit = visit_of(request)
    assert visit.site is not None
    return context_of(request), visit.site, visit


def as_author(visit: Visit) -> Commenter:
    """Answer the commenter that requires_author let in."""
    assert visit.commenter is not None
    return visit.commenter


def as_member(visit: Visit) -> Principal:
    """Answer the principal that an API token guard let in."""
    assert visit.principal is not None
    return visit.principal
