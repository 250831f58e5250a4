"""What is remembered of a site gets old by a clock that never steps back."""

import time

import pytest
import sqlalchemy as sa

from service.flow.directory import FRESH_SECONDS, Directory
from service.store import tables as t
from service.store.database import Database
from tests.seeding import seed_site

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    """What is checked here is time."""
    return "sqlite"


async def test_a_site_is_read_again_after_its_time(database: Database) -> None:
    """Another process's change is seen when the time is over, and not before."""
    seconds = [100.0]
    directory = Directory(database, lambda: seconds[0])
    await seed_site(database, "test")
    assert (await directory.find("test")).name == "test"
    async with database.writing() as connection:
        await connection.execute(sa.update(t.sites).values(name="changed"))
    seconds[0] += FRESH_SECONDS - 0.01
    assert (await directory.find("test")).name == "test"
    seconds[0] += 0.01
    assert (await directory.find("test")).name == "changed"


async def test_the_time_of_day_does_not_matter(database: Database) -> None:
    """Unless a test says otherwise the clock is the monotonic one."""
    assert Directory(database)._clock is time.monotonic
