"""The widget as it is served: few bytes, to any origin, each part kept for good under the name of its build."""

import re
from collections import Counter

import pytest

from service.routes.squeeze import joined, shortened_script, squeezed_script, squeezed_style
from service.routes.widget import ENTRY, FOLDER, INNER, LANGUAGES, built
from tests.service.answers import problem
from tests.service_fixture import Service

MOST_BYTES = 15 * 1024
_DECLARED = re.compile(r"^(?:export )?(?:default )?(?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)
_KEY = re.compile(r'(?:^  |, )"?(\w+)"?: "')
_FORMS = {"en": {1, 2}, "de": {1, 2}, "fr": {1, 2}, "es": {1, 2}, "ar": {1, 6}}


def test_all_that_a_reader_loads_is_small() -> None:
    """Code, style and the largest language have at most 15 KB together, as they are served."""
    sizes = {name: len(file.packed) for name, file in built()[1].items()}
    languages = {f"{language}.js" for language in LANGUAGES}
    code = sum(size for name, size in sizes.items() if name not in languages)
    assert code + max(sizes[name] for name in languages) <= MOST_BYTES, sizes


@pytest.mark.anyio
async def test_any_page_may_load_it_and_keep_it(service: Service) -> None:
    """The module is asked for again after an hour, its parts never; both come packed, with an ETag, to any origin."""
    answer = await service.call("GET", "/widget.js", expect=200)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["cache-control"].startswith("public, max-age=3600")
    again = await service.call("GET", "/widget.js", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await service.call("GET", "/widget.js", headers={"accept-encoding": "identity"})
    assert plain.text == answer.text
    build = built()[0]
    assert f"widget/{build}/" in answer.text
    part = await service.call("GET", f"/widget/{build}/thread.js", expect=200)
    assert "immutable" in part.headers["cache-control"]
    old = await service.call("GET", "/widget/0123456789/thread.js", expect=200)
    assert (old.text, old.headers["cache-control"]) == (part.text, "no-cache")


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["widget.js", "style.css", "nothing.js", "a/b/thread.js", "..%2f..%2fapp.py"])
async def test_nothing_else_is_served_there(service: Service, name: str) -> None:
    """A name that is no part is unknown, and none climbs out of the folder."""
    problem(await service.call("GET", f"/widget/{name}"), "route.unknown")


def test_modules_can_be_joined() -> None:
    """No two modules declare the same name at the top, none renames an import, and the joined text imports nothing."""
    names = Counter(name for path in FOLDER.glob("*.js") if path.stem not in LANGUAGES and path.name != ENTRY
                    for name in _DECLARED.findall(path.read_text()))  # fmt: skip
    assert [name for name, number in names.items() if number > 1] == []
    whole = joined(FOLDER / "thread.js")
    assert re.search(r"^import\b|^export (?!default)", whole, re.MULTILINE) is None
    assert not any(" as " in line for path in FOLDER.glob("*.js") for line in path.read_text().split("\n")
                   if line.startswith("import"))  # fmt: skip


def test_no_module_is_long() -> None:
    """Each module is short enough to be read at once, and every line ends a statement or opens one."""
    for path in FOLDER.glob("*.js"):
        assert len(path.read_text().split("\n")) <= 260, path


def test_squeezing_changes_no_meaning() -> None:
    """White space and comments go; texts, templates, patterns and what must stand apart stay."""
    given = 'a = b + +c; // why\nif (x) { y(); }\nconst r = /[/]\\/ x/g.test(a), s = "a  // b";\nreturn `a ${ b }  c`;'
    wanted = 'a=b+ +c;if(x){y()}const r=/[/]\\/ x/g.test(a),s="a  // b";return`a ${ b }  c`;'
    assert squeezed_script(given) == wanted
    style = "/* why */ a > b, :is(c) { margin: 0 calc(1px + 2px); }\n"
    assert squeezed_style(style) == "a>b,:is(c){margin:0 calc(1px + 2px)}"


def test_shortening_renames_only_variables() -> None:
    """What is declared gets a short name everywhere, in templates too; no property and no other's word is touched."""
    given = (
        "const found=one(a);const name={found:1,...found,b:[name]};const key=x.key?.found;let text=`${text}`;f(text)"
    )
    assert shortened_script(given) == (
        "let found=one(a);let d={found:1,...found,b:[d]};let key=x.key?.found;let c=`${c}`;f(c)"
    )
    given = "function read(list,{page=list}){const total=list.map((one)=>total+one);return total}"
    assert shortened_script(given) == "function d(a,{page=a}){let b=a.map((c)=>b+c);return b}"
    assert shortened_script("app.inner=({inner})=>inner.outer", frozenset(["inner"])) == "app.a=({a})=>a.outer"


def test_no_text_names_what_is_renamed() -> None:
    """A property that is served under a short name is named in no text, where it would keep its long one."""
    texts = re.findall(r'"[^"\n]*"', "".join(path.read_text() for path in FOLDER.glob("*.js")))
    code = "".join(joined(FOLDER / name) for name in (ENTRY, "thread.js"))
    assert [name for name in INNER for text in texts if text == f'"{name}"'] == []
    assert [name for name in INNER if not re.search(rf"\b{name}\b", code)] == []


def test_every_language_says_everything() -> None:
    """Each language has every message, in as many forms as it has plurals, and all are said somewhere."""
    said = {
        language: dict(re.findall(r'"?(\w+)"?: "([^"]*)"', (FOLDER / f"{language}.js").read_text()))
        for language in LANGUAGES
    }
    code = "".join(path.read_text() for path in FOLDER.glob("*.js") if path.stem not in LANGUAGES)
    for language, messages in said.items():
        assert messages.keys() == said["en"].keys(), language
        assert all(len(message.split("|")) in _FORMS[language] for message in messages.values()), language
    held = {"published", "pending", "held", "rejected", "removed", "unsent", "waiting", "confirmed"}
    held |= {"insult", "hate", "threat", "spam", "off_topic", "privacy", "illegal_content", "other"}
    held |= {"staff", "verified", "expert"}
    unsaid = [key for key in said["en"] if key not in held and f'"{key}"' not in code]
    assert unsaid == []


def test_nothing_of_a_reader_becomes_markup() -> None:
    """HTML is taken in one place alone, and nothing is evaluated or styled by attribute."""
    code = {path.name: path.read_text() for path in FOLDER.glob("*.js")}
    for name, text in code.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            name
        )
        assert not re.search(r'setAttribute\("style"|cssText', text), name
        assert text.count("parseFromString") == (name == "base.js"), name
