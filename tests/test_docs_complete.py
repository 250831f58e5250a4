"""The documentation names all that there is, and nothing that there is not: words, commands, pages, pictures."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from moderation.decision import Status
from moderation.presets import PRESETS
from moderation.rules import Signal
from moderation.scores import Attribute
from moderation.verdict import CauseKind
from service import __main__ as command_line
from service import schemas
from service.demo import discussion
from service.schemas.limits import Rates
from service.schemas.reports import AppealOutcome, ReportOutcome, ReportReason
from service.schemas.review_settings import ItemKind
from service.schemas.sanctions import SanctionKind
from tests.test_docs import DOCUMENTS, ROOT, relative_links

DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
PICTURES = sorted((DOCS / "images").iterdir())
LARGEST_PICTURE_BYTES = 250_000
#: What a shell would do with the rest of the line is none of the command's arguments.
END_OF_COMMAND = re.compile(r"\s(?:[|>&;#]|2>)|[`)…]|\s\s+#")
#: What those commands are called elsewhere: in compose files and in the quick start's own function.
RUNS = re.compile(r"(?:-m service|exec (?:api|worker) python -m service)\s+(?=[a-z])([^\n]+)")
OWN_FUNCTION = re.compile(r"(?m)^colloquy (?=[a-z])([^\n]+)")


def rows(page: str) -> dict[str, str]:
    """Answer the rows of all tables of a page by the words in code of their first cell."""
    text = (DOCS / page).read_text()
    found: dict[str, str] = {}
    for first, rest in re.findall(r"^\| (`.+?) \| (.*)$", text, flags=re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"`([\w.-]+)`", first), rest)
    return found


def struct_fields(kind: type[msgspec.Struct]) -> set[str]:
    """Answer the names of a struct's fields."""
    return set(kind.__struct_fields__)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("policy.md", {one.value for one in Signal}),
        ("policy.md", {one.value for one in Attribute}),
        ("policy.md", set(PRESETS) - {"default"}),
        ("concepts.md", {one.value for one in Status}),
        ("moderators.md", {one.value for one in CauseKind}),
        ("moderators.md", set(get_args(SanctionKind))),
        ("api.md", set(get_args(ItemKind))),
        ("reports.md", set(get_args(ReportReason)) | set(get_args(ReportOutcome)) | set(get_args(AppealOutcome))),
        ("privacy.md", struct_fields(schemas.Retention)),
        ("queue.md", struct_fields(schemas.ReviewSettings)),
        ("spam.md", struct_fields(schemas.SpamInput) - {"akismet_key"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_table_explains_each(page: str, words: set[str]) -> None:
    """Each word that a policy, an answer or a setting may hold begins a row of the page about it."""
    assert sorted(words - set(rows(page))) == []


def test_the_limits_are_documented_as_they_are() -> None:
    """Each limit has a row with its number and its time, and a route by which it is set."""
    told = rows("security.md")
    for name in Rates.__struct_fields__:
        rate = getattr(Rates(), name)
        assert told[name].startswith(f"{rate.limit:,} in {rate.per_seconds:,} s |"), name
        assert f"`{name}`" in (DOCS / "api.md").read_text()


def test_the_fields_of_a_site_are_documented() -> None:
    """Who makes a site by API finds every field that it may have."""
    text = (DOCS / "api.md").read_text()
    fields = struct_fields(schemas.SiteInput) | struct_fields(schemas.SiteChange)
    assert sorted(field for field in fields if f"`{field}`" not in text) == []


def test_the_index_leads_to_every_page() -> None:
    """From the index of the documentation one comes to each of its pages, and the README leads to the index."""
    linked = {target for target, _ in relative_links(INDEX)}
    pages = {path for path in DOCS.glob("*.md") if path != INDEX}
    assert sorted(path.name for path in pages - linked) == []
    assert INDEX in {target for target, _ in relative_links(ROOT / "README.md")}


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_small_and_shown(path: Path) -> None:
    """Each picture is loaded quickly, and some document shows it."""
    assert path.stat().st_size <= LARGEST_PICTURE_BYTES
    assert [document for document in DOCUMENTS if path in {target for target, _ in relative_links(document)}]


def written_commands(document: Path) -> Iterator[list[str]]:
    """Yield the words behind `python -m service`, wherever a document writes it down."""
    text = document.read_text()
    for found in (*RUNS.findall(text), *(OWN_FUNCTION.findall(text) if document.name == "quickstart.md" else ())):
        written = END_OF_COMMAND.split(found, maxsplit=1)[0]
        # A quotation mark that ends elsewhere belongs to the line around the command.
        yield shlex.split(written) if written.count('"') % 2 == 0 == written.count("'") % 2 else written.split()


def subparser(parser: argparse.ArgumentParser, word: str) -> argparse.ArgumentParser | None:
    """Answer the parser of a command's next word, None where it has none."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices.get(word)
    return None


def has_words(parser: argparse.ArgumentParser) -> bool:
    """Answer whether a command needs another word."""
    return any(isinstance(action, argparse._SubParsersAction) and action.required for action in parser._actions)


def refusal(words: list[str], parser: argparse.ArgumentParser) -> str:
    """Answer what is wrong with a written command: a word or an option that there is not; empty where nothing is."""
    here = parser
    for word in words:
        below = subparser(here, word)
        if below is not None:
            here = below
        elif word.startswith("--"):
            option = word.partition("=")[0]
            if not any(option in action.option_strings for action in here._actions):
                return option
        elif has_words(here):
            return word
    return "" if here is not parser else "no command"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_written_commands_exist(document: Path) -> None:
    """Each command that a document writes down is one, with options that it takes."""
    parser = command_line._parser(admin=True)
    wrong = [(words, why) for words in written_commands(document) if (why := refusal(words, parser))]
    assert wrong == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_measurements_exist(document: Path) -> None:
    """Each module of ours that a document tells to run is there, so that its figures can be had again."""
    named = set(re.findall(r"-m ((?:bench|training|tests)[\w.]*\w)", document.read_text()))
    paths = {name: ROOT / name.replace(".", "/") for name in named}
    assert [name for name, path in paths.items() if not path.is_dir() and not path.with_suffix(".py").exists()] == []


def test_the_check_of_commands_can_fail() -> None:
    """A word or an option that no command has is found."""
    parser = command_line._parser(admin=True)
    assert refusal(["site", "creat", "daily"], parser) == "creat"
    assert refusal(["site", "create", "daily", "--orign", "x"], parser) == "--orign"
    assert refusal(["dem", "--discussion"], parser) == "dem"
    assert not refusal(["site", "create", "daily", "--name", "The Daily", "--origin", "x"], parser)


def test_the_size_of_the_discussion_is_the_one_told() -> None:
    """The README and the quick start tell how many comments the discussion has."""
    for page in (ROOT / "README.md", DOCS / "quickstart.md"):
        assert f"{len(discussion.load())} comments" in page.read_text()
