"""The operator's commands: what they print can be used by a script, and what they refuse is one line."""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from moderation.policy import default_policy
from service import __main__ as command_line
from service.composition import open_context
from service.errors import Problem
from service.flow.identify import principal_of
from service.home import secret_key_of
from service.serve import _prepare
from service.settings import Settings, SettingsError
from tests.database_fixture import PostgreSql
from tests.leaks import plant

Run = Callable[..., tuple[str, str]]
ROOT = Path(__file__).parents[2]
UNREACHABLE = "postgresql+asyncpg://ada:hidden@127.0.0.1:1/colloquy"


@pytest.fixture
def settings(tmp_path: Path, sqlite_template: Path) -> Settings:
    """An installation with its tables, in a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(sqlite_template, home / "colloquy.db")
    return settings_of(home)


def settings_of(home: Path | str, **more: str) -> Settings:
    """Settings with a Redis that is not asked here."""
    return Settings.from_environment({"COLLOQUY_HOME": str(home), "REDIS_URL": "redis://127.0.0.1:1"} | more)


def run_with(settings: Settings, *arguments: str) -> None:
    """Run one command in this process."""
    options: argparse.Namespace = command_line._parser(admin=True).parse_args(arguments)
    assert options.run(options, settings) == 0


@pytest.fixture
def run(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command and answer what it printed on both streams."""

    def call(*arguments: str) -> tuple[str, str]:
        run_with(settings, *arguments)
        printed = capsys.readouterr()
        return printed.out, printed.err

    return call


@pytest.fixture
def site(run: Run) -> str:
    """A site with the default policy."""
    run("site", "create", "daily", "--name", "The Daily", "--origin", "https://daily.example")
    return "daily"


def holder(settings: Settings, token: str) -> str | None:
    """Answer the member who holds a token, None when it is refused."""

    async def ask() -> str | None:
        async with open_context(settings) as context:
            try:
                return (await principal_of(context, token)).member_id
            except Problem:
                return None

    return asyncio.run(ask())


def test_an_admin_is_made_listed_and_disabled(run: Run, settings: Settings) -> None:
    """The token alone is on standard output and works until its admin is disabled, who stays on the list."""
    out, err = run("admin", "create", "--name", "Ops", "--expires", "30")
    token = out.removesuffix("\n")
    assert "shown once" in err
    [admin] = json.loads(run("admin", "list")[0])["members"]
    assert admin["id"] in err
    assert holder(settings, token) == admin["id"]
    run("admin", "disable", admin["id"])
    assert holder(settings, token) is None
    [admin] = json.loads(run("admin", "list")[0])["members"]
    assert admin["disabled_at"]
    with pytest.raises(SettingsError, match="no such admin"):
        run("admin", "disable", admin["id"])


@pytest.mark.parametrize("days", ["0", "-1", "soon", "3651", "1.5"])
def test_a_term_is_a_number_of_days(run: Run, days: str) -> None:
    """A term that is no number of days makes no admin."""
    with pytest.raises(SettingsError, match="--expires"):
        run("admin", "create", "--name", "Ops", f"--expires={days}")
    assert json.loads(run("admin", "list")[0]) == {"members": []}


def test_a_policy_that_is_shown_can_be_set(run: Run, site: str, tmp_path: Path) -> None:
    """What `policy show` prints is what `policy set` takes, and the version stays the same."""
    shown, said = run("policy", "show", site)
    file = tmp_path / "policy.json"
    file.write_text(shown)
    version, warned = run("policy", "set", site, str(file))
    assert version == f"{default_policy().version}\n"
    assert default_policy().version in said
    assert warned == ""


def test_a_policy_for_another_model_is_warned_of(run: Run, site: str, tmp_path: Path) -> None:
    """A policy is put in force with a warning when its model is not the one that scores here."""
    document = json.loads(run("policy", "show", site)[0])
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(document | {"model": "other-1"}))
    version, warned = run("policy", "set", site, str(file))
    assert version.startswith("sha256:")
    assert "other-1" in warned
    assert "scores here" in warned


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.json", None, "there is no such file"),
        ("broken.json", b"{", "it is not JSON"),
        ("latin.json", b"\xff", "it is not text in UTF-8"),
        ("broken.toml", b"x = [", "\n  This is not TOML"),
    ],
)
def test_a_policy_file_that_cannot_be_used(
    run: Run, site: str, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    """A file that is not there or not whole is refused in a sentence that names it."""
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        run("policy", "set", site, str(file))
    assert str(file) in str(refused.value)
    assert said in str(refused.value)


def test_migrating_and_rotating_say_what_they_did(run: Run) -> None:
    """The results of `migrate` and `keys rotate` are sentences."""
    assert run("migrate")[0].startswith("database is at 0")
    assert run("keys", "rotate")[0].endswith(" from now on\n")


@pytest.mark.parametrize("arguments", [("migrate",), ("site", "list")])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        (UNREACHABLE, "cannot connect to 127.0.0.1:1/colloquy (Connection refused)"),
        ("postgresql+asyncpg://ada:hidden:hidden@/colloquy:5@x:/y", "DATABASE_URL: "),
        ("sqlite+aiosqlite:///{here}/not-a-database", "(file is not a database)"),
    ],
)
def test_a_database_that_is_out_is_one_line(
    settings: Settings, tmp_path: Path, arguments: tuple[str, ...], url: str, said: str
) -> None:
    """A database that cannot be used is named by its place, with the reason and without the password."""
    (tmp_path / "not-a-database").write_text("This is a text and no database. " * 100)
    with pytest.raises(SettingsError) as refused:
        run_with(settings_of(settings.home, DATABASE_URL=url.format(here=tmp_path)), *arguments)
    assert str(refused.value).startswith("DATABASE_URL: ")
    assert said in str(refused.value)
    assert "hidden" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.postgres
@pytest.mark.parametrize("arguments", [("migrate",), ("site", "list")])
def test_a_server_without_the_database_is_one_line(
    settings: Settings, postgresql: PostgreSql, arguments: tuple[str, ...]
) -> None:
    """What the server itself refuses is told in its words."""
    away = settings_of(settings.home, DATABASE_URL=postgresql.url("absent"))
    with pytest.raises(SettingsError) as refused:
        run_with(away, *arguments)
    place = f"127.0.0.1:{postgresql.port}/absent"
    assert str(refused.value) == f'DATABASE_URL: cannot connect to {place} (database "absent" does not exist)'


def test_serve_names_a_database_that_is_out(settings: Settings) -> None:
    """`serve` refuses a database that it cannot reach before it starts a process."""
    away = settings_of(settings.home, DATABASE_URL=UNREACHABLE)
    with pytest.raises(SettingsError, match=r"cannot connect to 127\.0\.0\.1:1/colloquy"):
        _prepare(away, demo=False)


def test_a_command_before_the_first_migration_says_so(tmp_path: Path) -> None:
    """On a database without tables a command names the step that is missing, and makes no file."""
    with pytest.raises(SettingsError, match="migrate` first"):
        run_with(settings_of(tmp_path), "site", "list")
    assert list(tmp_path.iterdir()) == []


def test_another_secret_key_is_refused_before_anything_starts(settings: Settings) -> None:
    """With a key that does not open the signing keys neither `serve` nor a process on its own starts."""
    _prepare(settings, demo=False)
    other = settings_of(settings.home, SECRET_KEY="another-key" * 4)
    for start in (lambda: _prepare(other, demo=False), lambda: command_line._require_database(other)):
        with pytest.raises(SettingsError, match=r"^SECRET_KEY: it does not open"):
            start()
    with pytest.raises(SettingsError, match=r"^SECRET_KEY: it does not open"):
        run_with(other, "keys", "rotate")


def test_a_lost_secret_key_is_not_made_anew(settings: Settings) -> None:
    """Where the database has signing keys a missing key is named, and no file takes its place."""
    _prepare(settings, demo=False)
    secret_key_of(settings)
    path = settings.home / "secret.key"
    path.unlink()
    with pytest.raises(SettingsError, match=r"^SECRET_KEY: the database has signing keys made with another one"):
        _prepare(settings, demo=False)
    assert not path.exists()


@pytest.mark.slow
def test_without_its_dependencies_the_service_says_what_to_do() -> None:
    """Whoever starts it with a Python that lacks the packages is led to `make setup`, without a traceback."""
    told = subprocess.run(
        [sys.executable, "-S", "-m", "service", "serve"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 2
    assert "run make setup" in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_token_says_how_it_has_texts_scored(run: Run, site: str) -> None:
    """A system that has texts scored gets a quota, a scale and leave to store with its token, within bounds."""
    words = ("token", "create", site, "--name", "Forum", "--scope", "analyze")
    usual = json.loads(run(*words)[0])["key"]
    assert (usual["per_minute"], usual["may_store"], usual["scale"]) == (600, False, "perspective")
    told = json.loads(run(*words, "--per-minute", "30", "--may-store", "yes", "--scale", "probability")[0])["key"]
    assert (told["per_minute"], told["may_store"], told["scale"]) == (30, True, "probability")
    for wrong in ("0", "many", "-5"):
        with pytest.raises(SettingsError, match="per_minute"):
            run(*words, f"--per-minute={wrong}")


def test_a_token_of_a_site_is_made_listed_and_revoked(run: Run, site: str) -> None:
    """A system's token is printed once, listed without its secret, and can be revoked; so can a member's access."""
    made = json.loads(run("token", "create", site, "--name", "CMS", "--scope", "threads")[0])
    assert made["token"].startswith("cq_")
    run("token", "revoke", site, made["key"]["id"])
    listed, _ = run("token", "list", site)
    assert [key["revoked_at"] is not None for key in json.loads(listed)["keys"]] == [True]
    assert made["token"] not in listed
    member = json.loads(run("member", "add", site, "--name", "Nora", "--role", "moderator")[0])["key"]["member_id"]
    run("member", "disable", site, member)
    assert json.loads(run("member", "list", site)[0])["members"][0]["disabled_at"] is not None


def test_origins_of_a_site_are_set(run: Run, site: str) -> None:
    """The origins given replace those that were."""
    changed = json.loads(
        run("site", "origins", site, "--origin", "https://a.example", "--origin", "https://b.example")[0]
    )
    assert changed["allowed_origins"] == ["https://a.example", "https://b.example"]


def test_webhooks_are_managed_from_the_command_line(run: Run, site: str) -> None:
    """Named with its secret once, shown without, tested, replayed, paused, enabled, rotated and forgotten."""
    made = json.loads(
        run("webhook", "create", site, "https://a.example/hook", "--event", "comment.*", "--header", "X-Key=abc")[0]
    )
    plant(made["secret"])
    hook = made["id"]
    shown = run("webhook", "show", site, hook)[0]
    assert made["secret"] not in shown
    assert (json.loads(shown)["events"], json.loads(shown)["header_names"]) == (["comment.*"], ["X-Key"])
    assert [one["id"] for one in json.loads(run("webhook", "list", site)[0])["webhooks"]] == [hook]
    owed = json.loads(run("webhook", "test", site, hook)[0])
    assert json.loads(run("webhook", "deliveries", site, hook, "--state", "pending")[0])["deliveries"] == [owed]
    assert json.loads(run("webhook", "delivery", site, hook, owed["id"])[0])["attempts_made"] == []
    assert json.loads(run("webhook", "replay", site, hook, "--delivery", owed["id"])[0]) == {"deliveries": 1}
    assert json.loads(run("webhook", "replay", site, hook, "--since", "2026-01-01T00:00:00Z")[0])["deliveries"] == 0
    assert json.loads(run("webhook", "pause", site, hook)[0])["status"] == "paused"
    assert json.loads(run("webhook", "enable", site, hook)[0])["status"] == "active"
    rotated = json.loads(run("webhook", "rotate", site, hook, "--overlap", "0")[0])["secret"]
    plant(rotated)
    assert rotated != made["secret"]
    assert len(json.loads(run("webhook", "show", site, hook)[0])["secrets"]) == 1
    run("webhook", "delete", site, hook)
    assert json.loads(run("webhook", "list", site)[0]) == {"webhooks": []}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "http://a.example/"], "URL: must begin with https://"),
        (["create", "https://a.example/", "--event", "nothing"], "--event: names no event"),
        (["create", "https://a.example/", "--header", "X"], "--header X: must be NAME=VALUE"),
        (["show", "0190a0a0-0000-7000-8000-000000000000"], "There is no such webhook"),
    ],
)
def test_a_wrong_webhook_command_is_one_line(run: Run, site: str, arguments: list[str], said: str) -> None:
    """What is wrong is said as the API says it."""
    verb, *rest = arguments
    with pytest.raises(SettingsError, match=re.escape(said)):
        run("webhook", verb, site, *rest)
