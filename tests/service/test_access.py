"""Default deny (promise 9): every route names its guard, and each guard lets in exactly whom it should."""

from typing import Any

import httpx
import pytest
from litestar import Litestar

from service import access, schemas
from service.app import create_litestar, own_handlers
from service.flow import manage_admins, manage_people, manage_sites, sessions
from service.flow.identify import find_site
from service.queue.limits import LocalLimits
from service.settings import Settings
from service.store import accounts, people
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

SITE, ADMIN, REVIEW = "/v1/sites/{site:str}", "/v1/admin/sites/{site:str}", "/v1/review/{site:str}"
COMMENT = SITE + "/comments/{comment_id:str}"

#: Every route there is. A new one has to be written down here, with the guard that somebody thought about.
ROUTES = {
    "GET /": "open_to_all",
    "GET /demo": "open_to_all",
    "GET /demo/{name:str}": "open_to_all",
    "GET /console": "open_to_all",
    "GET /v1/session/ways": "open_to_all",
    "GET /console/{name:path}": "open_to_all",
    "GET /widget.js": "open_to_all",
    "GET /widget/{name:path}": "open_to_all",
    "GET /health/live": "open_to_all",
    "GET /health/ready": "open_to_all",
    "GET /health/workers": "open_to_all",
    "GET /metrics": "open_to_all",
    f"GET {SITE}/counts": "of_site",
    f"GET {SITE}/embed": "of_site",
    f"POST {SITE}/preview": "of_site",
    f"GET {SITE}/threads/{{page:str}}/own": "requires_author",
    f"POST {SITE}/second-thoughts": "may_be_author",
    f"PUT {COMMENT}/reaction": "may_be_author",
    f"DELETE {COMMENT}/reaction": "requires_author",
    f"GET {SITE}/me/mail": "requires_author",
    f"PUT {SITE}/me/mail": "requires_author",
    f"DELETE {SITE}/me/mail": "requires_author",
    "GET /v1/mail/confirm": "open_to_all",
    "POST /v1/mail/confirm": "open_to_all",
    "GET /v1/mail/unsubscribe": "open_to_all",
    "POST /v1/mail/unsubscribe": "open_to_all",
    f"PUT {REVIEW}/comments/{{comment_id:str}}/featured": "requires_moderator",
    f"DELETE {REVIEW}/comments/{{comment_id:str}}/featured": "requires_moderator",
    f"PUT {REVIEW}/comments/{{comment_id:str}}/pinned": "requires_moderator",
    f"DELETE {REVIEW}/comments/{{comment_id:str}}/pinned": "requires_moderator",
    f"POST {SITE}/counts": "of_site",
    f"GET {SITE}/threads/{{page:str}}": "of_site",
    f"GET {SITE}/threads/{{page:str}}/live": "of_site",
    f"GET {SITE}/threads/{{page:str}}/fragment": "of_site",
    f"GET {SITE}/threads/{{page:str}}/feed": "of_site",
    f"GET {SITE}/feed": "of_site",
    f"GET {SITE}/threads/{{page:str}}/form": "of_site",
    f"POST {SITE}/threads/{{page:str}}/form": "of_form",
    f"POST {SITE}/threads/{{page:str}}/comments": "may_be_author",
    f"GET {COMMENT}": "may_be_author",
    f"GET {COMMENT}/replies": "may_be_author",
    f"PATCH {COMMENT}": "requires_author",
    f"DELETE {COMMENT}": "requires_author",
    f"GET {SITE}/mine": "requires_author",
    f"DELETE {SITE}/mine/tokens": "requires_author",
    f"GET {REVIEW}/queue": "requires_moderator",
    f"GET {REVIEW}/desk": "requires_moderator",
    f"GET {REVIEW}/live": "requires_moderator",
    f"GET {REVIEW}/search": "requires_moderator",
    f"GET {REVIEW}/comments/{{comment_id:str}}": "requires_moderator",
    f"GET {REVIEW}/commenters/{{commenter_id:str}}/comments": "requires_moderator",
    f"GET {REVIEW}/commenters/{{commenter_id:str}}/notes": "requires_moderator",
    f"POST {REVIEW}/commenters/{{commenter_id:str}}/notes": "requires_moderator",
    f"DELETE {REVIEW}/commenters/{{commenter_id:str}}/notes/{{note_id:str}}": "requires_moderator",
    f"GET {REVIEW}/threads": "requires_moderator",
    f"GET {REVIEW}/threads/{{page:str}}/comments": "requires_moderator",
    f"GET {REVIEW}/stats": "requires_moderator",
    f"POST {ADMIN}/policy/preview": "requires_admin",
    f"POST {REVIEW}/claims": "requires_moderator",
    f"POST {REVIEW}/items/{{item_id:str}}/renew": "requires_moderator",
    f"POST {REVIEW}/items/{{item_id:str}}/release": "requires_moderator",
    f"POST {REVIEW}/items/{{item_id:str}}/skip": "requires_moderator",
    f"POST {REVIEW}/items/{{item_id:str}}/escalate": "requires_moderator",
    f"POST {REVIEW}/items/{{item_id:str}}/decision": "requires_moderator",
    f"POST {REVIEW}/decisions": "requires_moderator",
    f"POST {REVIEW}/acts/{{act_id:str}}/undo": "requires_moderator",
    f"GET {REVIEW}/me": "requires_moderator",
    f"PUT {REVIEW}/me": "requires_moderator",
    f"GET {ADMIN}/review": "requires_admin",
    f"PUT {ADMIN}/review": "requires_admin",
    f"POST {REVIEW}/comments/{{comment_id:str}}/decision": "requires_moderator",
    f"GET {REVIEW}/comments/{{comment_id:str}}/decisions": "requires_moderator",
    "POST /v1/admin/sites": "requires_installation_admin",
    "GET /v1/admin/sites": "requires_any_admin",
    f"GET {ADMIN}": "requires_admin",
    f"PATCH {ADMIN}": "requires_admin",
    f"GET {ADMIN}/policy": "requires_admin",
    f"PUT {ADMIN}/policy": "requires_admin",
    f"DELETE {ADMIN}/policy": "requires_admin",
    f"POST {ADMIN}/threads": "requires_publisher",
    f"GET {ADMIN}/threads/{{page:str}}": "requires_publisher",
    f"PATCH {ADMIN}/threads/{{page:str}}": "requires_publisher",
    f"POST {ADMIN}/threads/{{page:str}}/move": "requires_publisher",
    f"GET {ADMIN}/members": "requires_admin",
    f"POST {ADMIN}/members": "requires_admin",
    f"DELETE {ADMIN}/members/{{member_id:str}}": "requires_admin",
    f"GET {ADMIN}/keys": "requires_admin",
    f"POST {ADMIN}/keys": "requires_admin",
    f"DELETE {ADMIN}/keys/{{key_id:str}}": "requires_admin",
    f"DELETE {ADMIN}/commenters/{{commenter_id:str}}/tokens": "requires_admin",
    f"GET {ADMIN}/audit": "requires_admin",
    f"GET {ADMIN}/audit/choices": "requires_admin",
    f"GET {SITE}/mine/export": "requires_author",
    f"GET {ADMIN}/commenters/{{commenter_id:str}}/export": "requires_admin",
    f"DELETE {SITE}/me": "requires_author",
    f"DELETE {ADMIN}/commenters/{{commenter_id:str}}": "requires_admin",
    f"GET {ADMIN}/retention": "requires_admin",
    f"PUT {ADMIN}/retention": "requires_admin",
    f"GET {ADMIN}/limits": "requires_admin",
    f"GET {SITE}/me": "requires_author",
    f"POST {SITE}/mine/tokens": "requires_author",
    f"GET {REVIEW}/commenters/{{commenter_id:str}}": "requires_moderator",
    f"PATCH {REVIEW}/commenters/{{commenter_id:str}}": "requires_moderator",
    f"GET {REVIEW}/commenters/{{commenter_id:str}}/sanctions": "requires_moderator",
    f"POST {REVIEW}/commenters/{{commenter_id:str}}/sanctions": "requires_moderator",
    f"POST {REVIEW}/commenters/{{commenter_id:str}}/sanctions/{{sanction_id:str}}/lift": "requires_moderator",
    f"POST {COMMENT}/reports": "may_be_author",
    f"GET {SITE}/reports/{{report_id:str}}": "may_be_author",
    f"POST {COMMENT}/appeals": "requires_author",
    f"GET {SITE}/appeals/{{appeal_id:str}}": "requires_author",
    f"GET {COMMENT}/statement": "requires_author",
    f"GET {REVIEW}/reports": "requires_moderator",
    f"GET {REVIEW}/appeals": "requires_moderator",
    "POST /v1/session": "open_to_all",
    "GET /v1/session": "requires_session",
    "DELETE /v1/session": "requires_session",
    "GET /v1/session/all": "requires_session",
    "DELETE /v1/session/all": "requires_session",
    "POST /v1/session/password": "requires_session",
    "POST /v1/session/second-factor": "requires_session",
    "POST /v1/session/second-factor/confirm": "requires_session",
    "DELETE /v1/session/second-factor": "requires_session",
    "POST /v1/invitations": "open_to_all",
    "GET /v1/session/oidc": "open_to_all",
    "GET /v1/session/oidc/callback": "open_to_all",
    f"GET {SITE}/ticket": "of_site",
    f"GET {SITE}/challenge": "of_site",
    f"GET {ADMIN}/spam": "requires_admin",
    f"PUT {ADMIN}/spam": "requires_admin",
    f"GET {ADMIN}/identity": "requires_admin",
    f"PUT {ADMIN}/identity": "requires_admin",
    f"DELETE {ADMIN}/identity": "requires_admin",
    f"PUT {ADMIN}/limits": "requires_admin",
    f"POST {ADMIN}/webhooks": "requires_admin",
    f"GET {ADMIN}/webhooks": "requires_admin",
    f"GET {ADMIN}/webhooks/{{webhook_id:str}}": "requires_admin",
    f"PATCH {ADMIN}/webhooks/{{webhook_id:str}}": "requires_admin",
    f"DELETE {ADMIN}/webhooks/{{webhook_id:str}}": "requires_admin",
    f"POST {ADMIN}/webhooks/{{webhook_id:str}}/secrets": "requires_admin",
    f"POST {ADMIN}/webhooks/{{webhook_id:str}}/test": "requires_admin",
    f"POST {ADMIN}/webhooks/{{webhook_id:str}}/replay": "requires_admin",
    f"GET {ADMIN}/webhooks/{{webhook_id:str}}/deliveries": "requires_admin",
    f"GET {ADMIN}/webhooks/{{webhook_id:str}}/deliveries/{{delivery_id:str}}": "requires_admin",
    f"POST {ADMIN}/webhooks/{{webhook_id:str}}/deliveries/{{delivery_id:str}}/replay": "requires_admin",
    f"POST {ADMIN}/webhooks/{{webhook_id:str}}/deliveries/{{delivery_id:str}}/cancel": "requires_admin",
    f"GET {ADMIN}/events": "requires_events",
    f"GET {ADMIN}/alerts": "requires_admin",
    f"PUT {ADMIN}/alerts": "requires_admin",
    "POST /v1alpha1/comments:analyze": "requires_analyze",
    "POST /v1alpha1/comments:suggestscore": "requires_analyze",
    "GET /$discovery/rest": "open_to_all",
    f"DELETE {ADMIN}/suggested-scores": "requires_admin",
    "POST /v1/moderations": "requires_analyze",
    f"POST {SITE}/coral": "of_coral",
    f"GET {ADMIN}/coral": "requires_admin",
    f"PUT {ADMIN}/coral": "requires_admin",
    f"DELETE {ADMIN}/coral": "requires_admin",
}

GUARDS = [guard.__name__ for guard in access.GUARDS]
READ_BY_ANYBODY = ["open_to_all", "of_site", "of_form", "of_coral", "may_be_author"]
FROM_WHO_MAY_BE = GUARDS[GUARDS.index("may_be_author") :]
OF_AUTHORS = GUARDS[GUARDS.index("requires_author") :]
MISSING, INVALID, FORBIDDEN, FORGED = "auth.required", "auth.invalid", "auth.forbidden", "auth.csrf"
OF_STAFF = OF_AUTHORS[1:]
OF_PEOPLE = [guard for guard in OF_STAFF if guard != "requires_analyze"]
ADMINS = [
    "requires_publisher",
    "requires_events",
    "requires_admin",
    "requires_any_admin",
    "requires_installation_admin",
]
UNKNOWN_ID = "0190a0a0-0000-7000-8000-000000000000"

#: What a credential meets at each guard: the code of its refusal. A guard that is not named lets it in.
_INVALID_EVERYWHERE = dict.fromkeys(FROM_WHO_MAY_BE, INVALID)
REFUSALS: dict[str, dict[str, str]] = {
    "no credentials": dict.fromkeys(OF_AUTHORS, MISSING),
    "garbage": _INVALID_EVERYWHERE,
    "cq_garbage": _INVALID_EVERYWHERE,
    "foreign author": _INVALID_EVERYWHERE,
    "revoked key": _INVALID_EVERYWHERE,
    "expired key": _INVALID_EVERYWHERE,
    "key of a disabled member": _INVALID_EVERYWHERE,
    "author": dict.fromkeys(OF_STAFF, INVALID),
    "root": {"requires_author": FORBIDDEN, "requires_session": INVALID, "requires_analyze": FORBIDDEN},
    "admin": {"requires_author": FORBIDDEN, "requires_session": INVALID}
    | dict.fromkeys(["requires_installation_admin", "requires_analyze"], FORBIDDEN),
    "client": {"requires_author": FORBIDDEN, "requires_session": INVALID}
    | dict.fromkeys(["requires_moderator", *ADMINS], FORBIDDEN),
    "publisher": {"requires_author": FORBIDDEN, "requires_session": INVALID}
    | dict.fromkeys(
        [
            "requires_moderator",
            "requires_events",
            "requires_admin",
            "requires_any_admin",
            "requires_installation_admin",
            "requires_analyze",
        ],
        FORBIDDEN,
    ),
    "moderator": {"requires_author": FORBIDDEN, "requires_session": INVALID}
    | dict.fromkeys(
        [
            "requires_publisher",
            "requires_events",
            "requires_admin",
            "requires_any_admin",
            "requires_installation_admin",
            "requires_analyze",
        ],
        FORBIDDEN,
    ),
    "foreign admin": {"requires_author": FORBIDDEN, "requires_session": INVALID}
    | dict.fromkeys(
        [
            "requires_moderator",
            "requires_publisher",
            "requires_events",
            "requires_admin",
            "requires_installation_admin",
            "requires_analyze",
        ],
        FORBIDDEN,
    ),
}

#: The same for people who are signed in: a browser that changes something must show the token of its session.
_OF_A_PERSON = dict.fromkeys(["requires_author", "requires_analyze"], MISSING)
_OF_MODERATOR = dict.fromkeys(ADMINS, FORBIDDEN) | _OF_A_PERSON
_OVER = dict.fromkeys(OF_STAFF, INVALID) | _OF_A_PERSON
SESSIONS: dict[str, dict[str, str]] = {
    "moderator's session": _OF_MODERATOR,
    "admin's session": {"requires_installation_admin": FORBIDDEN} | _OF_A_PERSON,
    "root's session": _OF_A_PERSON,
    "session of another site's admin": _OF_A_PERSON
    | dict.fromkeys(
        [
            "requires_moderator",
            "requires_publisher",
            "requires_events",
            "requires_admin",
            "requires_installation_admin",
        ],
        FORBIDDEN,
    ),
    "session of nobody here": _OF_A_PERSON | dict.fromkeys(["requires_moderator", *ADMINS], FORBIDDEN),
    "expired session": _OVER,
    "revoked session": _OVER,
    "session of a disabled account": _OVER,
    "session without its token": _OF_MODERATOR,
    "session from a foreign page": _OF_MODERATOR,
}
_FORGED = ("session without its token", "session from a foreign page")


#: How the paths of the Perspective API tell the same, and with which status.
_IN_GOOGLES_WORDS = {
    MISSING: (403, "Method doesn't allow unregistered callers"),
    INVALID: (400, "API key not valid"),
    FORBIDDEN: (403, "This needs a key of a site with the scope analyze"),
}


#: How OpenAI's endpoint does, by the codes of its errors; that of no key is that of a wrong one.
_IN_OPENAIS_WORDS = {"invalid_api_key": (MISSING, INVALID), "insufficient_permissions": (FORBIDDEN,)}


def status_of(route: str, code: str) -> int:
    """Answer the status by which a route refuses."""
    if "/v1alpha1/" in route:
        return _IN_GOOGLES_WORDS[code][0]
    return 403 if code == FORBIDDEN else 401


def refusal_in(answer: httpx.Response) -> str | None:
    """Answer the code by which a guard refused; what a flow refuses behind it is not meant."""
    if answer.request.url.path.startswith("/v1alpha1/"):
        message = answer.json().get("error", {}).get("message", "")
        return next((code for code, (_, words) in _IN_GOOGLES_WORDS.items() if message.startswith(words)), None)
    if answer.request.url.path == "/v1/moderations":
        error = answer.json().get("error", {})
        is_missing = "authorization" not in answer.request.headers
        codes = _IN_OPENAIS_WORDS.get(error.get("code"), (None,))
        return codes[0] if is_missing else codes[-1]
    code = answer.json()["code"] if answer.status_code in (401, 403) else None
    return code if code in (MISSING, INVALID, FORBIDDEN, FORGED) else None


def routes_of_the_app() -> dict[str, str]:
    """Answer method and path of every route that is ours, with the guard it names."""
    app = create_litestar(Settings(colloquy_home="unused"))
    found: dict[str, str] = {}
    ours = set(own_handlers(app))
    for route in app.routes:
        for handler in getattr(route, "route_handlers", [getattr(route, "route_handler", None)]):
            if handler in ours:
                methods = getattr(handler, "http_methods", {"ASGI"}) - {"OPTIONS"}
                found |= {f"{method} {route.path}": access.guard_of(handler) for method in methods}
    return found


def path_of(template: str, *, site: str = "test") -> str:
    """Answer a path for a route: the site, one page, and an id that nothing has."""
    names = {"site": site, "page": "page", "name": "nothing.css"}
    parts = [part.strip("{}").partition(":")[0] if part.startswith("{") else None for part in template.split("/")]
    given = [names.get(name, UNKNOWN_ID) if name else None for name in parts]
    return "/".join(value or part for value, part in zip(given, template.split("/"), strict=True))


@pytest.fixture
async def credentials(service: Service) -> dict[str, str]:
    """A token for each row of the table above."""
    context, clock = service.context, service.clock
    await manage_sites.create_site(context, "test", schemas.SiteInput(slug="other", name="Other"))
    test, other = await find_site(context, "test"), await find_site(context, "other")
    member = await manage_people.add_member(context, test, "test", schemas.MemberInput(name="M", role="admin"))

    async def key(site: Any, **fields: Any) -> schemas.KeyCreated:
        wanted = schemas.KeyInput(name="k", scopes=["admin", "review", "threads"], **fields)
        return await manage_people.create_key(context, site, "test", wanted)

    revoked, of_member = await key(test), await key(test, member_id=member.id)
    await manage_people.revoke_key(context, test, "test", revoked.key.id)
    await manage_people.disable_member(context, test, "test", member.id)
    soon = clock.moment.replace(microsecond=0)
    expired = await key(test, expires_at=soon.replace(year=soon.year + 1))
    clock.advance(400 * 86_400)
    foreign = await service.call("POST", "/v1/sites/other/threads/page/comments", json={"body": "x"}, expect=202)
    return service.tokens | {
        "foreign admin": (await key(other)).token,
        "client": (
            await manage_people.create_key(context, test, "test", schemas.KeyInput(name="client", scopes=["analyze"]))
        ).token,
        "foreign author": foreign.json()["author_token"],
        "revoked key": revoked.token,
        "expired key": expired.token,
        "key of a disabled member": of_member.token,
    }


@pytest.mark.parametrize("scope", ["admin", "review"])
async def test_a_key_that_may_more_than_analyze_is_refused_in_an_address(service: Service, scope: str) -> None:
    """Who reads a proxy's log does not become an admin: such a key is taken in a header alone."""
    wanted = schemas.KeyInput(name="k", scopes=["analyze", scope])  # type: ignore[list-item]
    made = await manage_people.create_key(service.context, await find_site(service.context, "test"), "test", wanted)
    path, text = "/v1alpha1/comments:analyze", {"comment": {"text": ""}, "requestedAttributes": {"TOXICITY": {}}}
    refused = await service.call("POST", path, params={"key": made.token}, json=text)
    assert refused.status_code == 403
    assert made.token not in refused.text
    # It is let in, and its empty text is refused.
    assert (await service.call("POST", path, headers={"x-goog-api-key": made.token}, json=text)).status_code == 400


def test_every_route_is_written_down_with_its_guard() -> None:
    """The table in this file is complete and right: a route nobody thought about fails here."""
    assert routes_of_the_app() == ROUTES


def table() -> str:
    """Answer the whole table: each route, its guard, and what every credential meets there."""
    lines = []
    for route, guard in ROUTES.items():
        refused: dict[str, list[str]] = {}
        for credential, codes in (REFUSALS | SESSIONS).items():
            refused.setdefault(codes.get(guard, "let in"), []).append(credential)
        lines.append(f"{route}  ({guard})")
        lines += [f"    {code}: {', '.join(credentials)}" for code, credentials in sorted(refused.items())]
    return "\n".join(lines)


def test_the_table_is_complete() -> None:
    """`python -m tests.service.access_table` prints every route with every credential of both tables."""
    printed = table()
    for route in ROUTES:
        assert route in printed
    entry = printed.partition("\n" + next(iter(list(ROUTES)[1:])))[0]
    assert all(credential in entry for credential in REFUSALS | SESSIONS)


def test_every_guard_guards_something() -> None:
    """No guard is left over, and so each is walked by the tests below."""
    assert set(ROUTES.values()) == set(GUARDS)


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("credential", REFUSALS)
async def test_each_credential_opens_exactly_its_routes(
    service: Service, litestar: Litestar, credentials: dict[str, str], credential: str
) -> None:
    """On every route a credential is refused with the right code, or let in, as its row of the table says."""
    met: dict[str, str | None] = {}
    for route, guard in ROUTES.items():
        # There are more routes than a network may try in vain in a minute.
        litestar.state.local_limits = LocalLimits()
        method, _, template = route.partition(" ")
        token = await service_author(service, route) if credential == "author" else credentials.get(credential)
        token = token or (None if credential == "no credentials" else credential)
        answer = await service.call(method, path_of(template), as_=token, json={})
        met[route] = refusal_in(answer)
        refusal = REFUSALS[credential].get(guard)
        assert refusal is None or answer.status_code == status_of(route, refusal), (route, answer.text)
        assert answer.status_code != 401 or answer.headers["www-authenticate"].startswith("Bearer"), route
        assert answer.status_code < 500 or template == "/health/workers", (route, answer.text)
    assert met == {route: REFUSALS[credential].get(guard) for route, guard in ROUTES.items()}


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("credential", SESSIONS)
async def test_each_session_opens_exactly_its_routes(service: Service, credential: str) -> None:
    """On every route a signed-in person is refused with the right code, or let in, as the role and the request say."""
    account = await account_of(service, credential)
    met, wanted = {}, {}
    for route, guard in ROUTES.items():
        method, _, template = route.partition(" ")
        headers = await session_headers(service, credential, account)
        answer = await service.call(method, path_of(template), headers=headers, json={})
        met[route] = refusal_in(answer)
        wanted[route] = SESSIONS[credential].get(guard)
        if credential in _FORGED and method != "GET" and guard in OF_PEOPLE:
            wanted[route] = FORGED
        assert answer.status_code < 500 or template == "/health/workers", (route, answer.text)
    assert met == wanted


async def account_of(service: Service, credential: str) -> Any:
    """Answer an account with the role that a row of the table speaks of."""
    context = service.context
    await manage_sites.create_site(context, "test", schemas.SiteInput(slug="other", name="Other"))
    roles = {
        "admin's session": ("test", "admin"),
        "session of another site's admin": ("other", "admin"),
        "session of nobody here": ("other", "moderator"),
    }
    if credential == "root's session":
        await manage_admins.create_admin(context, "Root", email="person@daily.example")
    else:
        slug, role = roles.get(credential, ("test", "moderator"))
        wanted = schemas.MemberInput(name="P", role=role, email="person@daily.example")  # type: ignore[arg-type]
        named = await manage_people.add_member(context, await find_site(context, slug), "test", wanted)
    async with context.database.writing() as connection:
        account = await accounts.by_email(connection, "person@daily.example")
        assert account is not None
        if credential != "root's session":
            assert await people.join(connection, named.id, account.id)
        return account


async def session_headers(service: Service, credential: str, account: Any) -> dict[str, str]:
    """Answer what a browser sends under a new session: some routes end the one they are called with."""
    context = service.context
    async with context.database.writing() as connection:
        opened = await sessions.open_for(connection, context, account)
    csrf = sessions.csrf_token(context, opened.session)
    headers = {"cookie": f"colloquy_session={opened.token}", "x-colloquy-csrf": csrf}
    if credential == "session without its token":
        del headers["x-colloquy-csrf"]
    if credential == "expired session":
        service.clock.advance(sessions.IDLE.total_seconds() + 1)
    if credential == "revoked session":
        await sessions.close(context, opened.session, everywhere=False)
    if credential == "session of a disabled account":
        async with context.database.writing() as connection:
            await accounts.change(connection, account.id, {"disabled_at": service.clock()})
    if credential == "session from a foreign page":
        headers["origin"] = "https://news.example"
    return headers


async def service_author(service: Service, text: str) -> str:
    """Answer the token of a new guest, for one route signs the author out."""
    token: str = (await service.submit(text, page="authors"))["author_token"]
    return token


@pytest.mark.parametrize("slug", ["nowhere", "%00", "TEST", "test%0A", "%ED%A0%80"])
async def test_an_unknown_site_is_a_404_for_whoever_may_ask(service: Service, litestar: Litestar, slug: str) -> None:
    """Where a path names a site that is not there, even a slug no database takes, the answer is site.unknown."""
    for route, guard in ROUTES.items():
        # There are more routes than a network may try in vain in a minute.
        litestar.state.local_limits = LocalLimits()
        method, _, template = route.partition(" ")
        if "{site" not in template:
            continue
        token = None if guard in ("of_site", "of_form", "may_be_author", "requires_author") else "root"
        answer = await service.call(method, path_of(template, site=slug), as_=token, json={})
        assert (answer.status_code, answer.json()["code"]) == (404, "site.unknown"), (route, answer.text)


async def test_a_strange_authorization_header_is_invalid(service: Service) -> None:
    """A header that holds no bearer token is refused, never taken for no header."""
    for header in ("Basic dGVzdDp0ZXN0", "Bearer", "Bearer ", "bearer\t", "Token abc", "", "Bearer \xff"):
        raw = {b"authorization": header.encode("latin-1")}
        for path in ("/v1/sites/test/mine", "/v1/review/test/queue"):
            answer = await service.client.get(path, headers=raw)
            assert (answer.status_code, answer.json()["code"]) == (401, INVALID), header


async def test_the_scheme_is_read_in_any_case(service: Service) -> None:
    """`bearer`, `Bearer` and `BEARER` are the same scheme (RFC 9110)."""
    for scheme in ("bearer", "BEARER"):
        headers = {"authorization": f"{scheme}  {service.tokens['moderator']} "}
        assert (await service.client.get("/v1/review/test/queue", headers=headers)).status_code == 200


async def test_a_refused_request_is_not_read(service: Service) -> None:
    """Who may not call a route learns nothing of what it would have said to the body."""
    for method, path in (("POST", "/v1/admin/sites"), ("POST", "/v1/review/test/claims")):
        answer = await service.client.request(method, path, content=b"not json at all")
        assert answer.json()["code"] == MISSING
