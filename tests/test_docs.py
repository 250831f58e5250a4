"""The documentation is held to the code, and the README's tour is run."""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest

from moderation.policy import default_policy
from moderation.rules import BUILT_IN_REASONS
from service import VERSION, settings_command
from service import __main__ as command_line
from service.app import create_litestar, own_handlers
from service.errors import CODES
from service.settings import Settings
from tests.journey.harness import Installation
from tests.programs import need_program

ROOT = Path(__file__).parent.parent
API, OPERATIONS = ROOT / "docs/api.md", ROOT / "docs/operations.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "moderation/models").glob("*.md")])
PAGES = sorted((ROOT / "service/static").rglob("*.*"))
LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
NEXT = "==== next block ===="


def without_code(text: str) -> str:
    """Answer a document without its fenced blocks, in which brackets mean other things."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """Answer the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_code(document.read_text()), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def relative_links(document: Path) -> Iterator[tuple[Path, str]]:
    """Yield where the links to other files and headings lead."""
    for match in LINK.finditer(without_code(document.read_text())):
        target = match.group(1) or match.group(2)
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield (document.parent / path).resolve() if path else document, anchor


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Every link to a file of the project leads to one, and to a heading that it has."""
    for target, anchor in relative_links(document):
        assert target.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(target), f"{target.name} has no heading #{anchor}"


@pytest.mark.parametrize(
    ("path", "lines", "how"),
    [("docs/settings.md", settings_command.markdown, "--markdown"), (".env.example", settings_command.env, "--env")],
    ids=["page", "file"],
)
def test_the_pages_of_the_settings_are_current(path: str, lines: Callable[[], Iterator[str]], how: str) -> None:
    """Both are what the code would write now, and name every setting."""
    text = "".join(f"{line}\n" for line in lines())
    assert (ROOT / path).read_text() == text, f"python -m service settings {how} > {path}"
    assert [field for field in Settings.__struct_fields__ if field.upper() not in text] == []


def test_every_part_of_the_settings_begins_with_one() -> None:
    """The parts of the page name settings that there are, in their order, and the first is the first."""
    fields = list(Settings.__struct_fields__)
    begins = [fields.index(name) for name in settings_command.PARTS]
    assert begins == sorted(begins)
    assert begins[0] == 0


def test_every_error_code_is_documented() -> None:
    """The table of errors has each code with its status, and no other."""
    rows = re.findall(r"^\| `([a-z_]+\.?[a-z_]*)` \| (\d{3}) \|", API.read_text(), flags=re.MULTILINE)
    assert {code: int(status) for code, status in rows} == {code: status for code, (status, _) in CODES.items()}


def test_every_route_is_documented() -> None:
    """Each method and path that is served is named in the API page, and no other."""
    app = create_litestar(Settings.from_environment({}))
    served = {
        f"{method} {re.sub(r':[a-z]+}', '}', path)}"
        for handler in own_handlers(app)
        for path in handler.paths
        for method in getattr(handler, "http_methods", ())
    }
    named = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^\s`?]*)`", API.read_text()))
    assert named - {"GET /schema"} == {route for route in served if not route.startswith("OPTIONS")}


def commands(parser: argparse.ArgumentParser, name: str = "python -m service") -> Iterator[str]:
    """Yield every command of a command line that its help lists."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield name
    for group in groups:
        for listed in group._choices_actions:
            yield from commands(group.choices[listed.dest], f"{name} {listed.dest}")


def test_every_command_is_documented() -> None:
    """Each command that the help lists is named in the operations page."""
    text = OPERATIONS.read_text()
    found = list(commands(command_line._parser(admin=True)))
    assert len(found) > 10
    assert [command for command in found if f"`{command}" not in text] == []


def test_every_default_reason_is_documented() -> None:
    """Moderators find the sentence that the author will read beside each code of the default policy."""
    text = (ROOT / "docs/moderators.md").read_text()
    for reason in default_policy().reasons:
        assert f"| `{reason.code}` | {reason.text} |" in text


def test_the_built_in_reasons_are_documented() -> None:
    """Who writes a policy finds the sentence of each reason that every policy has."""
    text = (ROOT / "docs/policy.md").read_text()
    for reason in BUILT_IN_REASONS:
        assert re.search(rf"^\| `{reason.code}` \| .+ \| {re.escape(reason.text)} \|$", text, flags=re.MULTILINE)


def test_named_targets_exist() -> None:
    """Each `make` target that a document names is one of the Makefile's."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {name for path in DOCUMENTS for name in re.findall(r"`(?:\w+=\S+ )?make ([a-z]+)", path.read_text())}
    assert {"run", "test", "check", "setup", "help"} <= named <= targets


def test_the_size_of_the_model_is_the_one_shipped() -> None:
    """The README states the size of the weights in the repository."""
    size = (ROOT / "moderation/models/hashed.bin").stat().st_size
    assert f"{size:,} bytes" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("path", [*DOCUMENTS, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_path_of_a_developers_machine(path: Path) -> None:
    """No document or page names a folder of the machine that it was written on."""
    text = path.read_text()
    here = {str(ROOT), str(ROOT.parent), str(Path.home())} - {"/"}
    assert [place for place in here if f"{place}/" in text] == []
    assert re.findall(r"(?<![\w.:/])/(?:home|Users|tmp)/\w+", text) == []


def test_the_changelog_has_this_version() -> None:
    """The changelog has a part for what is coming and one for the version that pyproject.toml and the code name."""
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert version is not None
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[:2] == ["Unreleased", version.group(1)]
    assert version.group(1) == VERSION


def test_decision_records_are_numbered_in_a_row() -> None:
    """Decision records have the numbers 1, 2, 3 ... and each begins with its own."""
    records = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        assert path.read_text().startswith(f"# {path.name[:4]}: ")


def blocks(document: Path, heading: str) -> list[str]:
    """Answer the blocks of shell under a heading of a document."""
    _, _, after = document.read_text().partition(f"\n{heading}\n")
    level = heading.partition(" ")[0]
    return re.findall(r"^```sh\n(.*?)^```", after.partition(f"\n{level} ")[0], flags=re.MULTILINE | re.DOTALL)


async def paste(script: list[str], home: Path) -> list[Any]:
    """Run blocks in one shell, as somebody who pastes them; answer the JSON that each prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = await anyio.run_process(
        ["sh", "-c", "set -eu\n" + f"echo '{NEXT}'\n".join(script)],
        env={"PATH": path, "COLLOQUY_HOME": str(home)},
        cwd=home.parent,
    )
    return [json.loads(printed or "null") for printed in shell.stdout.decode().split(NEXT)]


TOUR = blocks(ROOT / "README.md", "## A tour with curl")
ADMIN = blocks(API, "### With curl")
OTHERS_RUDE = {"body": "You are an idiot and you know it.", "author": {"name": "Mallory"}}


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_tour_works_when_pasted(tmp_path: Path) -> None:
    """The README's blocks submit, hold, claim, approve and count, after another was rude, and say if none is free."""
    need_program("curl", package="curl")
    home = tmp_path / "home"
    async with Installation(home) as installation:
        await installation.start()
        comments = f"/v1/sites/demo/threads/{quote(installation.demo['page'], safe='')}/comments"
        rude = await installation.client.post(comments, json=OTHERS_RUDE, headers={"prefer": "wait=5"})
        assert rude.json()["comment"]["status"] == "held"
        silent, civil, thread, borderline, claim, decided, counts = await paste(TOUR, home)
        nothing = await anyio.run_process(["sh", "-c", f"CLAIM='{{}}'\n{TOUR[0]}{TOUR[5]}"], check=False,
                                          env={**os.environ, "COLLOQUY_HOME": str(home)})  # fmt: skip
    assert silent is None
    assert civil["comment"]["status"] == "published"
    assert civil["author_token"]
    assert [comment["id"] for comment in thread["comments"]] == [civil["comment"]["id"]]
    assert borderline["comment"]["status"] == "held"
    assert [reason["code"] for reason in borderline["comment"]["reasons"]] == ["toxicity"]
    assert [item["comment"]["author"]["name"] for item in claim["items"]] == ["Mallory", "Bob"]
    assert decided["comment"]["id"] == borderline["comment"]["id"]
    assert decided["comment"]["status"] == "published"
    assert counts == {"counts": {installation.demo["page"]: 2}}
    assert nothing.stderr.decode().strip() == "nothing of Bob to claim"


@pytest.mark.parametrize("name", ["perspective.md", "security.md"])
def test_proxies_in_the_documents_log_no_key_and_tell_who_asks(name: str) -> None:
    """Each proxy shown passes the client's address on, and one for Perspective's path keeps keys out of logs."""
    text = (ROOT / "docs" / name).read_text()
    blocks = [block for block in re.findall(r"```nginx\n(.*?)```", text, re.DOTALL) if "proxy_pass" in block]
    assert any("/v1alpha1/" in block for block in blocks)
    for block in blocks:
        assert "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;" in block
        if "/v1alpha1/" in block:
            for line in ("access_log off;", "error_log /dev/null;", "set $args $perspective_query;"):
                assert line in block
            # Before the query is cut, since the key is read from it.
            assert block.index("set $sent_key $perspective_key;") < block.index("set $args ")
            assert "proxy_set_header X-Goog-Api-Key $sent_key;" in block


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_admin_examples_work_when_pasted(tmp_path: Path) -> None:
    """The API page's blocks make and change a site, a thread, a policy, a member and a key on a fresh demo."""
    need_program("curl", package="curl")
    home = tmp_path / "home"
    async with Installation(home) as installation:
        await installation.start()
        silent, site, emergency, thread, closed, policy, key = await paste(ADMIN, home)
        queue = f"/v1/review/{site['slug']}/queue"
        seen = await installation.client.get(queue, headers={"authorization": f"Bearer {key['token']}"})
    assert silent is None
    assert emergency == site | {"emergency_pre_moderation": True}
    assert closed == thread | {"state": "closed", "version": closed["version"]}
    assert thread["page"] == "https://daily.example/article?id=3"
    assert (policy["overrides_thread"], policy["policy"]["mode"]) == (True, "pre-moderation")
    assert seen.status_code == 200
