"""Who sent a notice: sealed where it is kept, told to the publisher's webhooks once it is answered, logged nowhere."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from service.egress import Egress
from service.flow import export_commenter
from service.flow.identify import find_site
from service.flow.sealing import Box
from service.store import tables as t
from service.workers.delivering import Deliverer
from tests.leaks import plant
from tests.receiver import Receiver
from tests.service.reporting import NOTICE, act, made, readers, report
from tests.service.test_event_stream import read
from tests.service.test_webhooks import named, one
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
__all__ = ["one"]
CONTACT = {"name": NOTICE["name"], "email": NOTICE["email"]}
plant(*(str(CONTACT[name]) for name in CONTACT), str(NOTICE["explanation"]))


@pytest.fixture
async def deliverer(service: Service) -> AsyncIterator[Deliverer]:
    """The delivering part of a worker."""
    egress = Egress(allow_loopback=True)
    made_ = Deliverer(service.context, egress)
    yield made_
    await made_.stop()
    await egress.close()


async def test_the_answer_can_be_told_to_who_sent_a_notice(
    service: Service, deliverer: Deliverer, one: Receiver
) -> None:
    """The webhook of `report.closed` has name and address; that of `comment.reported` and the stream have not."""
    await named(service, one, "comment.reported", "report.closed")
    sent = await service.published("An opinion.")
    await made(await report(service, sent, "illegal_content", illegal=NOTICE))
    await act(service, sent, "remove")
    await deliverer.settle_all()
    reported, closed = one.events
    assert "contact" not in reported["data"]["report"]
    assert (reported["data"]["report"]["law"], reported["data"]["report"]["state"]) == (NOTICE["law"], "open")
    assert closed["data"]["report"]["contact"] == CONTACT
    assert closed["data"]["report"]["outcome"] == "taken_down"
    streamed = (await read(service, limit=100))["events"]
    assert NOTICE["email"] not in str(streamed)


async def test_nothing_kept_shows_who_sent_a_notice(service: Service) -> None:
    """No column of any table has name or address as text."""
    sent = await service.published("An opinion.")
    await made(await report(service, sent, "illegal_content", illegal=NOTICE))
    await act(service, sent, "remove")
    async with service.context.database.reading() as connection:
        for table in t.metadata.tables.values():
            rows = (await connection.execute(sa.select(table))).all()
            assert not [row for row in rows if any(value in str(row) for value in CONTACT.values())], table.name


async def test_an_address_that_does_not_open_keeps_no_event_back(
    service: Service, deliverer: Deliverer, one: Receiver
) -> None:
    """After another SECRET_KEY the outcome is told without the address."""
    await named(service, one, "report.closed")
    sent = await service.published("An opinion.")
    await made(await report(service, sent, "illegal_content", illegal=NOTICE))
    other = Box("another secret key that is long enough").seal(b"{}")
    async with service.context.database.writing() as connection:
        await connection.execute(t.reports.update().values(contact_sealed=other))
    await act(service, sent, "remove")
    await deliverer.settle_all()
    [closed] = one.events
    assert "contact" not in closed["data"]["report"]


@pytest.mark.parametrize("who", ["reporter", "author"])
async def test_erasure_takes_the_words_of_a_report(service: Service, who: str) -> None:
    """With the reporter go words, name and address; with the comment the words; what was decided stays."""
    sent = await service.published("An opinion.")
    guest = (await service.published("A guest."))["author_token"]
    await made(await report(service, sent, "illegal_content", by=guest, illegal=NOTICE))
    await act(service, sent, "remove")
    token = guest if who == "reporter" else sent["author_token"]
    body = {"confirm": "erase", "mode": "remove"}
    await service.call("DELETE", "/v1/sites/test/me", as_=token, json=body, expect=200)
    async with service.context.database.reading() as connection:
        [row] = (await connection.execute(sa.select(t.reports))).all()
    assert (row.detail, row.outcome) == (None, "taken_down")
    assert (row.contact_sealed is None) == (who == "reporter")
    assert (row.network_hash is None) == (who == "reporter")


async def test_erasure_forgets_as_whom_an_admin_of_the_installation_writes(service: Service) -> None:
    """They are a member of no site, and no link to who was erased stays with them."""
    sent = await service.published("An opinion.")
    me = (await service.call("GET", "/v1/sites/test/me", as_=sent["author_token"], expect=200)).json()["id"]
    async with service.context.database.writing() as connection:
        admins = t.members.update().where(t.members.c.site_id.is_(None))
        assert (await connection.execute(admins.values(commenter_id=me))).rowcount
    body = {"confirm": "erase", "mode": "anonymise"}
    await service.call("DELETE", "/v1/sites/test/me", as_=sent["author_token"], json=body, expect=200)
    async with service.context.database.reading() as connection:
        assert set((await connection.execute(sa.select(t.members.c.commenter_id))).scalars()) == {None}


async def test_a_reporter_exports_the_own_reports(service: Service) -> None:
    """The export of a commenter has what they reported, and the author's has nothing of it."""
    sent = await service.published("An opinion.")
    [ada] = await readers(service, 1)
    await made(await report(service, sent, "privacy", by=ada, detail="My street."))
    site = await find_site(service.context, "test")
    async with service.context.database.reading() as connection:
        [row] = (await connection.execute(sa.select(t.reports.c.commenter_id))).all()
        author = (await connection.execute(sa.select(t.comments.c.commenter_id))).scalar_one()
    texts = []
    for commenter_id in (row.commenter_id, author):
        pieces = await export_commenter.begin(service.context, site, commenter_id, "test")
        texts.append(b"".join([piece async for piece in pieces]).decode())
    assert "My street." in texts[0]
    assert "My street." not in texts[1]
