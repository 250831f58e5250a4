"""The demo site that `make run` starts with: an article, tokens for a script, generous limits."""

from __future__ import annotations

import json
import os
from pathlib import Path

from service import schemas
from service.composition import open_context
from service.errors import Problem
from service.flow import manage_admins, manage_people, manage_sites
from service.flow.context import Context
from service.flow.identify import find_site, principal_of
from service.flow.manage_limits import GENEROUS, set_limits
from service.flow.manage_threads import create_thread
from service.settings import Settings

SITE = "demo"
PAGE = "https://news.example/opinion/should-the-city-close-its-centre-to-cars"
TITLE = "Should the city close its centre to cars?"
TOKENS_FILE = "demo.json"
"""The name of the file in the home folder that holds the demo's address and its tokens."""


async def prepare(settings: Settings) -> list[str]:
    """Make what is missing of the demo, write demo.json, and answer the lines to print."""
    async with open_context(settings) as context:
        path = settings.home / TOKENS_FILE
        known = read_demo(settings.home)
        admin = (
            await _valid(context, known.get("admin_token"))
            or (await manage_admins.create_admin(context, "Demo admin")).token
        )
        await _site(context, settings)
        moderators = [
            await _valid(context, known.get(key)) or await _moderator(context, name)
            for key, name in (("moderator_token", "Demo moderator"), ("moderator2_token", "Second demo moderator"))
        ]
    demo = {
        "url": settings.url,
        "site": SITE,
        "page": PAGE,
        "admin_token": admin,
        "moderator_token": moderators[0],
        "moderator2_token": moderators[1],
    }
    write_private(path, json.dumps(demo, indent=2) + "\n")
    return [
        f"article   {settings.url}/demo",
        f"another   {settings.url}/demo/missiles.html (python -m service demo --discussion fills it)",
        f"console   {settings.url}/console (sign in with a token of demo.json)",
        f"schema    {settings.url}/schema",
        f"health    {settings.url}/health/ready",
        f"tokens    {path} (readable by you only)",
        "Write a comment, then a rude one; README.md has a tour with curl. Ctrl-C stops everything, the data stays.",
    ]


async def _site(context: Context, settings: Settings) -> None:
    origins = sorted({settings.url, f"http://127.0.0.1:{settings.port}", f"http://localhost:{settings.port}"})
    try:
        wanted = schemas.SiteInput(
            slug=SITE, name="The Demo Courier", allowed_origins=origins, edit_window_seconds=86_400, max_depth=12
        )
        await manage_sites.create_site(context, "cli", wanted)
        await set_limits(context, await find_site(context, SITE), "cli", GENEROUS)
        site = await find_site(context, SITE)
        await create_thread(context, site, "cli", schemas.ThreadInput(page=PAGE, title=TITLE, url=PAGE))
    except Problem as problem:
        if problem.code != "site.exists":
            raise
        site = await find_site(context, SITE)
        merged = sorted({*site.allowed_origins, *origins})
        if merged != sorted(site.allowed_origins):
            await manage_sites.change_site(context, site, "cli", schemas.SiteChange(allowed_origins=merged))


async def _moderator(context: Context, name: str) -> str:
    site = await find_site(context, SITE)
    member = await manage_people.add_member(context, site, "cli", schemas.MemberInput(name=name, role="moderator"))
    wanted = schemas.KeyInput(name=name, scopes=["review"], member_id=member.id)
    return (await manage_people.create_key(context, site, "cli", wanted)).token


async def _valid(context: Context, token: str | None) -> str | None:
    if not token:
        return None
    try:
        await principal_of(context, token)
    except Problem:
        return None
    return token


def read_demo(home: Path) -> dict[str, str]:
    """Answer what demo.json holds, nothing where it is missing or broken."""
    try:
        found = json.loads((home / TOKENS_FILE).read_text())
    except (OSError, ValueError):
        return {}
    entries = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in entries if isinstance(value, str)}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
