"""Who becomes a member, of what, and by whose word: nobody's account is anybody else's to open."""

from typing import Any

import pytest
import sqlalchemy as sa

from service.errors import Problem
from service.flow import manage_accounts, manage_admins
from service.store import accounts as store
from service.store.tables import accounts, invitations, members
from tests.service.answers import problem
from tests.service.people import PASSWORD, Browser, accept, invited, person, second_factor
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
SESSION, MEMBERS, QUEUE = "/v1/session", "/v1/admin/sites/test/members", "/v1/review/test/queue"
ADA = "ada@daily.example"
EVIL = "an evil and quiet river"


@pytest.fixture
async def other_site(service: Service) -> None:
    """A second site, with the slug `other`."""
    await service.call("POST", "/v1/admin/sites", as_="root", json={"slug": "other", "name": "O"}, expect=201)


async def _member(service: Service, email: str, **more: Any) -> dict[str, Any]:
    wanted = {"name": "Ada", "role": "moderator", "email": email, **more}
    made: dict[str, Any] = (await service.call("POST", MEMBERS, as_="admin", json=wanted, expect=201)).json()
    return made


async def _listed(service: Service) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await service.call("GET", MEMBERS, as_="admin", expect=200)).json()["members"]
    return [row for row in rows if row["email"]]


@pytest.mark.usefixtures("other_site")
async def test_who_has_a_password_joins_another_site_with_it(service: Service) -> None:
    """The invitation alone opens nothing: it takes the account's own password, and changes none."""
    browser = await person(service, "nora@daily.example")
    invitation = await invited(service, "NORA@daily.example", "admin", "other")
    assert len((await browser.call("GET", SESSION, expect=200)).json()["roles"]) == 1
    problem(await accept(service, invitation, EVIL, expect=None), "session.refused")
    await accept(service, invitation)
    roles = (await browser.call("GET", SESSION, expect=200)).json()["roles"]
    assert {(one["site"], one["role"]) for one in roles} == {("test", "moderator"), ("other", "admin")}
    await browser.call("GET", "/v1/admin/sites/other", expect=200)
    problem(await browser.call("GET", "/v1/admin/sites/test"), "auth.forbidden")
    sites = (await browser.call("GET", "/v1/admin/sites", expect=200)).json()["sites"]
    assert [site["slug"] for site in sites] == ["other"]


@pytest.mark.usefixtures("other_site")
async def test_an_admin_who_took_the_invitation_gets_no_further_than_the_own_site(service: Service) -> None:
    """They set the password of the account that they made up; another site's role needs that site's invitation."""
    await accept(service, await invited(service, ADA), EVIL)
    await invited(service, ADA, "admin", "other")
    browser = Browser(service, ADA)
    await browser.sign_in(password=EVIL)
    problem(await browser.call("GET", "/v1/admin/sites/other"), "auth.forbidden")


async def test_an_admin_of_the_installation_is_not_named_away(service: Service) -> None:
    """Neither before they set a password nor with the provider's identity does a site's invitation set it."""
    await manage_admins.create_admin(service.context, "Ada", email=ADA)
    invitation = (await _member(service, ADA))["invitation"]
    problem(await accept(service, invitation, EVIL, expect=None), "invitation.invalid")
    async with service.context.database.writing() as connection:
        account = await store.by_email(connection, "ada@daily.example")
        assert account is not None
        await store.change(connection, account.id, {"oidc_issuer": "https://login.example", "oidc_subject": "ada"})
    problem(await accept(service, invitation, EVIL, expect=None), "invitation.invalid")
    await Browser(service, ADA).sign_in(password=EVIL, expect=401)


async def test_naming_an_admin_of_the_installation_makes_what_was_set_before_useless(service: Service) -> None:
    """Password, factor and sessions go; the operator's invitation sets the password."""
    browser = await person(service, ADA)
    await second_factor(service, browser)
    made = await manage_admins.create_admin(service.context, "Ada", email=ADA)
    problem(await browser.call("GET", SESSION), "auth.invalid")
    await browser.sign_in(expect=401)
    await accept(service, made.invitation or "", EVIL)
    await browser.sign_in(password=EVIL)
    await browser.call("GET", "/v1/admin/sites", expect=200)
    with pytest.raises(Problem, match=r"member\.exists"):
        await manage_admins.create_admin(service.context, "Ada", email=ADA)


async def test_a_person_is_one_member_of_a_site(service: Service) -> None:
    """While the invitation waits, naming them again answers a new one for the same member; then it is a conflict."""
    first = await _member(service, ADA)
    second = await _member(service, "ADA@daily.example", name="Ada B", role="admin")
    assert (second["id"], second["role"], second["pending"]) == (first["id"], "admin", True)
    problem(await accept(service, first["invitation"], expect=None), "invitation.invalid")
    [row] = await _listed(service)
    assert (row["email"], row["name"], row["pending"]) == (ADA, "Ada B", True)
    await accept(service, second["invitation"])
    [row] = await _listed(service)
    assert (row["email"], row["pending"]) == (ADA, False)
    again = await service.call("POST", MEMBERS, as_="admin", json={"name": "A", "role": "moderator", "email": ADA})
    problem(again, "member.exists")


async def test_who_was_disabled_while_the_invitation_waited_joins_nothing(service: Service) -> None:
    """The admin thought better of it; and a new naming is a new member."""
    first = await _member(service, ADA)
    await service.call("DELETE", f"{MEMBERS}/{first['id']}", as_="admin", expect=204)
    problem(await accept(service, first["invitation"], expect=None), "invitation.invalid")
    second = await _member(service, ADA)
    assert second["id"] != first["id"]
    await accept(service, second["invitation"])


async def test_a_disabled_account_ends_its_tokens_and_comes_back_by_the_operator_alone(service: Service) -> None:
    """Every token of its members is refused; no invitation is given meanwhile; enabled, all is as it was."""
    made = await manage_admins.create_admin(service.context, "Ada", email=ADA)
    bearer = {"authorization": f"Bearer {made.token}"}
    await service.call("GET", "/v1/admin/sites", headers=bearer, expect=200)
    await manage_accounts.disable(service.context, ADA)
    problem(await service.call("GET", "/v1/admin/sites", headers=bearer), "auth.invalid")
    problem(await accept(service, made.invitation or "", expect=None), "invitation.invalid")
    with pytest.raises(Problem, match=r"account\.disabled"):
        await manage_accounts.invite_again(service.context, ADA)
    await manage_accounts.enable(service.context, ADA)
    await service.call("GET", "/v1/admin/sites", headers=bearer, expect=200)
    await accept(service, made.invitation or "")


async def test_a_deleted_account_leaves_no_address_and_no_way_in(service: Service) -> None:
    """Its memberships are disabled, its sessions gone; the members stay for the decisions that name them."""
    browser = await person(service, ADA)
    await manage_accounts.delete(service.context, ADA)
    problem(await browser.call("GET", SESSION), "auth.invalid")
    await browser.sign_in(expect=401)
    assert await _listed(service) == []
    async with service.context.database.reading() as connection:
        assert (await connection.execute(sa.select(accounts).where(accounts.c.email == ADA))).first() is None
        row = (await connection.execute(sa.select(members).where(members.c.name == "ada"))).one()
    assert row.disabled_at is not None
    await accept(service, await invited(service, ADA))


async def test_an_open_session_alone_sets_no_second_factor(service: Service) -> None:
    """It takes the password: else who finds a browser open locks the person out."""
    browser = await person(service, "nora@daily.example")
    path = f"{SESSION}/second-factor"
    problem(await browser.call("POST", path, json={"password": "wrong"}), "session.refused")
    await browser.call("POST", path, json={"password": PASSWORD}, expect=201)


async def test_who_never_took_the_invitation_is_no_member_in_the_end(service: Service) -> None:
    """With the invitation, a month after it was over, the membership goes, audited; by a new naming they can join."""
    member = await _member(service, ADA)
    service.clock.advance(36 * 86_400)
    await service.sweep()
    [row] = await _listed(service)
    assert (row["email"], row["pending"], row["disabled_at"]) == (ADA, True, None)
    service.clock.advance(2 * 86_400)
    await service.sweep()
    rows = (await service.call("GET", MEMBERS, as_="admin", expect=200)).json()["members"]
    [row] = [one for one in rows if one["id"] == member["id"]]
    assert row["disabled_at"] is not None
    events = (await service.call("GET", "/v1/admin/sites/test/audit", as_="admin", expect=200)).json()["events"]
    [said] = [one for one in events if one["action"] == "member.disabled"]
    assert (said["subject"], said["actor"], said["data"]) == (member["id"], "system", {"reason": "invitation_over"})
    async with service.context.database.reading() as connection:
        assert (await connection.execute(sa.select(invitations.c.id))).all() == []
    await service.sweep()
    assert (await _member(service, ADA))["id"] != member["id"]


async def test_who_was_named_again_or_works_by_a_token_stays(service: Service) -> None:
    """A newer invitation counts, and a member with a token needs none; what was taken or revoked is only forgotten."""
    await accept(service, (await _member(service, "nora@daily.example"))["invitation"])
    again, works = await _member(service, ADA), await _member(service, "bo@daily.example")
    key = {"name": "Bo", "scopes": ["review"], "member_id": works["id"]}
    await service.call("POST", "/v1/admin/sites/test/keys", as_="admin", json=key, expect=201)
    service.clock.advance(20 * 86_400)
    invitation = (await _member(service, ADA))["invitation"]
    service.clock.advance(18 * 86_400)
    await service.sweep()
    rows = (await service.call("GET", MEMBERS, as_="admin", expect=200)).json()["members"]
    assert {row["disabled_at"] for row in rows} == {None}
    assert {again["id"], works["id"]} <= {row["id"] for row in rows}
    problem(await accept(service, invitation, expect=None), "invitation.invalid")
    assert (await _member(service, ADA))["id"] == again["id"]
