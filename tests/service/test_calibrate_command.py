"""`calibrate` fits, refuses, stores, lists and retires, from labels and from decisions, and says what it stands on."""

import argparse
import asyncio
import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.calibration import Calibration, log_odds, sigmoid
from moderation.scores import Attribute, Scores
from service import __main__ as command_line
from service import calibrate_command
from service.composition import open_context
from service.errors import Problem
from service.flow.calibrate import decided_rows
from service.flow.calibrations import maps_of
from service.flow.identify import find_site
from service.settings import Settings, SettingsError
from service.store import calibrations as stored
from service.store.tables import audit_events, calibrations, commenters, comments, decisions, revisions, scores, threads
from tests.seeding import START, id_at

MODEL = "drawn@1"
Run = Callable[..., str]


class DrawnScorer:
    """A model that says the number at the head of each text, twice as sure of itself as it should be."""

    model_id = MODEL
    languages = frozenset({"en"})
    attributes = (Attribute.TOXICITY, Attribute.INSULT)

    def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer each text's own number for both attributes."""
        found = [float(text.split()[0]) for text in texts]
        return [Scores(MODEL, False, {Attribute.TOXICITY: one, Attribute.INSULT: one}) for one in found]


@pytest.fixture
def settings(tmp_path: Path, sqlite_template: Path) -> Settings:
    """An installation with its tables, in a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(sqlite_template, home / "colloquy.db")
    return Settings.from_environment({"COLLOQUY_HOME": str(home), "REDIS_URL": "redis://127.0.0.1:1"})


@pytest.fixture
def run(settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with the drawn scorer plugged in and answer what it printed."""
    monkeypatch.setattr(calibrate_command, "build_scorer", lambda _: DrawnScorer())

    def call(*arguments: str) -> str:
        options: argparse.Namespace = command_line._parser(admin=True).parse_args(arguments)
        assert options.run(options, settings) == 0
        return capsys.readouterr().out

    return call


def drawn(rows: int, *, bend: float = 2.0, seed: int = 1) -> list[tuple[float, bool]]:
    """Draw values and labels, the values' log-odds being the true ones times a bend."""
    chance = random.Random(seed)
    true = [sigmoid(chance.gauss(-0.5, 1.5)) for _ in range(rows)]
    return [(sigmoid(bend * log_odds(one)), chance.random() < one) for one in true]


@pytest.fixture
def csv_of(tmp_path: Path) -> Callable[[list[tuple[float, bool]]], str]:
    """Write pairs as a CSV file and answer its path."""

    def write(pairs: list[tuple[float, bool]]) -> str:
        path = tmp_path / "labels.csv"
        lines = [f"{value!r} words of a reader,{int(label)}" for value, label in pairs]
        path.write_text("\n".join(["text,label", *lines]) + "\n")
        return str(path)

    return write


def rows_of(settings: Settings, table: sa.Table) -> list[Any]:
    """Answer all rows of a table, the oldest first."""

    async def read() -> list[Any]:
        async with open_context(settings) as context, context.database.reading() as connection:
            return list((await connection.execute(sa.select(table).order_by(table.c.id))).all())

    return asyncio.run(read())


def test_labels_make_a_calibration_for_every_site(run: Run, settings: Settings, csv_of: Any) -> None:
    """From labelled texts a map is fitted, reported with both tables and stored for the installation."""
    said = run("calibrate", "--csv", csv_of(drawn(1500)))
    assert "model drawn@1, attribute toxicity: 1500 rows of labels" in said
    assert said.count(" to ") >= 10
    assert "expected calibration error 0." in said
    [row] = rows_of(settings, calibrations)
    assert row.version in said
    assert (row.site_id, row.model_id, row.source, row.rows, row.retired_at) == (None, MODEL, "labels", 1500, None)
    assert Calibration(MODEL, maps_of(row.document)).version == row.version
    report = row.report["toxicity"]
    assert report["after"]["ece"] < report["before"]["ece"] / 2
    assert sum(one["count"] for one in report["before"]["table"]) == 1500
    assert [(event.action, event.subject) for event in rows_of(settings, audit_events)] == [
        ("calibration.stored", row.version)
    ]


def test_a_second_retires_the_first_and_keeps_other_attributes(run: Run, settings: Settings, csv_of: Any) -> None:
    """One calibration is in force for a model; a fit of one attribute carries the map of another over."""
    file = csv_of(drawn(1500))
    run("calibrate", "--csv", file)
    said = run("calibrate", "--csv", file, "--attribute", "insult")
    first, second = rows_of(settings, calibrations)
    assert f"in place of {first.version}" in said
    assert first.retired_at is not None
    assert second.retired_at is None
    assert second.document["toxicity"] == first.document["toxicity"]
    assert set(second.document) == set(second.report) == {"toxicity", "insult"}


def test_a_dry_run_stores_nothing(run: Run, settings: Settings, csv_of: Any) -> None:
    """With --dry-run the report is printed and the database stays as it was."""
    said = run("calibrate", "--csv", csv_of(drawn(500)), "--dry-run")
    assert "map: platt" in said
    assert "nothing was stored" in said
    assert rows_of(settings, calibrations) == []


def test_what_does_not_help_is_refused_unless_forced(run: Run, settings: Settings, csv_of: Any) -> None:
    """A model that is right already gets no calibration that held-out rows speak against, except by --force."""
    file = csv_of(drawn(300, bend=1.0, seed=4))
    with pytest.raises(SettingsError, match="worse after than before"):
        run("calibrate", "--csv", file)
    assert rows_of(settings, calibrations) == []
    run("calibrate", "--csv", file, "--force")
    assert len(rows_of(settings, calibrations)) == 1


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (drawn(50), r"50 rows, \d+ with label 1 and \d+ with label 0, are too few"),
        ([(0.1 + row / 1000, False) for row in range(200)], "200 rows, 0 with label 1 and 200 with label 0"),
    ],
)
def test_too_few_rows_are_refused_in_one_line(run: Run, csv_of: Any, pairs: Any, message: str) -> None:
    """Few rows, or one label only, are refused with the counts."""
    with pytest.raises(SettingsError, match=message) as caught:
        run("calibrate", "--csv", csv_of(pairs))
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_named(run: Run, csv_of: Any) -> None:
    """Neither source, an unknown site, an attribute that the model lacks and an absent file are each one line."""
    with pytest.raises(SettingsError, match="--site SLUG, --csv FILE, or both"):
        run("calibrate")
    with pytest.raises(SettingsError, match="No site"):
        run("calibrate", "--site", "absent")
    with pytest.raises(SettingsError, match=r"drawn@1 does not score threat; it scores toxicity, insult"):
        run("calibrate", "--csv", csv_of(drawn(200)), "--attribute", "threat")
    with pytest.raises(SettingsError, match="there is no such file"):
        run("calibrate", "--csv", "absent.csv")
    for option in (["--model", "another@1"], ["--reason", "toxicity"]):
        with pytest.raises(SettingsError, match="go with decisions"):
            run("calibrate", "--csv", csv_of(drawn(200)), *option)


def test_listed_and_retired(run: Run, settings: Settings, csv_of: Any) -> None:
    """`list` tells what was in force when and on what it stands; `retire` ends one, once."""
    run("calibrate", "--csv", csv_of(drawn(500)))
    [one] = json.loads(run("calibrate", "list"))
    assert (one["site"], one["model_id"], one["source"], one["rows"]) == (None, MODEL, "labels", 500)
    assert one["retired_at"] is None
    figures = one["attributes"]["toxicity"]
    assert figures["ece_after"] < figures["ece_before"]
    assert one["version"] in run("calibrate", "retire", one["id"])
    assert json.loads(run("calibrate", "list"))[0]["retired_at"] is not None
    with pytest.raises(SettingsError, match="No calibration with this id is in force"):
        run("calibrate", "retire", one["id"])
    assert [event.action for event in rows_of(settings, audit_events)] == ["calibration.stored", "calibration.retired"]


def test_shown_as_it_was_stored(run: Run, csv_of: Any) -> None:
    """`show` prints the tables of each attribute as the fit printed them, also after it was retired."""
    file = csv_of(drawn(500))
    first = run("calibrate", "--csv", file)
    run("calibrate", "--csv", file, "--attribute", "insult")
    replaced, one = json.loads(run("calibrate", "list"))
    said = run("calibrate", "show", one["id"])
    tables = [line for line in first.splitlines() if " to " in line or "error" in line or "loss" in line]
    assert [line for line in said.splitlines() if line in tables] == tables * 2
    assert "attribute toxicity: 500 rows" in said
    assert "attribute insult: 500 rows" in said
    assert "insult" not in run("calibrate", "show", replaced["id"])
    with pytest.raises(SettingsError, match="There is no calibration with this id"):
        run("calibrate", "show", "absent")


Act = tuple[str, str, list[str]]


class Desk:
    """Writes what a model said of comments and what was decided on them, straight into the tables."""

    def __init__(self, settings: Settings, run: Run, slug: str = "daily") -> None:
        self._settings, self._chance, self.slug = settings, random.Random(slug), slug
        run("site", "create", slug, "--name", slug, "--origin", "https://daily.example")

    def write(self, cases: Sequence[tuple[dict[str, Any], Sequence[Act]]]) -> None:
        """Each case is columns of the scores row, and (actor kind, action, reason codes) in the order of deciding."""
        asyncio.run(self._write(cases))

    def _id(self) -> str:
        return id_at(START, self._chance)

    async def _write(self, cases: Sequence[tuple[dict[str, Any], Sequence[Act]]]) -> None:
        async with open_context(self._settings) as context:
            site_id = (await find_site(context, self.slug)).id
            async with context.database.writing() as connection:
                thread, person = self._id(), self._id()
                of = {"site_id": site_id}
                made = of | {"created_at": START}
                await connection.execute(threads.insert(), made | {"id": thread, "page": thread, "state": "open"})
                await connection.execute(
                    commenters.insert(), of | {"id": person, "kind": "guest", "first_seen_at": START}
                )
                for said, acts in cases:
                    comment, revision = self._id(), self._id()
                    await connection.execute(comments.insert(), made | {
                        "id": comment, "thread_id": thread, "commenter_id": person, "path": comment,
                        "author_kind": "guest", "status": "held", "latest_revision": 1,
                    })  # fmt: skip
                    await connection.execute(revisions.insert(), made | {
                        "id": revision, "comment_id": comment, "number": 1, "status": "held", "body": "A text.",
                    })  # fmt: skip
                    await connection.execute(scores.insert(), of | {
                        "id": self._id(), "revision_id": revision, "model_id": MODEL, "calibrated": False,
                        "raw": None, "scored_at": START,
                    } | said)  # fmt: skip
                    for kind, action, codes in acts:
                        await connection.execute(decisions.insert(), made | {
                            "id": context.new_id(), "thread_id": thread, "comment_id": comment,
                            "revision_id": revision, "actor_kind": kind, "action": action, "from_status": "held",
                            "to_status": "published", "causes": [], "automated_detection": True,
                            "automated_decision": kind == "machine",
                            "reasons": [{"code": code, "text": "."} for code in codes],
                        })  # fmt: skip


def case(value: float, *acts: Act, raw: float | None = None, **more: Any) -> tuple[dict[str, Any], Sequence[Act]]:
    """Answer one case: a toxicity, what a calibration changed it from, and the acts."""
    return {"attributes": {"toxicity": value}, "raw": None if raw is None else {"toxicity": raw}} | more, acts


APPROVED: Act = ("moderator", "approve", [])
REJECTED: Act = ("moderator", "reject", ["toxicity"])
REMOVED: Act = ("moderator", "remove", ["spam"])


def pairs_seen(settings: Settings, *reasons: str, slug: str = "daily") -> list[tuple[float, bool]]:
    """Answer the values and labels that decisions of a site give, in rising order."""

    async def read() -> list[tuple[float, bool]]:
        async with open_context(settings) as context:
            site = await find_site(context, slug)
            rows = await decided_rows(context, site, MODEL, Attribute.TOXICITY, reasons)
            return sorted(zip(rows.values, rows.labels, strict=True))

    return asyncio.run(read())


def test_the_last_decision_of_a_person_is_the_label(run: Run, settings: Settings) -> None:
    """Approved and restored are 0, rejected and removed 1, by the last person's word; no machine's or doubt's."""
    Desk(settings, run).write([
        case(0.10, ("machine", "hold", []), APPROVED),
        case(0.20, ("machine", "hold", []), REJECTED),
        case(0.30, APPROVED, REMOVED),
        case(0.40, REJECTED, ("moderator", "restore", [])),
        case(0.50, ("machine", "reject", [])),
        case(0.60, APPROVED, ("moderator", "escalate", [])),
        case(0.70, APPROVED, ("author", "delete", [])),
        case(0.80, REJECTED, model_id="another@1"),
        case(0.90, REJECTED, raw=0.95),
        case(0.99, REJECTED, attributes={"insult": 0.99}),
    ])  # fmt: skip
    assert pairs_seen(settings) == [
        (0.1, False), (0.2, True), (0.3, True), (0.4, False), (0.7, False), (0.95, True)
    ]  # fmt: skip


def test_reasons_narrow_what_counts_as_one(run: Run, settings: Settings) -> None:
    """With --reason a removal as spam says nothing about toxicity and is left out."""
    Desk(settings, run).write([case(0.1, APPROVED), case(0.2, REMOVED), case(0.9, REJECTED)])
    assert pairs_seen(settings, "toxicity") == [(0.1, False), (0.9, True)]


def test_another_sites_decisions_do_not_count(run: Run, settings: Settings) -> None:
    """What was decided on one site is not in the rows of another."""
    Desk(settings, run).write([case(0.1, APPROVED)])
    Desk(settings, run, "other").write([case(0.9, REJECTED)])
    assert pairs_seen(settings) == [(0.1, False)]


def test_decisions_make_a_calibration_of_their_site(run: Run, settings: Settings) -> None:
    """From decisions a site gets a calibration of its own, and the report warns of what was never looked at."""
    Desk(settings, run).write([case(value, REJECTED if label else APPROVED) for value, label in drawn(400)])
    said = run("calibrate", "--site", "daily")
    assert "400 rows of decisions" in said
    assert "taken down for: toxicity" in said
    assert "people mostly see what was held" in said
    [row] = rows_of(settings, calibrations)
    assert (row.source, row.rows, row.created_by) == ("decisions", 400, "cli")
    assert row.site_id is not None
    assert json.loads(run("calibrate", "list"))[0]["site"] == "daily"


def test_one_that_cannot_be_read_is_not_carried_over(run: Run, settings: Settings, csv_of: Any) -> None:
    """Maps of another version are neither lost in silence nor a traceback: they are to be retired first."""

    async def spoil() -> None:
        async with open_context(settings) as context, context.database.writing() as connection:
            values = {
                "id": context.new_id(), "site_id": None, "model_id": MODEL, "version": "sha256:0",
                "document": {"toxicity": {"type": "unknown"}}, "report": {}, "source": "labels", "rows": 1,
                "created_at": context.now(), "created_by": None,
            }  # fmt: skip
            await stored.replace(connection, values)

    asyncio.run(spoil())
    with pytest.raises((SettingsError, Problem), match="retire it first"):
        run("calibrate", "--csv", csv_of(drawn(500)))
