"""The operator's commands about people and acts, as a script uses them."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from service import __main__ as command_line
from service.settings import Settings, SettingsError
from service.store.database import Database
from tests.seeding import Seeded, seed_site, seed_thread


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path, sqlite_template: Path) -> Path:
    """The home of an installation with its tables."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(sqlite_template, home / "colloquy.db")
    return home


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""
    settings = Settings.from_environment({"COLLOQUY_HOME": str(home), "REDIS_URL": "redis://127.0.0.1:1"})

    def call(*arguments: str) -> Said:
        options = command_line._parser(admin=True).parse_args(arguments)
        code: int = options.run(options, settings)
        printed = capsys.readouterr()
        return Said(code, printed.out, printed.err)

    return call


@pytest.fixture
def seeded(home: Path) -> Seeded:
    """A site with a thread of one commenter."""

    async def seed() -> Seeded:
        database = Database(f"sqlite+aiosqlite:///{home / 'colloquy.db'}")
        site_id = await seed_site(database, "daily")
        found = await seed_thread(database, site_id, comments=30, commenters=1)
        await database.dispose()
        return found

    return asyncio.run(seed())


def test_a_request_is_answered_in_three_commands(run: Run, seeded: Seeded, home: Path) -> None:
    """Find, export and erase: what is found can be passed on, what is exported is JSON, what is erased is gone."""
    (found,) = json.loads(run("commenter", "find", "daily", "--comment", seeded.comment_ids[0]).out)
    assert found["id"] == seeded.commenter_ids[0]
    document = json.loads(run("commenter", "export", "daily", found["id"]).out)
    assert (len(document["comments"]), document["complete"]) == (30, True)
    said = run("commenter", "erase", "daily", found["id"], "--mode", "remove")
    assert (said.code, said.out) == (0, "")
    erased, unheard = said.err.splitlines()
    assert "is erased (remove)" in erased
    assert unheard == "Redis cannot be reached from here; the workers put its queues right by themselves"
    with sqlite3.connect(home / "colloquy.db") as database:
        left = database.execute("SELECT count(*) FROM revisions WHERE body IS NOT NULL OR body_hash IS NOT NULL")
        assert left.fetchone() == (0,)
    assert json.loads(run("commenter", "find", "daily", "--name", str(found["name"])).out) == []


def test_a_stranger_is_one_line(run: Run, seeded: Seeded) -> None:
    """An id that the site does not have is refused without a traceback."""
    for act in ("export", "erase"):
        with pytest.raises(SettingsError, match="no such commenter"):
            run("commenter", act, "daily", seeded.comment_ids[0])


def test_verify_says_where_a_chain_is_broken(run: Run, home: Path) -> None:
    """The exit code is 0 with the head of each chain, and 1 with the place once a row was changed."""
    run("site", "create", "daily", "--name", "Daily")
    run("site", "emergency", "daily", "on")
    said = run("audit", "verify")
    assert said.code == 0
    daily, installation = said.out.splitlines()
    assert daily.startswith("daily: 2 events hold; head 2:")
    assert installation.startswith("installation: 0 events hold")
    noted = daily.rpartition(" ")[2]
    assert run("audit", "verify", "--site", "daily", "--noted", noted).code == 0
    with sqlite3.connect(home / "colloquy.db") as database:
        database.execute("UPDATE audit_events SET actor = 'nobody' WHERE sequence = 2")
    said = run("audit", "verify", "--site", "daily")
    assert (said.code, said.out) == (1, "daily: BROKEN at event 2: it was changed\n")


def test_events_are_listed_as_lines_of_json(run: Run) -> None:
    """The newest first, as many as asked for."""
    run("site", "create", "daily", "--name", "Daily")
    run("site", "emergency", "daily", "on")
    lines = [json.loads(line) for line in run("audit", "list", "--site", "daily").out.splitlines()]
    assert [line["action"] for line in lines] == ["site.changed", "site.created"]
    assert len(run("audit", "list", "--site", "daily", "--limit", "1").out.splitlines()) == 1
    assert run("audit", "list").out == ""


@pytest.mark.parametrize("noted", ["1", "x:y", "0:" + "a" * 64, "1:" + "g" * 64])
def test_a_strange_note_is_refused(run: Run, noted: str) -> None:
    """What `audit verify` never printed is no note."""
    run("site", "create", "daily", "--name", "Daily")
    with pytest.raises(SettingsError, match="--noted"):
        run("audit", "verify", "--site", "daily", "--noted", noted)


def test_a_note_needs_its_site(run: Run) -> None:
    """A hash belongs to one chain."""
    with pytest.raises(SettingsError, match="--site"):
        run("audit", "verify", "--noted", "1:" + "a" * 64)
