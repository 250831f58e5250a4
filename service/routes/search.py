"""Moderators: searching comments, an author's page, threads in every status."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter

from moderation.decision import Status
from service import schemas
from service.access import requires_moderator
from service.flow import author_page, comment_on_desk, moderated_threads, search
from service.routes import requests
from service.routes.requests import After, CommentId, PagePath, SiteSlug
from service.schemas import PAGE_KEY_CHARACTERS
from service.schemas.reports import CommentOnDesk

CommenterId = Annotated[str, PathParameter(description="A commenter id.")]
NoteId = Annotated[str, PathParameter(description="A note id.")]
Words = Annotated[
    str | None,
    QueryParameter(
        max_length=search.MOST_CHARACTERS,
        description='Words, all of them; `"a phrase"` in quotes; `begin*` for words that begin so.',
    ),
]
AuthorName = Annotated[
    str | None, QueryParameter(max_length=search.MOST_CHARACTERS, description="Words of the author's name, as in `q`.")
]
CommenterIs = Annotated[str | None, QueryParameter(description="A commenter id.")]
StatusIs = Annotated[Status | None, QueryParameter(description="Only comments in this status.")]
RuleIs = Annotated[
    str | None, QueryParameter(max_length=64, description="Only comments on which this rule of a policy spoke.")
]
PageIs = Annotated[
    str | None, QueryParameter(max_length=PAGE_KEY_CHARACTERS, description="Only comments under this page.")
]
Since = Annotated[datetime | None, QueryParameter(name="from", description="Only texts written at this time or later.")]
Until = Annotated[datetime | None, QueryParameter(name="to", description="Only texts written before this time.")]
InNames = Annotated[
    str | None, QueryParameter(max_length=search.MOST_CHARACTERS, description="A part of the title or the page.")
]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many, at most.")]
_NO_STORE = {"cache-control": "no-store"}


@get("/v1/review/{site:str}/search", guards=[requires_moderator], tags=["review"])
async def search_comments(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    q: Words = None,
    author: AuthorName = None,
    commenter_id: CommenterIs = None,
    status: StatusIs = None,
    rule: RuleIs = None,
    page: PageIs = None,
    since: Since = None,
    until: Until = None,
    after: After = None,
    limit: Limit = 20,
) -> Response[schemas.FoundComments]:
    """Search the site's comments in every status, the newest first."""
    context, found, _ = requests.visited(request)
    asked = search.Asked(
        q=q,
        author=author,
        commenter_id=requests.known_id(commenter_id, "commenter.unknown") if commenter_id is not None else None,
        status=status.value if status is not None else None,
        rule=requests.plain("rule", rule),
        page=requests.check_pages([page])[0] if page is not None else None,
        since=since,
        until=until,
    )
    return Response(await search.find(context, found, asked, after=after, limit=limit), headers=_NO_STORE)


@get("/v1/review/{site:str}/comments/{comment_id:str}", guards=[requires_moderator], tags=["review"])
async def read_comment_on_desk(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    comment_id: CommentId,
) -> Response[CommentOnDesk]:
    """Read one comment in any status, with its author's id, its thread, the open reports and what asks about it."""
    context, found, visit = requests.visited(request)
    comment_id = requests.known_id(comment_id, "comment.unknown")
    answer = await comment_on_desk.comment_on_desk(context, found, requests.as_member(visit), comment_id)
    return Response(answer, headers=_NO_STORE)


@get("/v1/review/{site:str}/commenters/{commenter_id:str}/comments", guards=[requires_moderator], tags=["review"])
async def read_comments_of_commenter(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    commenter_id: CommenterId,
    status: StatusIs = None,
    after: After = None,
    limit: Limit = 20,
) -> Response[schemas.FoundComments]:
    """Read what a commenter wrote, in every status, the newest first."""
    context, found, _ = requests.visited(request)
    commenter_id = requests.known_id(commenter_id, "commenter.unknown")
    wanted = status.value if status is not None else None
    answer = await author_page.comments_of(context, found, commenter_id, status=wanted, after=after, limit=limit)
    return Response(answer, headers=_NO_STORE)


@get("/v1/review/{site:str}/commenters/{commenter_id:str}/notes", guards=[requires_moderator], tags=["review"])
async def list_notes(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    commenter_id: CommenterId,
) -> Response[schemas.NoteList]:
    """Read what moderators noted about a commenter, the newest first."""
    context, found, _ = requests.visited(request)
    commenter_id = requests.known_id(commenter_id, "commenter.unknown")
    return Response(await author_page.list_notes(context, found, commenter_id), headers=_NO_STORE)


@post("/v1/review/{site:str}/commenters/{commenter_id:str}/notes", guards=[requires_moderator], tags=["review"])
async def add_note(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    commenter_id: CommenterId,
    data: JSONBody[schemas.NoteInput],
) -> Response[schemas.NoteView]:
    """Note something about a commenter for the other moderators."""
    context, found, visit = requests.visited(request)
    commenter_id = requests.known_id(commenter_id, "commenter.unknown")
    answer = await author_page.add_note(context, found, requests.as_member(visit), commenter_id, data)
    return Response(answer, status_code=201, headers=_NO_STORE)


@delete(
    "/v1/review/{site:str}/commenters/{commenter_id:str}/notes/{note_id:str}",
    guards=[requires_moderator],
    tags=["review"],
)
async def delete_note(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    commenter_id: CommenterId,
    note_id: NoteId,
) -> None:
    """Delete a note: who wrote it may, and any admin."""
    context, found, visit = requests.visited(request)
    commenter_id = requests.known_id(commenter_id, "commenter.unknown")
    note_id = requests.known_id(note_id, "note.unknown")
    await author_page.delete_note(context, found, requests.as_member(visit), commenter_id, note_id)


@get("/v1/review/{site:str}/threads", guards=[requires_moderator], tags=["review"])
async def list_threads(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    q: InNames = None,
    after: After = None,
    limit: Limit = 20,
) -> Response[schemas.ModeratedThreads]:
    """Read the site's threads, the newest first, with how many comments each has in which status."""
    context, found, _ = requests.visited(request)
    answer = await moderated_threads.list_threads(context, found, q=q, after=after, limit=limit)
    return Response(answer, headers=_NO_STORE)


@get("/v1/review/{site:str}/threads/{page:str}/comments", guards=[requires_moderator], tags=["review"])
async def read_comments_of_thread(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: PagePath,
    status: StatusIs = None,
    after: After = None,
    limit: Limit = 20,
) -> Response[schemas.FoundComments]:
    """Read the comments of a thread in every status, the newest first."""
    context, found, _ = requests.visited(request)
    wanted, key = status.value if status is not None else None, requests.page_key(page)
    answer = await moderated_threads.comments_of(context, found, key, status=wanted, after=after, limit=limit)
    return Response(answer, headers=_NO_STORE)


HANDLERS = [
    search_comments,
    read_comment_on_desk,
    read_comments_of_commenter,
    list_notes,
    add_note,
    delete_note,
    list_threads,
    read_comments_of_thread,
]
