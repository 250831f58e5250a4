"""People who sign in, as tests need them: an account, a browser that keeps its cookie, and codes of a device."""

from __future__ import annotations

from typing import Any

import httpx
import pyotp

from service import schemas
from service.flow import manage_people
from service.flow.identify import find_site
from tests.service_fixture import Service

PASSWORD = "a long and quiet river"


class Browser:
    """Somebody's browser: it keeps the session's cookie and sends the CSRF token with every change."""

    def __init__(self, service: Service, email: str) -> None:
        self.service = service
        self.email = email
        self.cookie: str | None = None
        self.csrf = ""

    async def sign_in(self, *, expect: int = 200, password: str = PASSWORD, **more: Any) -> httpx.Response:
        """Sign in and keep what comes."""
        wanted = {"email": self.email, "password": password, **more}
        answer = await self.service.call("POST", "/v1/session", json=wanted, expect=expect)
        if answer.status_code == 200:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
            self.csrf = answer.json()["csrf_token"]
        self.service.client.cookies.clear()
        return answer

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request as the browser's page does."""
        headers = {"cookie": self.cookie or "", **options.pop("headers", {})}
        if method != "GET":
            headers.setdefault("x-colloquy-csrf", self.csrf)
        answer = await self.service.call(method, path, headers=headers, **options)
        self.service.client.cookies.clear()
        return answer


async def invited(service: Service, email: str, role: str = "moderator", site: str = "test") -> str:
    """Name a member with an address, and answer the invitation."""
    wanted = schemas.MemberInput(name=email.partition("@")[0], role=role, email=email)  # type: ignore[arg-type]
    member = await manage_people.add_member(service.context, await find_site(service.context, site), "test", wanted)
    return member.invitation or ""


async def accept(
    service: Service, invitation: str, password: str = PASSWORD, *, expect: int | None = 204
) -> httpx.Response:
    """Take an invitation with a password."""
    wanted = {"token": invitation, "password": password}
    return await service.call("POST", "/v1/invitations", json=wanted, expect=expect)


async def person(service: Service, email: str, role: str = "moderator", site: str = "test") -> Browser:
    """Answer the browser of somebody who has a password and is signed in."""
    invitation = await invited(service, email, role, site)
    await accept(service, invitation)
    browser = Browser(service, email)
    await browser.sign_in()
    return browser


async def second_factor(service: Service, browser: Browser) -> tuple[pyotp.TOTP, list[str]]:
    """Turn on the second factor; answer the device and the recovery codes."""
    wanted = {"password": PASSWORD}
    made = (await browser.call("POST", "/v1/session/second-factor", json=wanted, expect=201)).json()
    device = pyotp.TOTP(made["secret"])
    code = device.at(service.clock())
    confirmed = await browser.call("POST", "/v1/session/second-factor/confirm", json={"code": code}, expect=200)
    return device, confirmed.json()["recovery_codes"]
