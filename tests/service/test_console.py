"""The console's own routes: its files, and what lies on a moderator's desk beside the queue."""

import re
from collections import Counter

import pytest

from service.routes.console import ENTRY, FOLDER, built
from service.routes.squeeze import joined
from tests.service.answers import problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

MOST_BYTES = 60 * 1024
MODULES = sorted({*FOLDER.rglob("*.js")} - {*FOLDER.glob("i18n/*.js"), FOLDER / "theme.js"})
_DECLARED = re.compile(r"^(?:export )?(?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)
_EXPORTED = re.compile(r"^export (?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)
_IMPORTED = re.compile(r'^import \{ ([^}]*) \} from "([^"]+)";$', re.MULTILINE)


async def test_the_console_is_served_with_a_strict_policy_and_an_etag(service: Service) -> None:
    """Page, scripts and styles come with their types, run nothing of anybody else's, and are sent once."""
    for name, kind in (("", "text/html"), ("/app.js", "text/javascript"), ("/css/frame.css", "text/css")):
        answer = await service.call("GET", f"/console{name}", expect=200)
        assert answer.headers["content-type"].startswith(kind)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        again = await service.call("GET", f"/console{name}", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "views", "api.js", "i18n/fr.js", "..%2f..%2froutes%2fpages.py"])
async def test_nothing_else_is_served_there(service: Service, name: str) -> None:
    """A name that is no file of the console is unknown, and none climbs out of its folder."""
    problem(await service.call("GET", f"/console/{name}"), "route.unknown")


async def test_the_home_page_leads_to_the_console(service: Service) -> None:
    """Who opens an installation finds where moderators sign in."""
    assert 'href="/console"' in (await service.call("GET", "/", expect=200)).text


async def test_a_moderator_reads_the_desk(service: Service) -> None:
    """The site's name, its reasons with their sentences, its words and how it undoes are a moderator's to know."""
    desk = (await service.call("GET", "/v1/review/test/desk", as_="moderator", expect=200)).json()
    assert (desk["site"], desk["blur"], desk["undo_seconds"], desk["words"]) == ("test", True, 300, [])
    assert {"code": "insult", "text": "This comment insults someone."} in desk["reasons"]
    problem(await service.call("GET", "/v1/review/test/desk"), "auth.required")


def test_the_console_is_small() -> None:
    """All of it, with both languages, has fewer than 60 KB as it is served."""
    sizes = {name: len(file.packed) for name, file in built().items()}
    assert sum(sizes.values()) < MOST_BYTES, sizes


def test_its_modules_can_be_joined() -> None:
    """No two modules declare the same name at the top, none renames an import, and what is joined imports no module."""
    names = Counter(name for path in MODULES for name in _DECLARED.findall(path.read_text()))
    assert [name for name, number in names.items() if number > 1] == []
    assert re.search(r"^import\b", joined(FOLDER / ENTRY), re.MULTILINE) is None
    assert "import(" not in joined(FOLDER / ENTRY).replace("import(`./i18n/", "")
    for path in MODULES:
        imports = [line for line in path.read_text().split("\n") if line.startswith("import")]
        assert not any(" as " in line or not line.endswith('.js";') for line in imports), path


def test_every_module_of_the_console_is_served_and_says_what_it_needs() -> None:
    """Each module is joined, and each name that it imports is exported where it says, so that it runs by itself too."""
    whole = joined(FOLDER / ENTRY)
    for path in MODULES:
        assert path.read_text().split("\n")[0] in whole, path
        for names, file in _IMPORTED.findall(path.read_text()):
            other = (path.parent / file).read_text()
            exported = {*_EXPORTED.findall(other)}
            assert {name.strip() for name in names.split(",")} <= exported, (path, file)


def test_no_module_is_long_and_none_makes_markup() -> None:
    """Each module is short enough to be read at once, and what readers wrote becomes no markup."""
    for path in MODULES:
        text = path.read_text()
        assert len(text.split("\n")) <= 260, path
        code = "\n".join(line for line in text.split("\n") if not line.strip().startswith("//"))
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", code), (
            path
        )
