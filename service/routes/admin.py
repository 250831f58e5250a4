"""Admins and the publisher's systems: sites, policies, threads, members, keys."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, delete, get, patch, post, put
from litestar.params import JSONBody, PathParameter, QueryParameter

from service import schemas
from service.access import requires_admin, requires_any_admin, requires_installation_admin, requires_publisher
from service.errors import Problem
from service.flow import manage_people, manage_sites, manage_threads
from service.routes import requests
from service.routes.requests import PagePath, SiteSlug
from service.visits import context_of, visit_of

Page = Annotated[str | None, QueryParameter(description="The page key of a thread that overrides the site's policy.")]
MemberId = Annotated[str, PathParameter(description="A member id.")]
KeyId = Annotated[str, PathParameter(description="A key id.")]
CommenterId = Annotated[str, PathParameter(description="A commenter id.")]


@post("/v1/admin/sites", guards=[requires_installation_admin], tags=["admin"])
async def create_site(request: Request[Any, Any, Any], data: JSONBody[schemas.SiteInput]) -> schemas.SiteView:
    """Make a site with the default policy."""
    actor = requests.as_member(visit_of(request)).actor
    return await manage_sites.create_site(context_of(request), actor, data)


@get("/v1/admin/sites", guards=[requires_any_admin], tags=["admin"])
async def list_sites(request: Request[Any, Any, Any]) -> schemas.SiteList:
    """List the sites the token may administer."""
    visit = visit_of(request)
    if visit.administered is not None:
        return await manage_sites.list_sites(context_of(request), visit.administered)
    site_id = requests.as_member(visit).site_id
    return await manage_sites.list_sites(context_of(request), None if site_id is None else {site_id})


@get("/v1/admin/sites/{site:str}", guards=[requires_admin], tags=["admin"])
async def read_site(request: Request[Any, Any, Any], site: SiteSlug) -> schemas.SiteView:
    """Read a site."""
    return await manage_sites.view_site(context_of(request), site)


@patch("/v1/admin/sites/{site:str}", guards=[requires_admin], tags=["admin"])
async def change_site(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.SiteChange],
) -> schemas.SiteView:
    """Change a site; `emergency_pre_moderation` holds every comment from the next batch on."""
    context, found, visit = requests.visited(request)
    return await manage_sites.change_site(context, found, requests.as_member(visit).actor, data)


@get("/v1/admin/sites/{site:str}/policy", guards=[requires_admin], tags=["admin"])
async def read_policy(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: Page = None,
) -> schemas.PolicyView:
    """Read the policy in force, of the site or of one thread."""
    context, found, _ = requests.visited(request)
    return await manage_sites.read_policy(context, found, _page(page))


@put("/v1/admin/sites/{site:str}/policy", guards=[requires_admin], tags=["admin"])
async def set_policy(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[dict[str, Any]],
    page: Page = None,
) -> schemas.PolicyView:
    """Put a policy in force, for the site or for one thread; every problem in it is answered."""
    context, found, visit = requests.visited(request)
    return await manage_sites.set_policy(context, found, requests.as_member(visit).actor, data, _page(page))


@delete("/v1/admin/sites/{site:str}/policy", guards=[requires_admin], tags=["admin"])
async def drop_policy_override(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: Page = None,
) -> None:
    """Let a thread follow the site's policy again; `page` is needed."""
    context, found, visit = requests.visited(request)
    if page is None:
        message = "must name the thread whose own policy ends; a site always has one, put another in its place"
        raise Problem("request.invalid", f"page: {message}.", fields=[("page", message)])
    page = requests.check_pages([page])[0]
    await manage_sites.drop_override(context, found, requests.as_member(visit).actor, page)


@post("/v1/admin/sites/{site:str}/threads", guards=[requires_publisher], tags=["admin"])
async def create_thread(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.ThreadInput],
) -> schemas.AdminThread:
    """Make a thread before its first comment."""
    context, found, visit = requests.visited(request)
    return await manage_threads.create_thread(context, found, requests.as_member(visit).actor, data)


@get("/v1/admin/sites/{site:str}/threads/{page:str}", guards=[requires_publisher], tags=["admin"])
async def read_thread(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: PagePath,
) -> schemas.AdminThread:
    """Read a thread with all its page keys."""
    context, found, _ = requests.visited(request)
    return await manage_threads.read_thread(context, found, requests.page_key(page))


@patch("/v1/admin/sites/{site:str}/threads/{page:str}", guards=[requires_publisher], tags=["admin"])
async def change_thread(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: PagePath,
    data: JSONBody[schemas.ThreadChange],
) -> schemas.AdminThread:
    """Change title, prompt, URL, state or closing time."""
    context, found, visit = requests.visited(request)
    actor = requests.as_member(visit).actor
    return await manage_threads.change_thread(context, found, actor, requests.page_key(page), data)


@post(
    "/v1/admin/sites/{site:str}/threads/{page:str}/move", guards=[requires_publisher], status_code=200, tags=["admin"]
)
async def move_thread(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    page: PagePath,
    data: JSONBody[schemas.ThreadMove],
) -> schemas.AdminThread:
    """Give a thread another page key, or merge it into the thread of that page."""
    context, found, visit = requests.visited(request)
    actor = requests.as_member(visit).actor
    return await manage_threads.move_thread(context, found, actor, requests.page_key(page), data)


@get("/v1/admin/sites/{site:str}/members", guards=[requires_admin], tags=["admin"])
async def list_members(request: Request[Any, Any, Any], site: SiteSlug) -> schemas.MemberList:  # noqa: ARG001
    """List the members of a site."""
    context, found, _ = requests.visited(request)
    return await manage_people.list_members(context, found)


@post("/v1/admin/sites/{site:str}/members", guards=[requires_admin], tags=["admin"])
async def add_member(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.MemberInput],
) -> schemas.MemberView:
    """Name a moderator or admin of the site."""
    context, found, visit = requests.visited(request)
    return await manage_people.add_member(context, found, requests.as_member(visit).actor, data)


@delete("/v1/admin/sites/{site:str}/members/{member_id:str}", guards=[requires_admin], tags=["admin"])
async def disable_member(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    member_id: MemberId,
) -> None:
    """Disable a member; their tokens stop working at once."""
    context, found, visit = requests.visited(request)
    member_id = requests.known_id(member_id, "member.unknown")
    await manage_people.disable_member(context, found, requests.as_member(visit).actor, member_id)


@get("/v1/admin/sites/{site:str}/keys", guards=[requires_admin], tags=["admin"])
async def list_keys(request: Request[Any, Any, Any], site: SiteSlug) -> schemas.KeyList:  # noqa: ARG001
    """List the API tokens of a site, without their secrets."""
    context, found, _ = requests.visited(request)
    return await manage_people.list_keys(context, found)


@post("/v1/admin/sites/{site:str}/keys", guards=[requires_admin], tags=["admin"])
async def create_key(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.KeyInput],
) -> schemas.KeyCreated:
    """Give out an API token; its secret is shown this once."""
    context, found, visit = requests.visited(request)
    return await manage_people.create_key(context, found, requests.as_member(visit).actor, data)


@delete("/v1/admin/sites/{site:str}/keys/{key_id:str}", guards=[requires_admin], tags=["admin"])
async def revoke_key(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    key_id: KeyId,
) -> None:
    """Revoke an API token."""
    context, found, visit = requests.visited(request)
    key_id = requests.known_id(key_id, "key.unknown")
    await manage_people.revoke_key(context, found, requests.as_member(visit).actor, key_id)


@delete("/v1/admin/sites/{site:str}/commenters/{commenter_id:str}/tokens", guards=[requires_admin], tags=["admin"])
async def revoke_author_tokens(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    commenter_id: CommenterId,
) -> None:
    """Revoke every author token of a commenter."""
    context, found, visit = requests.visited(request)
    commenter_id = requests.known_id(commenter_id, "comment.unknown")
    await manage_people.revoke_author_tokens(context, found, requests.as_member(visit).actor, commenter_id)


def _page(page: str | None) -> str | None:
    return None if page is None else requests.check_pages([page])[0]


HANDLERS = [
    create_site,
    list_sites,
    read_site,
    change_site,
    read_policy,
    set_policy,
    drop_policy_override,
    create_thread,
    read_thread,
    change_thread,
    move_thread,
    list_members,
    add_member,
    disable_member,
    list_keys,
    create_key,
    revoke_key,
    revoke_author_tokens,
]
