"""A refusal tells people what would be right: no regular expression, the allowed words, and how to write a path."""

from typing import Any

import pytest

from service import schemas
from service.errors import Problem
from service.routes.requests import convert_strictly
from tests.service.answers import fields, problem
from tests.service_fixture import Service

SITE = {"slug": "new", "name": "New"}
KEY = {"name": "k", "scopes": ["review"]}
DECISION = {"lease": "x", "revision": 1, "action": "approve"}


@pytest.fixture
def database_kind() -> str:
    """What is checked here is HTTP."""
    return "sqlite"


def refusal(value: dict[str, Any], wanted: type) -> tuple[str, str]:
    """Return the field and the message of the one thing that is wrong."""
    with pytest.raises(Problem) as caught:
        convert_strictly(value, wanted)
    [only] = caught.value.fields
    assert caught.value.detail == f"{only.field}: {only.message}."
    return only.field, only.message


@pytest.mark.parametrize(
    ("value", "wanted", "field", "says"),
    [
        (SITE | {"slug": "My Site"}, schemas.SiteInput, "slug", "lower-case letters, digits and hyphens"),
        (SITE | {"name": " "}, schemas.SiteInput, "name", "must hold more than white space"),
        (SITE | {"allowed_origins": ["https://a.b/"]}, schemas.SiteInput, "allowed_origins[0]", "without a path"),
        ({"page": "p", "url": "a.b"}, schemas.ThreadInput, "url", "must begin with https:// or http://"),
        (KEY | {"member_id": "Nora"}, schemas.KeyInput, "member_id", "must be a UUID"),
        (DECISION | {"reasons": ["Rude!"]}, schemas.DecideInput, "reasons[0]", "must be the code of a reason"),
    ],
)  # fmt: skip
def test_a_wrong_form_is_told_in_words(value: dict[str, Any], wanted: type, field: str, says: str) -> None:
    """Each pattern of our own types is told as a sentence."""
    named, message = refusal(value, wanted)
    assert named == field
    assert says in message
    assert "regex" not in message


SCOPES = "admin, analyze, events, review, threads"


@pytest.mark.parametrize(
    ("value", "wanted", "field", "allowed"),
    [
        ({"name": "n", "role": "owner"}, schemas.MemberInput, "role", "admin, moderator"),
        (KEY | {"scopes": ["review", "root"]}, schemas.KeyInput, "scopes[1]", SCOPES),
        ({"state": "ajar"}, schemas.ThreadChange, "state", "closed, open"),
        (DECISION | {"action": "hold"}, schemas.DecideInput, "action", "approve, reject"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_ones(
    value: dict[str, Any], wanted: type, field: str, allowed: str
) -> None:
    """Where only some words are allowed, in a list or an optional field too, the refusal lists them."""
    named, message = refusal(value, wanted)
    assert named == field
    assert message.endswith(f"; use one of: {allowed}")


def test_a_moderator_may_name_every_code_that_a_policy_may_have() -> None:
    """A reason code with a hyphen or a leading digit, which a policy may word, can be sent with a decision."""
    decision = convert_strictly(DECISION | {"reasons": ["off-topic", "3rd-party", "x" * 64]}, schemas.DecideInput)
    assert len(decision.reasons) == 3


@pytest.mark.anyio
async def test_a_page_key_with_bare_slashes_is_told_to_encode_them(service: Service) -> None:
    """Segments too many after a thread's path are answered with what to do about them; other paths are not."""
    answer = await service.call("GET", "/v1/sites/test/threads/news/article/3")
    assert "Percent-encode the page key" in problem(answer, "route.unknown")["detail"]
    answer = await service.call("GET", "/v1/sites/test/nothing/here")
    assert "Percent-encode" not in problem(answer, "route.unknown")["detail"]


@pytest.mark.anyio
async def test_an_end_of_a_threads_policy_needs_the_thread(service: Service) -> None:
    """A DELETE of a policy that names no page is refused by that field, and says that a site always has a policy."""
    for query in ("", "?page="):
        answer = await service.call("DELETE", f"/v1/admin/sites/test/policy{query}", as_="admin")
        assert fields(answer) == {"page"}
