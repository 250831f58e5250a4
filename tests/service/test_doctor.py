"""The doctor names what is wrong and what to do, looks at the rest when a part is down, and never tells a secret."""

import asyncio
import http.server
import json
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from service import __main__ as command_line
from service.composition import open_offline
from service.doctor import of_outside
from service.doctor.examine import examine
from service.doctor.findings import Finding, Level, is_well, problem, span, warning
from service.doctor.of_database import look_at_database, of_clock
from service.doctor.of_home import look_at_home
from service.doctor.of_outside import look_outside
from service.doctor.of_redis import look_at_redis
from service.doctor.of_scorer import look_at_scorer
from service.doctor.of_settings import is_strong, look_at_settings
from service.doctor_command import lines
from service.embedded_redis import EmbeddedRedis
from service.flow.audit import audit
from service.queue.client import connect
from service.queue.scorer_status import ScorerBoard, ScorerState, ScorerStatus
from service.settings import Settings
from service.store.tables import webhook_endpoints
from tests.journey.test_promise_6_webhooks import self_signed
from tests.mail_server import post_office
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

PUBLIC = {
    "PUBLIC_URL": "https://comments.example",
    "TRUSTED_PROXIES": "127.0.0.1",
    "SECRET_KEY": "gT7#" + "kZ4vQ9xW" * 5,
}
PASSWORD = "hidden-from-everybody"


def settings_of(home: Path | str = "nowhere", **more: str) -> Settings:
    """Settings of a home."""
    return Settings.from_environment({"COLLOQUY_HOME": str(home)} | more)


async def gathered(findings: AsyncIterator[Finding]) -> dict[str, Finding]:
    """The findings by their names."""
    return {one.check: one async for one in findings}


def levels(findings: dict[str, Finding]) -> dict[str, str]:
    """How each thing is that is not well."""
    return {name: one.level.value for name, one in findings.items() if one.level is not Level.OK}


@pytest.mark.parametrize(
    ("given", "check", "level"),
    [
        ({"PUBLIC_URL": "http://comments.example"}, "public_url", "problem"),
        ({"PUBLIC_URL": "", "HOST": "0.0.0.0"}, "public_url", "warning"),
        ({"ALLOWED_HOSTS": "*"}, "allowed_hosts", "warning"),
        ({"ALLOWED_HOSTS": "other.example"}, "allowed_hosts", "problem"),
        ({"TRUSTED_PROXIES": "0.0.0.0/0"}, "trusted_proxies", "problem"),
        ({"TRUSTED_PROXIES": ""}, "trusted_proxies", "warning"),
        ({"EGRESS_ALLOW_LOOPBACK": "1"}, "egress_allow_loopback", "warning"),
        ({"WEBHOOKS_ALLOW_LOOPBACK": "1"}, "webhooks_allow_loopback", "warning"),
        ({"LOG_LEVEL": "DEBUG"}, "log_level", "warning"),
        ({"SCORER_OVERLOAD_SECONDS": "5", "SCORER_FALLBACK": "none"}, "scorer_overload_seconds", "warning"),
        ({"SCORER_TRUSTED_DIGEST": "a" * 64}, "scorer_trusted_digest", "warning"),
        ({"SCORER": "hashed", "SCORER_DEVICE": "cuda"}, "scorer_device", "warning"),
        ({"OIDC_CLIENT_ID": "colloquy"}, "oidc_client_id", "warning"),
        ({"WORKER_PORT": "8000"}, "worker_port", "problem"),
        ({"REDIS_URL": "redis://redis.example"}, "database_url", "warning"),
        ({"LIVE_STREAMS": "4000"}, "live_streams", "warning"),
        ({"SCORER_TREADS": "4"}, "unknown", "warning"),
        ({"SECRET_KEY": "change-me-change-me-change-me-change-me"}, "secret_key", "problem"),
    ],
)
def test_settings_that_do_not_go_together(given: dict[str, str], check: str, level: str) -> None:
    """Each mistake is one finding, of the setting that has to change, with what to do; without it all is well."""
    environment = PUBLIC | given
    found = {one.check: one for one in look_at_settings(settings_of(**environment), environment)}
    assert levels(found) == {f"settings.{check}": level}
    assert found[f"settings.{check}"].remedy
    right = look_at_settings(settings_of(**PUBLIC), PUBLIC)
    assert [one.level for one in right] == [Level.OK, Level.OK]


@pytest.mark.parametrize(
    ("key", "strong"),
    [
        ("q8Zr1mXw0T5yVb7LkNc3HdJfGs9PaEuO", True),
        ("0123456789abcdef0123456789abcdef", False),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", False),
        ("Ab3dEf7hIj1kAb3dEf7hIj1kAb3dEf7hIj1k", False),
        ("please-change-this-very-long-key-now", False),
    ],
)
def test_a_key_that_can_be_guessed(key: str, strong: bool) -> None:
    """What a machine drew is strong; what repeats itself or is an example's text is not."""
    assert is_strong(key) is strong


def test_a_home_that_others_may_read(tmp_path: Path) -> None:
    """Folder and files that are open to others are named; a home that is not there yet is said to be."""
    home = tmp_path / "home"
    settings = settings_of(home)
    assert {one.check: one.level for one in look_at_home(settings)} == {"home.folder": Level.WARNING}
    home.mkdir(mode=0o700)
    (home / "secret.key").touch(mode=0o600)
    assert [one.level for one in look_at_home(settings)][:2] == [Level.OK, Level.OK]
    home.chmod(0o755)
    (home / "secret.key").chmod(0o644)
    found = {one.check: one for one in look_at_home(settings)}
    assert levels(found) == {"home.folder": "warning", "home.files": "problem"}
    assert "secret.key" in found["home.files"].said


def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little room is a warning, next to none a problem."""
    usage = type(shutil.disk_usage(tmp_path))
    for free, level in ((1 << 30, Level.WARNING), (1 << 20, Level.PROBLEM), (50 << 30, Level.OK)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _folder, free=free: usage(100 << 30, 0, free))
        assert [one.level for one in look_at_home(settings_of(tmp_path)) if one.check == "disk"] == [level]


async def test_a_healthy_database(service: Service) -> None:
    """Of an installation that works only the backup is missing, and after one nothing is."""
    settings = service.context.settings
    found = await gathered(look_at_database(settings))
    assert levels(found) in ({"backups": "warning"}, {"backups": "warning", "database.durability": "problem"})
    assert {"database", "database.keys", "people", "backlog.scoring", "webhooks"} <= found.keys()
    async with service.context.database.writing() as connection:
        await audit(connection, service.context, None, "cli", "backup.made", None)
    assert "backups" not in levels(await gathered(look_at_database(settings)))


async def test_what_the_rows_tell(service: Service) -> None:
    """Comments that wait for long, receivers that fail and backups that are old are each a finding with a command."""
    context = service.context
    service.clock.advance(-3 * 86_400)
    await service.submit("A civil opinion.")
    async with context.database.writing() as connection:
        await audit(connection, context, None, "cli", "backup.made", None)
        site = (await connection.execute(sa.text("SELECT id FROM sites"))).scalar_one()
        for number, (status, reason) in enumerate((("disabled", "gone"), ("active", None))):
            await connection.execute(webhook_endpoints.insert().values(
                id=f"0190a0a0-0000-7000-8000-00000000000{number}", site_id=site, url=f"https://a.example/{PASSWORD}",
                description="", events=["*"], header_names=[], status=status, reason=reason, failures=9,
                failing_since=context.now(), created_at=context.now(), changed_at=context.now(),
            ))  # fmt: skip
    found = [one async for one in look_at_database(context.settings)]
    unwell = {(one.check, one.level.value) for one in found if one.level is not Level.OK}
    assert {
        ("backlog.scoring", "problem"),
        ("backups", "warning"),
        ("webhooks", "problem"),
        ("webhooks", "warning"),
    } <= unwell
    assert any("webhook show test 0190a0a0" in one.remedy for one in found)
    assert PASSWORD not in str(found)


async def test_a_database_that_cannot_be_used(service: Service, tmp_path: Path) -> None:
    """One that is away, without tables, of a newer version, or of another key is named with the way out."""
    settings = service.context.settings
    other = msgspec.structs.replace(settings, secret_key="another-key" * 4)
    assert levels(await gathered(look_at_database(other)))["database.keys"] == "problem"
    async with service.context.database.writing() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    newer = (await gathered(look_at_database(settings)))["database.tables"]
    assert "of a newer version" in newer.said
    async with service.context.database.writing() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '0009'"))
    older = (await gathered(look_at_database(settings)))["database.tables"]
    assert "migrate" in older.remedy
    none = await gathered(look_at_database(settings_of(tmp_path / "none")))
    assert levels(none) == {"database.tables": "problem"}
    away = settings_of(DATABASE_URL=f"postgresql+asyncpg://ada:{PASSWORD}@127.0.0.1:1/x")
    assert "Connection refused" in (await gathered(look_at_database(away)))["database"].said


async def test_redis_that_forgets(own_redis: EmbeddedRedis) -> None:
    """No append-only file, eviction and a full memory are findings; so is that no worker reports."""
    settings = settings_of(REDIS_URL=own_redis.url)
    assert levels(await gathered(look_at_redis(settings))) == {"workers": "problem"}
    client: Redis = connect(own_redis.url)
    await client.config_set("appendonly", "no")
    await client.config_set("maxmemory-policy", "allkeys-lru")
    found = levels(await gathered(look_at_redis(settings)))
    assert found == {"redis.persistence": "warning", "redis.memory": "problem", "workers": "problem"}
    await client.config_set("maxmemory-policy", "noeviction")
    used = int((await client.info("memory"))["used_memory"])
    await client.config_set("maxmemory", str(used + 100_000))
    assert (await gathered(look_at_redis(settings)))["redis.memory"].level is Level.WARNING
    await client.aclose()


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (ScorerStatus(ScorerState.UP, None, "compact-1"), Level.OK),
        (ScorerStatus(ScorerState.UP, "scorer.fallback", "hashed-1"), Level.WARNING),
        (ScorerStatus(ScorerState.STARTING, "scorer.starting"), Level.WARNING),
        (ScorerStatus(ScorerState.STALLED, "scorer.slow"), Level.PROBLEM),
        (ScorerStatus(ScorerState.DOWN, "scorer.start"), Level.PROBLEM),
    ],
)
async def test_workers_are_judged_by_their_words(own_redis: EmbeddedRedis, status: ScorerStatus, level: Level) -> None:
    """A worker that scores is well, one that starts or makes do is a warning, one that does not score a problem."""
    client = connect(own_redis.url)
    board = ScorerBoard(client, "colloquy")
    await board.report("mine", msgspec.structs.replace(status, since=time.time() - 60), 30)
    found = await gathered(look_at_redis(settings_of(REDIS_URL=own_redis.url)))
    assert found["workers"].level is level
    assert "60 seconds" in found["workers"].said
    await board.report("mine", msgspec.structs.replace(status, since=time.time() + 600), 30)
    found = await gathered(look_at_redis(settings_of(REDIS_URL=own_redis.url)))
    assert levels(found) == {"workers.clock": "warning"}
    await client.aclose()


def test_clocks_that_differ() -> None:
    """Two seconds are a warning, half a minute a problem, in either direction."""
    assert [of_clock("clock", skew, "Redis").level for skew in (1, -5, 60, -60)] == [
        Level.OK, Level.WARNING, Level.PROBLEM, Level.PROBLEM,
    ]  # fmt: skip
    assert "behind" in of_clock("clock", -5, "Redis").said


async def test_the_mail_server_is_asked_without_a_letter() -> None:
    """One that answers is well and gets nothing; one that is not there or takes no password is a problem."""
    settings = settings_of(MAIL_FROM="a@daily.example", SMTP_URL=f"smtp://ada:{PASSWORD}@127.0.0.1:1")
    away = (await gathered(look_outside(settings)))["mail"]
    assert (away.level, PASSWORD in str(away)) == (Level.PROBLEM, False)
    async with post_office() as post:
        well = await gathered(look_outside(settings_of(MAIL_FROM="a@daily.example", SMTP_URL=post.url)))
        assert well["mail"].level is Level.OK
        refused = settings_of(MAIL_FROM="a@daily.example", SMTP_URL=post.url.replace("//", f"//ada:{PASSWORD}@"))
        assert (await gathered(look_outside(refused)))["mail"].level is Level.PROBLEM
        assert post.inbox == []


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server that answers everything with one status, and its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "level"), [(200, Level.OK), (404, Level.WARNING)])
def test_the_public_address_is_asked(status: int, level: Level) -> None:
    """What readers use is asked as they would; a proxy that answers something else is a warning."""
    with answering(status) as port:
        assert of_outside._public(f"http://localhost:{port}").level is level
    assert of_outside._public(f"http://localhost:{port}").level is Level.WARNING
    assert of_outside._public("https://no-such-name.invalid").level is Level.PROBLEM


async def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    """It is a problem with the reason, and nothing is sent to who has it."""
    async with self_signed(tmp_path) as port:
        found = await asyncio.to_thread(of_outside._public, f"https://localhost:{port}")
    assert found.level is Level.PROBLEM
    assert "certificate is not good" in found.said


async def test_the_model_is_loaded(service: Service) -> None:
    """A model that scores is told with its id, and sites whose policy is for another one; one that cannot be is too."""
    settings = msgspec.structs.replace(service.context.settings, scorer="hashed")
    found = await gathered(look_at_scorer(settings, os.environ))
    assert found["scorer"].said.startswith("hashed-")
    assert levels(found) == {"scorer.policies": "warning"}
    broken = msgspec.structs.replace(settings, scorer="onnx:/nowhere")
    environment = {**os.environ, "SCORER": "onnx:/nowhere"}
    assert levels(await gathered(look_at_scorer(broken, environment))) == {"scorer": "problem"}


async def test_the_rest_is_looked_at_when_parts_are_down(tmp_path: Path) -> None:
    """With SQL, Redis, mail and API away every part has its say, nothing secret is told, and nothing is made."""
    environment = {
        "COLLOQUY_HOME": str(tmp_path / "home"),
        "PORT": "1",
        "DATABASE_URL": f"postgresql+asyncpg://ada:{PASSWORD}@127.0.0.1:1/x",
        "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:1",
        "SMTP_URL": f"smtp://ada:{PASSWORD}@127.0.0.1:1",
        "MAIL_FROM": "a@daily.example",
        "SECRET_KEY": PASSWORD * 3,
    }
    settings = Settings.from_environment(environment)
    found = await examine(settings, environment, with_scorer=False)
    assert {one.check.partition(".")[0] for one in found} >= {"settings", "home", "database", "redis", "api", "mail"}
    assert {one.check for one in found if one.level is Level.PROBLEM} >= {"database", "redis", "mail"}
    assert not is_well(found)
    assert PASSWORD not in str(found) + "".join(lines(found))
    assert not (tmp_path / "home").exists()


async def test_what_cannot_be_looked_at_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An error in one part is told by its type alone, beside what was found before it and in all other parts."""

    async def broken(_settings: Settings) -> AsyncIterator[Finding]:
        yield warning("redis.first", "was seen", "look")
        raise ValueError(PASSWORD)

    monkeypatch.setattr("service.doctor.examine.look_at_redis", broken)
    found = await examine(settings_of(tmp_path), {}, with_scorer=False)
    assert warning("redis.first", "was seen", "look") in found
    assert (
        problem("redis", "could not be looked at (ValueError)", "the log line doctor.failed says where it happened")
        in found
    )
    assert PASSWORD not in str(found)


def test_the_command_answers_by_its_exit_code(
    sqlite_template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Warnings end with 0 and a problem with 1; as JSON there is the same in fields."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    settings = settings_of(home, PORT="1")
    assert run(settings, "--no-scorer") == 1
    out = capsys.readouterr().out
    assert "-> run `python -m service migrate`" in out
    assert out.splitlines()[-1].startswith("problems: 1, warnings: ")
    shutil.copy(sqlite_template, home / "colloquy.db")
    (home / "colloquy.db").chmod(0o600)
    asyncio.run(opened_once(settings))
    assert run(settings, "--no-scorer", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert {"check", "level", "said", "remedy"} == set(told["findings"][0])


def run(settings: Settings, *given: str) -> int:
    """Run the command in this process, and answer its exit code."""
    options = command_line._parser(admin=True).parse_args(["doctor", *given])
    code: int = options.run(options, settings)
    return code


async def opened_once(settings: Settings) -> None:
    """Let the key be made."""
    async with open_offline(settings):
        pass


def test_spans_are_told_in_the_largest_unit() -> None:
    """So that nobody counts seconds of a week."""
    ages = [timedelta(seconds=90), timedelta(minutes=150), timedelta(hours=60), timedelta(seconds=5)]
    assert [span(age.total_seconds()) for age in ages] == ["90 seconds", "2 hours", "2 days", "5 seconds"]
