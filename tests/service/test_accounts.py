"""People sign in: what lets them in, what does not, and what a session may do."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from service.flow import manage_accounts
from service.flow.sessions import IDLE, LONGEST
from service.store.tables import accounts, invitations, sessions
from tests.service.answers import client_of, problem
from tests.service.people import PASSWORD, Browser, accept, invited, person, second_factor
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
SESSION, QUEUE = "/v1/session", "/v1/review/test/queue"


@pytest.fixture
def database_kind() -> str:
    """What is checked here is HTTP; the model of sessions runs on both databases' statements."""
    return "sqlite"


async def test_a_moderator_signs_in_and_moderates(service: Service) -> None:
    """By invitation to a password, by password to a session, and under it to the queue; the role is the site's."""
    browser = await person(service, "Nora@Daily.Example")
    view = (await browser.call("GET", SESSION, expect=200)).json()
    assert (view["email"], view["second_factor"]) == ("nora@daily.example", False)
    assert [(one["site"], one["role"]) for one in view["roles"]] == [("test", "moderator")]
    await browser.call("GET", QUEUE, expect=200)
    await service.submit("A rude one.")
    await service.drain()
    claimed = await browser.call("POST", "/v1/review/test/claims", json={}, expect=200)
    [item] = claimed.json()["items"]
    decision = {"lease": item["lease"]["token"], "revision": 1, "action": "approve"}
    await browser.call("POST", f"/v1/review/test/items/{item['item_id']}/decision", json=decision, expect=200)
    problem(await browser.call("GET", "/v1/admin/sites/test"), "auth.forbidden")


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(service: Service) -> None:
    """HttpOnly, SameSite=Strict, for the whole host; over https Secure with the prefix that binds it to the host."""
    browser = await person(service, "nora@daily.example")
    cookie = (await browser.sign_in()).headers["set-cookie"]
    assert cookie.startswith("colloquy_session=")
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    settings = structs.replace(service.context.settings, public_url="https://comments.example", allowed_hosts="test")
    async with client_of(settings, replace(service.context, settings=settings)) as client:
        answer = await client.post(SESSION, json={"email": browser.email, "password": PASSWORD})
        assert answer.headers["set-cookie"].startswith("__Host-colloquy_session=")
        assert "secure" in answer.headers["set-cookie"].lower()


async def test_a_refresh_and_a_restart_keep_the_session(service: Service) -> None:
    """The session is in SQL: a page that is loaded anew, and a process that is started anew, know it."""
    browser = await person(service, "nora@daily.example")
    service.clock.advance(3600)
    async with client_of(service.context.settings, service.context) as client:
        again = await client.get(SESSION, headers={"cookie": browser.cookie or ""})
        assert again.json()["csrf_token"] == browser.csrf


@pytest.mark.parametrize(
    "wanted",
    [
        {"email": "nora@daily.example", "password": "wrong"},
        {"email": "nobody@daily.example", "password": PASSWORD},
        {"email": "invited@daily.example", "password": PASSWORD},
    ],
)
async def test_wrong_and_unknown_are_the_same_answer(service: Service, wanted: dict[str, Any]) -> None:
    """Who guesses does not learn which addresses have an account."""
    await person(service, "nora@daily.example")
    await invited(service, "invited@daily.example")
    answer = await service.call("POST", SESSION, json=wanted)
    assert problem(answer, "session.refused")["detail"] == "Address, password or code are not right."
    assert "set-cookie" not in answer.headers


async def test_guessing_is_slowed_down(service: Service) -> None:
    """After ten attempts on an account from one network even the right password has to wait."""
    browser = await person(service, "nora@daily.example")
    # Taking the invitation was the first, signing in the second.
    for _ in range(8):
        await browser.sign_in(password="wrong", expect=401)
    answer = await browser.sign_in(expect=429)
    assert problem(answer, "limits.exceeded")["extra"]["limit"].startswith("sign_in")


async def test_a_change_needs_the_token_of_the_session(service: Service) -> None:
    """Without it, with another session's, or from a foreign page a change under a cookie is refused; reading is not."""
    browser, other = await person(service, "nora@daily.example"), await person(service, "olaf@daily.example")
    claims = "/v1/review/test/claims"
    for headers in (
        {"x-colloquy-csrf": ""},
        {"x-colloquy-csrf": other.csrf},
        {"origin": "https://evil.example"},
        {"origin": "https://news.example"},
        {"origin": "null"},
    ):
        problem(await browser.call("POST", claims, json={}, headers=headers), "auth.csrf")
    await browser.call("POST", claims, json={}, headers={"origin": service.context.settings.url}, expect=200)
    await browser.call("GET", QUEUE, headers={"origin": "https://evil.example"}, expect=200)


async def test_a_token_beside_a_cookie_counts_alone(service: Service) -> None:
    """`Authorization` wins: an invalid token is not helped by a valid cookie."""
    browser = await person(service, "nora@daily.example")
    bad = {"authorization": "Bearer cq_nothing"}
    problem(await browser.call("GET", QUEUE, headers=bad), "auth.invalid")
    problem(await browser.call("GET", SESSION, headers=bad), "auth.invalid")


async def test_sessions_end_by_signing_out(service: Service) -> None:
    """Here, or everywhere; what was signed out is refused at once."""
    first = await person(service, "nora@daily.example")
    second = Browser(service, first.email)
    await second.sign_in()
    listed = (await second.call("GET", f"{SESSION}/all", expect=200)).json()["sessions"]
    assert [one["current"] for one in listed] == [True, False]
    await first.call("DELETE", SESSION, expect=204)
    problem(await first.call("GET", QUEUE), "auth.invalid")
    await second.call("GET", QUEUE, expect=200)
    third = Browser(service, first.email)
    await third.sign_in()
    await second.call("DELETE", f"{SESSION}/all", expect=204)
    for browser in (second, third):
        problem(await browser.call("GET", QUEUE), "auth.invalid")


async def test_sessions_end_by_idleness_and_in_the_end(service: Service) -> None:
    """Twelve hours without a request, or two weeks with."""
    browser = await person(service, "nora@daily.example")
    for _ in range(int(LONGEST / timedelta(hours=11))):
        service.clock.advance(11 * 3600)
        await browser.call("GET", QUEUE, expect=200)
    service.clock.advance(11 * 3600)
    problem(await browser.call("GET", QUEUE), "auth.invalid")
    await browser.sign_in()
    service.clock.advance(IDLE.total_seconds() + 1)
    problem(await browser.call("GET", QUEUE), "auth.invalid")


async def test_a_new_password_ends_every_other_session(service: Service) -> None:
    """The old password is needed, and from then on useless; this session goes on."""
    browser = await person(service, "nora@daily.example")
    other = Browser(service, browser.email)
    await other.sign_in()
    new, path = "another long and quiet river", f"{SESSION}/password"
    wrong = {"password": "wrong", "new_password": new}
    problem(await browser.call("POST", path, json=wrong), "session.refused")
    await browser.call("POST", path, json={"password": PASSWORD, "new_password": new}, expect=204)
    problem(await other.call("GET", QUEUE), "auth.invalid")
    await browser.call("GET", QUEUE, expect=200)
    await browser.sign_in(expect=401)
    await browser.sign_in(password=new)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaa", "password1234", "nora-nora-12"])
async def test_weak_passwords_are_refused(service: Service, password: str) -> None:
    """Short, common, of one letter, or the address; the invitation is still good."""
    token = await invited(service, "nora@daily.example")
    answer = await service.call("POST", "/v1/invitations", json={"token": token, "password": password})
    assert problem(answer, "request.invalid")["fields"][0]["field"] == "password"
    await service.call("POST", "/v1/invitations", json={"token": token, "password": PASSWORD}, expect=204)


async def test_an_invitation_is_good_once_and_for_a_week(service: Service) -> None:
    """Used, replaced, made up or old, it is the same refusal."""
    first = await invited(service, "nora@daily.example")
    second = await invited(service, "nora@daily.example")
    for token in (first, "made up"):
        answer = await service.call("POST", "/v1/invitations", json={"token": token, "password": PASSWORD})
        problem(answer, "invitation.invalid")
    await service.call("POST", "/v1/invitations", json={"token": second, "password": PASSWORD}, expect=204)
    problem(
        await service.call("POST", "/v1/invitations", json={"token": second, "password": PASSWORD}),
        "invitation.invalid",
    )
    replaced = await manage_accounts.invite_again(service.context, "nora@daily.example")
    old = await manage_accounts.invite_again(service.context, "nora@daily.example")
    problem(await accept(service, replaced, expect=None), "invitation.invalid")
    service.clock.advance(7 * 86_400)
    problem(await accept(service, old, expect=None), "invitation.invalid")


async def test_a_wrong_address_does_not_use_an_invitation_up(service: Service) -> None:
    """Who names the address to sign in with is told that it is empty, none, or another one, and can try again."""
    token = await invited(service, "nora@daily.example")
    body = {"token": token, "password": PASSWORD}
    for email, says in (
        ("", "is needed"),
        ("nora", "must be an e-mail address, such as name@example.org"),
        ("mona@daily.example", "is not the address that this invitation is for"),
    ):
        answer = await service.call("POST", "/v1/invitations", json={**body, "email": email})
        [field] = problem(answer, "request.invalid")["fields"]
        assert (field["field"], field["message"]) == ("email", says)
    await service.call("POST", "/v1/invitations", json={**body, "email": "Nora@daily.example"}, expect=204)
    answer = await service.call("POST", "/v1/session", json={"email": "", "password": PASSWORD})
    assert problem(answer, "request.invalid")["detail"] == "email: is needed."


async def test_two_who_use_one_invitation_do_not_both_set_a_password(service: Service) -> None:
    """At the same moment one of them is refused."""
    token = await invited(service, "nora@daily.example")
    sent = [
        service.call("POST", "/v1/invitations", json={"token": token, "password": f"{PASSWORD} {number}"})
        for number in range(2)
    ]
    assert sorted(answer.status_code for answer in await asyncio.gather(*sent)) == [204, 410]


async def test_a_disabled_member_is_out_on_that_site_and_a_disabled_account_everywhere(service: Service) -> None:
    """The admin of a site ends a role, the operator an account; both at once."""
    browser = await person(service, "nora@daily.example")
    [role] = (await browser.call("GET", SESSION, expect=200)).json()["roles"]
    await service.call("DELETE", f"/v1/admin/sites/test/members/{role['member_id']}", as_="admin", expect=204)
    problem(await browser.call("GET", QUEUE), "auth.forbidden")
    await browser.call("GET", SESSION, expect=200)
    await manage_accounts.disable(service.context, browser.email)
    problem(await browser.call("GET", SESSION), "auth.invalid")
    await browser.sign_in(expect=401)


async def test_with_a_second_factor_the_password_alone_is_not_enough(service: Service) -> None:
    """A code of the device is needed, each counts once, and the clocks may differ by a step."""
    browser = await person(service, "nora@daily.example")
    device, _ = await second_factor(service, browser)
    problem(await browser.sign_in(expect=401), "session.code_required")
    problem(await browser.sign_in(expect=401, code=device.at(service.clock())), "session.refused")
    service.clock.advance(30)
    code = device.at(service.clock())
    await browser.sign_in(code=f"{code[:3]} {code[3:]}")
    problem(await browser.sign_in(expect=401, code=code), "session.refused")
    service.clock.advance(60)
    await browser.sign_in(code=device.at(service.clock() - timedelta(seconds=30)))
    problem(await browser.sign_in(expect=401, code="000000"), "session.refused")
    problem(await browser.sign_in(expect=401, password="wrong", code="000000"), "session.refused")


async def test_a_recovery_code_lets_in_once(service: Service) -> None:
    """Ten codes for a lost device, each good once; the operator can reset the factor."""
    browser = await person(service, "nora@daily.example")
    _, codes = await second_factor(service, browser)
    assert len(set(codes)) == 10
    await browser.sign_in(code=codes[3].upper())
    await browser.sign_in(code=codes[3], expect=401)
    await manage_accounts.reset_second_factor(service.context, browser.email)
    await browser.sign_in()


async def test_the_second_factor_is_turned_off_with_password_and_code(service: Service) -> None:
    """Neither alone is enough, and one that is on cannot be replaced."""
    browser = await person(service, "nora@daily.example")
    device, _ = await second_factor(service, browser)
    path = f"{SESSION}/second-factor"
    problem(await browser.call("POST", path, json={"password": PASSWORD}), "second_factor.exists")
    service.clock.advance(30)
    code = device.at(service.clock())
    problem(await browser.call("DELETE", path, json={"password": "wrong", "code": code}), "session.refused")
    problem(await browser.call("DELETE", path, json={"password": PASSWORD, "code": "000000"}), "session.refused")
    await browser.call("DELETE", path, json={"password": PASSWORD, "code": code}, expect=204)
    await browser.sign_in()


async def test_nothing_in_the_database_lets_anybody_in(service: Service) -> None:
    """Passwords, sessions, invitations and recovery codes are hashes, the factor is sealed, the audit has ids."""
    browser = await person(service, "nora@daily.example")
    device, codes = await second_factor(service, browser)
    token = (browser.cookie or "").partition("=")[2]
    async with service.context.database.reading() as connection:
        rows = [str((await connection.execute(table.select())).all()) for table in (accounts, sessions, invitations)]
        audit = str((await connection.exec_driver_sql("SELECT * FROM audit_events")).all())
    for secret in (PASSWORD, token, device.secret, *codes):
        assert secret not in "".join(rows) + audit
    for action in ("session.opened", "password.set", "second_factor.enabled"):
        assert action in audit
    assert "nora@" not in audit
