"""Labels from suggestscore are fitted on and reported by community: each text's last one, and no other site's."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from moderation.scores import Attribute
from service.calibrate_command import community_lines
from service.composition import open_context
from service.flow.identify import find_site
from service.flow.suggested import Labelled, labelled, quality, rows_of
from service.settings import Settings, SettingsError
from service.store import suggestions
from service.store.tables import api_tokens, calibrations
from tests.seeding import START
from tests.service.test_calibrate_command import MODEL, Run, drawn, run, settings
from tests.service.test_calibrate_command import rows_of as stored_rows

__all__ = ["run", "settings"]
Suggest = Callable[..., None]


@pytest.fixture
def suggest(settings: Settings, run: Run) -> Suggest:
    """Make two sites, and put labels into one of them as suggestscore does."""
    for slug in ("daily", "other"):
        run("site", "create", slug, "--name", slug, "--origin", "https://daily.example")

    async def write(rows: Sequence[dict[str, Any]], slug: str) -> None:
        async with open_context(settings) as context:
            site, token = await find_site(context, slug), context.new_id()
            made = {"site_id": site.id, "created_at": START}
            async with context.database.writing() as connection:
                await connection.execute(
                    api_tokens.insert(),
                    made | {"id": token, "name": "Coral", "scopes": ["analyze"], "token_hash": token},
                )
                empty = dict.fromkeys(("community_id", "client_token", "text_hash", "text", "language"))
                usual = {"attribute": "toxicity", "value": 1.0, "our_score": 0.5, "model_id": MODEL, "token_id": token}
                await suggestions.insert(
                    connection, [made | empty | usual | {"id": context.new_id()} | row for row in rows]
                )

    def call(*rows: dict[str, Any], slug: str = "daily") -> None:
        asyncio.run(write(rows, slug))

    return call


def seen(settings: Settings, community: str | None = None) -> list[tuple[float | None, bool]]:
    """Answer the values and labels of toxicity on the site, in rising order."""

    async def read() -> list[Labelled]:
        async with open_context(settings) as context:
            return await labelled(context, await find_site(context, "daily"), Attribute.TOXICITY, community)

    return sorted(((one.value, one.label) for one in asyncio.run(read())), key=lambda pair: pair[0] or 0.0)


def test_the_last_word_on_a_text_is_its_label(suggest: Suggest, settings: Settings) -> None:
    """A client's id and the text's hash tell texts apart; from one half on a value is a yes."""
    suggest(
        {"our_score": 0.1, "client_token": "comment:1", "text_hash": "a", "value": 1.0},
        {"our_score": 0.2, "client_token": "comment:1", "text_hash": "a", "value": 0.0},
        {"our_score": 0.3, "client_token": "comment:1", "text_hash": "b", "value": 0.5},
        {"our_score": 0.4, "client_token": "comment:2", "text_hash": "a", "value": 0.49},
        {"our_score": 0.5}, {"our_score": 0.6, "value": 0.0},
        {"our_score": 0.7, "attribute": "insult"},
    )  # fmt: skip
    assert seen(settings) == [(0.2, False), (0.3, True), (0.4, False), (0.5, True), (0.6, False)]


def test_one_community_and_one_site(suggest: Suggest, settings: Settings) -> None:
    """Labels of another community are left out where one is named, and those of another site always."""
    suggest({"our_score": 0.1, "community_id": "a"}, {"our_score": 0.2, "community_id": "b"}, {"our_score": 0.3})
    suggest({"our_score": 0.9, "community_id": "a"}, slug="other")
    assert seen(settings, "a") == [(0.1, True)]
    assert len(seen(settings)) == 3


def test_many_labels_come_in_pages(suggest: Suggest, settings: Settings) -> None:
    """More labels than one page holds are all read, once."""
    suggest(*({"our_score": number / 3000} for number in range(2500)))
    assert len(seen(settings)) == 2500


def test_no_text_leaves_the_database(suggest: Suggest, settings: Settings) -> None:
    """Of many labels no text comes into memory, nor one of another attribute."""
    suggest({"text": "a text"}, {"text": "another", "attribute": "insult"})

    async def read() -> Sequence[Any]:
        async with open_context(settings) as context:
            site = await find_site(context, "daily")
            async with context.database.reading() as connection:
                return await suggestions.after(connection, site.id, "toxicity")

    [row] = asyncio.run(read())
    assert "text" not in row._fields
    assert "a text" not in row


def test_labels_are_grouped_in_one_pass() -> None:
    """However many communities there are, each label is looked at once to find its own."""
    looked: list[str] = []

    class Counted:
        label, model_id, value = True, MODEL, 0.5

        def __init__(self, name: str) -> None:
            self._name = name

        @property
        def community(self) -> str:
            looked.append(self._name)
            return self._name

    found: Any = [Counted(str(number % 50)) for number in range(200)]
    assert len(quality(MODEL, found)) == 50
    assert len(looked) == 200


def test_only_what_the_model_has_scored_is_fitted_on() -> None:
    """A label beside no score, or beside another model's, tells nothing about this one."""
    found = [Labelled("", True, MODEL, 0.9), Labelled("", True, None, None), Labelled("", False, "another@1", 0.1)]
    assert (rows_of(MODEL, found).values, rows_of(MODEL, found).labels) == ([0.9], [True])


def test_a_communitys_quality() -> None:
    """Each community has its labels, ranking and thresholds, the largest first; a figure that is none is a dash."""
    found = [Labelled("b\x1b[31m", label, MODEL, value) for value, label in [(0.9, True), (0.8, False), (0.1, False)]]
    found += [Labelled("", True, None, None)]
    first, second = quality(MODEL, found)
    assert (first.labels, first.scored, first.positive, first.auc) == (3, 3, 1, 1.0)
    assert [(at.ours, at.theirs, at.both) for at in first.at] == [(2, 1, 1)] * 3
    assert (second.labels, second.scored, second.auc, second.ece) == (1, 0, None, None)
    header, *lines = community_lines([first, second])
    assert "found at 0.7" in header
    assert lines[0].startswith("b?[31m ")
    assert lines[1].split()[:6] == ["(none)", "1", "0", "0", "-", "-"]
    assert list(community_lines([])) == ["no suggested scores yet"]


def test_suggestions_make_a_calibration_of_their_site(suggest: Suggest, run: Run, settings: Settings) -> None:
    """The report by community comes first, then the fit, which is stored for the site and says what it stands on."""
    suggest(*(
        {"our_score": value, "value": float(label), "community_id": f"Coral:{number % 2}"}
        for number, (value, label) in enumerate(drawn(400))
    ))  # fmt: skip
    said = run("calibrate", "--site", "daily", "--suggestions")
    assert said.count("Coral:") == 2
    assert "400 rows of suggestions" in said
    assert "which is mostly what scored high" in said
    [row] = stored_rows(settings, calibrations)
    assert (row.source, row.rows, row.report["toxicity"]["source"]) == ("labels", 400, "suggestions")
    assert row.site_id is not None
    said = run("calibrate", "--site", "daily", "--suggestions", "--community", "Coral:1", "--dry-run")
    assert "200 rows of suggestions" in said


def test_what_does_not_go_together_is_one_line(suggest: Suggest, run: Run) -> None:
    """Suggestions belong to a site and bring their labels; too few are refused after the report."""
    for options in (["--suggestions"], ["--site", "daily", "--suggestions", "--reason", "spam"]):
        with pytest.raises(SettingsError, match="--suggestions goes with --site"):
            run("calibrate", *options)
    with pytest.raises(SettingsError, match="goes with --suggestions"):
        run("calibrate", "--site", "daily", "--community", "a")
    suggest({"our_score": 0.5})
    with pytest.raises(SettingsError, match="are too few"):
        run("calibrate", "--site", "daily", "--suggestions")
