"""A part that cannot be reached is in the log once, not once a request."""

import logging

import msgspec
import pytest

from service.composition import open_context
from service.routes.problems import OUTAGE_ENDS_SECONDS, Outages
from service.settings import Settings
from tests.service.answers import client_of, problem


@pytest.fixture
def database_kind() -> str:
    """One kind is enough: what is tested is the log."""
    return "sqlite"


def test_an_outage_begins_once() -> None:
    """Of the refusals of one part the first is told, and the first after a quiet minute."""
    outages = Outages()
    assert [outages.begins("sql", at) for at in (0.0, 1.0, 50.0, 100.0)] == [True, False, False, False]
    assert outages.begins("sql", 100.0 + OUTAGE_ENDS_SECONDS + 1)
    assert outages.begins("redis", 101.0)


@pytest.mark.anyio
async def test_an_outage_is_logged_by_its_route(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """The log names the template of the route that met the outage, never the path or the query."""
    gone = msgspec.structs.replace(settings, database_url="postgresql+asyncpg://nobody@127.0.0.1:1/none")
    async with open_context(gone) as context, client_of(gone, context) as client:
        answers = [await client.get("/v1/sites/planted/counts?page=planted") for _ in range(2)]
    for answer in answers:
        problem(answer, "service.unavailable")
    [line] = [one for one in caplog.records if one.levelno == logging.WARNING and one.msg == "unavailable"]
    assert line.__dict__["route"] == "/v1/sites/{site}/counts"
    assert "database" in line.__dict__["detail"]
    assert "planted" not in str(line.__dict__)
