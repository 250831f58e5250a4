"""Receivers of events from the command line: everything that the API does, refused in the command line's own words."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from service.settings import Settings, SettingsError
from tests.leaks import plant
from tests.service.test_commands import Run, run, settings, site

__all__ = ["run", "settings", "site"]
UNKNOWN = "0190a0a0-0000-7000-8000-000000000000"


@pytest.fixture
def hook(run: Run, site: str) -> str:
    """A receiver."""
    made = json.loads(run("webhook", "create", site, "https://a.example/hook", "--header", "X-Key=abc=d")[0])
    plant(made["secret"])
    return str(made["id"])


def test_a_receiver_is_changed(run: Run, site: str, hook: str) -> None:
    """URL, events, headers and description, each by itself; what is not named stays."""

    def changed(*options: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run("webhook", "change", site, hook, *options)[0])
        return {name: found[name] for name in ("url", "events", "header_names", "description")}

    before = {"url": "https://a.example/hook", "events": ["*"], "header_names": ["X-Key"], "description": ""}
    assert changed() == before
    assert changed("--description", "search") == before | {"description": "search"}
    assert changed("--event", "comment.*", "--event", "thread.*")["events"] == ["comment.*", "thread.*"]
    assert changed("--header", "X-Other=1")["header_names"] == ["X-Other"]
    with pytest.raises(SettingsError, match=r"^--header: must be given again for another host"):
        changed("--url", "https://b.example/hook")
    assert changed("--url", "https://b.example/hook", "--no-headers") == {
        "url": "https://b.example/hook", "events": ["comment.*", "thread.*"], "header_names": [],
        "description": "search",
    }  # fmt: skip


def test_deliveries_are_listed_by_filters_and_given_up(run: Run, site: str, hook: str) -> None:
    """Page by page, by event; and one that is given up is owed no more."""
    owed = [json.loads(run("webhook", "test", site, hook)[0]) for _ in range(3)]

    def listed(*options: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run("webhook", "deliveries", site, hook, *options)[0])
        return found

    first = listed("--limit", "2", "--event", "webhook.*")
    rest = listed("--limit", "2", "--after", first["next"])
    assert [one["id"] for one in first["deliveries"] + rest["deliveries"]] == [one["id"] for one in reversed(owed)]
    assert listed("--event", "comment.held") == {"deliveries": [], "next": None}
    assert listed("--comment", UNKNOWN) == {"deliveries": [], "next": None}
    assert json.loads(run("webhook", "cancel", site, hook, owed[0]["id"])[0])["state"] == "cancelled"
    again = ("replay", site, hook, "--state", "cancelled", "--since", "2026-01-01T00:00:00Z")
    assert json.loads(run("webhook", *again, "--until", "2026-01-02T00:00:00Z")[0]) == {"deliveries": 0}
    assert json.loads(run("webhook", *again, "--comment", UNKNOWN)[0]) == {"deliveries": 0}
    assert json.loads(run("webhook", *again)[0]) == {"deliveries": 1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "SITE", "a.example"], "URL: must begin with https:// or http:// and a host"),
        (["create", "SITE", "http://127.0.0.1:9/"], "URL: names this machine"),
        (["create", "SITE", "https://b.example", "--header", "X Y=1"], "--header X Y: must be the name of a header"),
        (["change", "SITE", "HOOK", "--url", "https://b.example:22/"], "--url: must have port 443 or 8443"),
        (["change", "SITE", "HOOK", "--event", "nothing"], "--event: names no event: 'nothing'"),
        (["deliveries", "SITE", "HOOK", "--event", "nothing"], "--event: names no event"),
        (["deliveries", "SITE", "HOOK", "--comment", "12"], "--comment: must be the id of a comment"),
        (["deliveries", "SITE", "HOOK", "--after", "x"], "--after: is no cursor"),
        (["replay", "SITE", "HOOK"], "--since: is needed"),
        (["replay", "SITE", "HOOK", "--since", "yesterday"], "--since: must be a time"),
        (["replay", "SITE", "HOOK", "--since", "2999-01-01T00:00:00Z"], "--since: lies in the future"),
        (["replay", "SITE", "HOOK", "--delivery", "x"], "--delivery: must be a UUID"),
        (["replay", "SITE", "HOOK", "--delivery", UNKNOWN], f"no such deliveries: {UNKNOWN}"),
        (["rotate", "SITE", "HOOK", "--overlap", "9999999"], "--overlap: Expected `int` <= 604800"),
        (["show", "SITE", "x"], "There is no such webhook. The site has no such webhook."),
    ],
)
def test_a_refusal_names_the_option_once(run: Run, site: str, hook: str, arguments: list[str], said: str) -> None:
    """One line, without a regular expression, about what was typed."""
    words = [{"SITE": site, "HOOK": hook}.get(word, word) for word in arguments]
    with pytest.raises(SettingsError, match=f"^.*{re.escape(said)}") as refused:
        run("webhook", *words)
    message = str(refused.value)
    assert "regex" not in message
    assert "\n" not in message
    assert message.count(message[-20:]) == 1


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x"])
def test_a_limit_is_a_number_of_rows(run: Run, limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is taken for something else."""
    with pytest.raises(SystemExit):
        run("webhook", "deliveries", "any", UNKNOWN, f"--limit={limit}")
    assert "from 1 to 100" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["WEBHOOKS_ALLOW_LOOPBACK", "EGRESS_ALLOW_LOOPBACK"])
def test_a_switch_is_1_or_0(name: str) -> None:
    """Another word is answered with these two."""
    with pytest.raises(SettingsError, match=f"^{name}: write 1 or 0$"):
        Settings.from_environment({name: "yes"})
