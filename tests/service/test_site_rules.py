"""A site's settings agree with each other, and its origins are kept as browsers send them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.errors import Problem
from service.flow.site_rules import check_site
from service.store.types import Row

CURRENT = cast("Row", SimpleNamespace(body_min_characters=10, body_max_characters=100))


def refused(values: dict[str, Any], current: Row | None = None) -> set[str]:
    """Return the fields that are named when the values are refused."""
    with pytest.raises(Problem) as caught:
        check_site(values, current)
    assert caught.value.code == "request.invalid"
    return {field.field for field in caught.value.fields}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://Daily.Example", "https://daily.example"),
        ("https://daily.example:443", "https://daily.example"),
        ("http://daily.example:80", "http://daily.example"),
        ("http://daily.example:443", "http://daily.example:443"),
        ("https://daily.example:8443", "https://daily.example:8443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://zürich.example", "https://xn--zrich-kva.example"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(given: str, kept: str) -> None:
    """Case, the usual port and letters beyond ASCII are written as the Origin header writes them."""
    assert check_site({"allowed_origins": [given]}, None) == {"allowed_origins": [kept]}


def test_an_origin_is_kept_once_and_in_its_place() -> None:
    """Origins that are the same for a browser become one, where the first of them stood."""
    given = ["https://b.example", "https://A.example", "https://a.example:443", "https://b.example"]
    assert check_site({"allowed_origins": given}, None)["allowed_origins"] == ["https://b.example", "https://a.example"]


@pytest.mark.parametrize(
    "origin",
    ["https://a.example:x", "https://a.example:99999", "https://user@a.example", "https://[::1", "https://:80",
     "https://a..example"],
)  # fmt: skip
def test_what_no_browser_could_send_is_refused(origin: str) -> None:
    """A port that is none, a user name or a broken host is refused by its place in the list."""
    assert refused({"allowed_origins": ["https://fine.example", origin]}) == {"allowed_origins[1]"}


def test_limits_that_contradict_are_refused() -> None:
    """A least length above the greatest one is refused, whether both are given or one of them stands already."""
    both = {"body_min_characters": 6, "body_max_characters": 5}
    assert refused(both) == refused(both, CURRENT) == {"body_min_characters", "body_max_characters"}
    assert refused({"body_min_characters": 101}, CURRENT) == {"body_min_characters"}
    assert refused({"body_max_characters": 9}, CURRENT) == {"body_max_characters"}


@pytest.mark.parametrize(
    "values",
    [{}, {"name": "N"}, {"body_min_characters": 100}, {"body_min_characters": 5, "body_max_characters": 5}],
)
def test_what_agrees_is_left_as_it_is(values: dict[str, Any]) -> None:
    """Values without a contradiction come back unchanged, equal limits too."""
    assert check_site(values, CURRENT) == values


def test_every_contradiction_is_told_at_once() -> None:
    """Limits and origins are refused in one answer."""
    values = {"body_min_characters": 6, "body_max_characters": 5, "allowed_origins": ["https://a.example:x"]}
    assert len(refused(values)) == 3
