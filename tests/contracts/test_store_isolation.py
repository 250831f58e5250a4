"""Promise 9: every query of the store names a site, and two sites never see anything of each other."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

import service.store
from service.store import commenters, comments, pages, records, review_items, scoring, threads
from service.store import tables as t
from service.store.database import Database
from service.store.review_items import Wish
from tests.seeding import START, Seeded, seed_site, seed_thread

#: Public functions of the store that take a connection and no site, and why each may.
WITHOUT_A_SITE = {
    "sites.by_slug": "finds the site",
    "accounts.forget_invitation": "an invitation is an account's",
    "appeals.release_stuck": "the sweep crosses sites; an item and who may decide it are of one",
    "installation.admins": "the doctor asks about the installation as a whole: a number",
    "installation.endpoint_states": "metrics of the installation: numbers by state",
    "installation.models_of_policies": "the same: names of models; it prints slugs for the operator alone",
    "installation.owed_scores": "the same: a number and a time",
    "installation.postgresql": "the same: the server itself",
    "installation.review_backlog": "the same; each row names its site",
    "installation.sqlite": "the same: the file itself",
    "installation.troubled_endpoints": "the same; each row names its site",
    "installation.unrelayed": "the same: a number and a time",
    "installation.waiting": "the same: a number and a time",
    "deliveries.kept_back": "the deliveries were just found, of one endpoint",
    "deliveries.let_go": "the deliveries were just found, of one endpoint",
    "people.is_in_use": "answers yes or no for all sites together",
    "people.untaken": "the sweep crosses sites; each row names its own",
    "opinions.insert": "the site is in the row",
    "open_reports.unasked": "the sweep crosses sites; each row names its own",
    "sites.every": "the list of an admin of the installation",
    "sites.insert": "makes the site",
    "suggestions.insert": "the site is in the row",
    "sites.knows_a_coral": "answers yes or no for all sites together",
    "sites.policy_documents": "takes pairs of site and version: a batch crosses sites",
    "review_items.unexplained_page": "a worker explains held items of every site; each row names its own",
    "calibrations.in_force": "a batch crosses sites; each row names its own, or none for the installation's",
    "calibrations.documents": "the maps of what in_force just found by id; they hold no text",
    "calibrations.replace": "the site is in the row, or none for the installation's",
    "calibrations.retire": "for the operator alone, who may act on every site",
    "calibrations.report": "the same",
    "calibrations.every": "the operator's list; each row names its site",
    "people.token_by_hash": "finds the site that a token is for",
    "people.touch_token": "writes a time beside the token that was just found by its hash",
    "commenters.insert_commenter": "the site is in the row",
    "commenters.insert_account": "the site is in the row",
    "author_facts.records": "a batch crosses sites; a commenter is of one site",
    "sanctions.restricted": "the same; it answers ids alone",
    "sanctions.insert": "the site is in the row",
    "network_keys.by_ids": "keys are the installation's",
    "network_keys.keep": "the same",
    "network_keys.forget": "the same",
    "accounts.by_email": "an account is the installation's; memberships say where it may do what",
    "accounts.by_id": "the same",
    "accounts.by_oidc": "the same",
    "accounts.every": "the same",
    "accounts.insert": "the same",
    "accounts.change": "the same",
    "accounts.take_step": "the same",
    "accounts.memberships": "answers the sites themselves",
    "accounts.insert_invitation": "an invitation is an account's",
    "accounts.invited": "the same",
    "accounts.use_invitation": "the same",
    "accounts.take_invitations": "the same",
    "accounts.void_invitations": "the same",
    "endpoints.hold_for_deletion": "the endpoint was just found on the site",
    "accounts.delete": "an account is the installation's",
    "deliveries.delete": "the deliveries were just found, of one site",
    "people.change_member": "the member was just found on the site",
    "people.join": "an invitation names the member; the query compares memberships of the member's own site",
    "people.disable_members_of": "an account is the installation's, and its memberships end everywhere",
    "sanctions.mark": "the site is in each row",
    "sanctions.forget_marks": "the sweep crosses sites; it answers a number",
    "accounts.insert_session": "a session is an account's",
    "accounts.session_by_hash": "the same",
    "accounts.touch_session": "the same",
    "accounts.sessions_of": "the same",
    "accounts.revoke_sessions": "the same",
    "accounts.forget_old": "the same",
    "fingerprints.keep": "the site is in the row",
    "people.insert_member": "the site is in the row, or none for the installation's",
    "people.insert_token": "the site is in the row, or none for the installation's",
    "people.installation_admins": "the members of the installation, who belong to no site",
    "people.disable_installation_admin": "the same",
    "comments.insert": "the site is in both rows",
    "comments.insert_revision": "the site is in the row, and every statement names it",
    "threads.create": "the site is in the row",
    "threads.lock": "holds rows and shows none: a batch crosses sites",
    "scoring.owed": "a batch crosses sites; each row names its own",
    "scoring.owed_page": "the sweep crosses sites; it answers ids for the stream",
    "scoring.mark_scored": "a batch crosses sites; the revisions were read and locked in the same transaction",
    "scoring.insert_scores": "the site is in each row",
    "scoring.insert_decisions": "the site is in each row",
    "scoring.insert_items": "the site is in each row",
    "audit.hold_head": "a chain is one site's, or the installation's",
    "audit.append": "the same",
    "audit.head": "the same",
    "audit.page_of_chain": "the same",
    "audit.chains": "the operator's command walks every chain",
    "erasure.unfinished": "the sweep crosses sites; each row names its own",
    "retention.due": "the sweep crosses sites; it answers yes or no",
    "retention.take": "the sweep crosses sites; it answers their own settings",
    "retention.end_of_step": "the walk crosses sites; it answers where a step ends",
    "search.owed_wipe": "a number for the whole file",
    "search.wipe": "rewrites the index of the whole file and shows nothing",
    "search.wiped": "the same",
    "retention.candidates": "takes several sites; each row names its own",
    "outbox.append": "the site is in each row",
    "outbox.hold_head": "the relay crosses sites; it answers a number",
    "outbox.is_any_unrelayed": "the same",
    "outbox.unrelayed": "the relay crosses sites; each row names its own",
    "outbox.give_positions": "the rows were just read under the head's lock",
    "outbox.head": "a number for the whole installation",
    "outbox.by_ids": "the events of deliveries that were just leased; each row names its site",
    "endpoints.insert": "the site is in the row",
    "endpoints.insert_secret": "the same",
    "endpoints.hold": "a worker serves endpoints of every site; the row names its own",
    "endpoints.told_of": "takes several sites; each row names its own",
    "deliveries.insert": "the site is in each row",
    "deliveries.insert_attempts": "the same",
    "deliveries.due_endpoints": "a worker serves endpoints of every site; it answers ids",
    "deliveries.claim": "an endpoint is one site's; each row names it",
    "deliveries.leases": "the same; it answers ids",
    "deliveries.settle": "the rows were leased, and looked at again in the same transaction",
    "deliveries.backlog": "for the metrics of the operator; it answers numbers",
    "mail_addresses.by_id": "the id is from a letter or a mail that is owed; the row names its site",
    "mail_addresses.by_token": "finds the site that a link confirms for",
    "mail_addresses.forget_old": "the sweep crosses sites; it answers a number",
    "mails.insert": "the site is in each row",
    "mails.due_addresses": "a worker sends the letters of every site; it answers ids",
    "mails.hold_address": "an address is one site's; it answers yes or no",
    "mails.due_of": "an address is one site's; each row names it",
    "mails.collected": "the same",
    "mails.lease": "the rows were just found, of one address",
    "mails.settle": "the rows were leased by this worker",
    "mails.backlog": "for the metrics of the operator; it answers numbers",
    "watched.states": "the sweep crosses sites; each row names its own",
    "watched.waiting": "the same; it answers numbers",
    "threads.to_close": "the sweep crosses sites; each row names its own",
    "records.keep_idempotency": "the site is in the row",
    "records.forget_idempotency": "retention is the same on every site",
    "records.all_signing_keys": "keys are the installation's; a token names its site",
    "records.insert_signing_key": "keys are the installation's",
    "records.retire_signing_keys": "keys are the installation's",
    "records.delete_signing_key": "keys are the installation's",
}


def queries() -> dict[str, Callable[..., Any]]:
    """Every public function of the store that is given a connection."""
    found = {}
    for module in pkgutil.iter_modules(service.store.__path__):
        if module.ispkg:
            continue
        loaded = importlib.import_module(f"service.store.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.iscoroutinefunction):
            own = function.__module__ == loaded.__name__ and not name.startswith("_")
            if own and "connection" in inspect.signature(function).parameters:
                found[f"{module.name}.{name}"] = function
    return found


def test_every_query_takes_a_site_or_says_why_not() -> None:
    """A function of the store that takes a connection takes `site_id` too, or is listed above with its reason."""
    without = {name for name, one in queries().items() if "site_id" not in inspect.signature(one).parameters}
    assert without == set(WITHOUT_A_SITE)


def test_there_are_queries_to_speak_of() -> None:
    """The search above finds the store's functions at all."""
    assert {"threads.by_page", "comments.by_id", "pages.roots", "recount.recount"} <= set(queries())


@pytest.fixture
async def two(database: Database) -> tuple[Seeded, Seeded]:
    """Two sites with a thread under the same page key each, and an open item on the second's first comment."""
    mine = await seed_thread(database, await seed_site(database, "mine"), comments=20)
    theirs = await seed_thread(database, await seed_site(database, "theirs"), comments=30, hidden_share=0)
    async with database.writing() as connection:
        first = await comments.revision(connection, theirs.site_id, theirs.comment_ids[0], 1)
        assert first is not None
        item = {
            "id": first.id, "site_id": theirs.site_id, "thread_id": theirs.thread_id, "comment_id": first.comment_id,
            "revision_id": first.id, "kind": "held", "state": "open", "causes": [], "order_key": 1.0,
            "opened_at": START,
        }  # fmt: skip
        await scoring.insert_items(connection, [item])
        await connection.execute(t.revisions.update().where(t.revisions.c.id == first.id).values(scored_at=None))
    return mine, theirs


@pytest.mark.anyio
async def test_one_page_key_leads_each_site_to_its_own(database: Database, two: tuple[Seeded, Seeded]) -> None:
    """Two sites with the same page keys have their own threads and counts under them."""
    mine, theirs = two
    async with database.reading() as connection:
        for one in two:
            found = await threads.by_page(connection, one.site_id, "page")
            assert found is not None
            assert found.id == one.thread_id
            assert await threads.pages_of(connection, one.site_id, one.thread_id) == ["page"]
            assert [row.id for row in await threads.listed(connection, one.site_id, after=None, limit=9)] == [found.id]
        assert (await threads.counts(connection, theirs.site_id, ["page"]))["page"].published == 30
        assert (await threads.counts(connection, mine.site_id, ["page"]))["page"].published <= 20


@pytest.mark.anyio
async def test_ids_of_another_site_find_nothing(database: Database, two: tuple[Seeded, Seeded]) -> None:
    """Every read with the own site and ids of another answers nothing at all."""
    mine, theirs = two
    site, ids = mine.site_id, theirs.comment_ids
    async with database.reading() as connection:
        item_id = (await connection.execute(sa.select(t.review_items.c.id))).scalar_one()
        path = (await connection.execute(sa.select(t.comments.c.path).where(t.comments.c.id == ids[-1]))).scalar_one()
        for sort in ("oldest", "newest", "replies", "likes"):
            assert not await pages.roots(connection, site, theirs.thread_id, sort=sort, limit=9, after=None)
        assert not await pages.subtrees(connection, site, theirs.thread_id, [("", "")], limit=9)
        assert not await pages.by_ids(connection, site, ids)
        assert not await pages.ancestors(connection, site, path)
        assert not await pages.in_full(connection, site, ids)
        for commenter in theirs.commenter_ids:
            wanted = {"thread_id": None, "after": None, "limit": 9}
            assert not await pages.of_commenter(connection, site, commenter, **wanted)  # type: ignore[arg-type]
            assert await commenters.commenter(connection, site, commenter) is None
        assert not await commenters.commenters_by_ids(connection, site, theirs.commenter_ids)
        assert not await comments.record_of(connection, site, theirs.commenter_ids)
        assert not await comments.standing(connection, site, ids)
        assert await comments.by_id(connection, site, ids[0]) is None
        assert await comments.revision(connection, site, ids[0], 1) is None
        assert not await comments.revisions_by_ids(connection, site, [item_id])
        assert not await threads.by_ids(connection, site, [theirs.thread_id])
        assert not await threads.pages_of(connection, site, theirs.thread_id)
        assert await review_items.by_id(connection, site, item_id) is None
        assert not await review_items.by_ids(connection, site, [item_id])
        assert await records.idempotency(connection, site, "key") is None


@pytest.mark.anyio
async def test_the_queue_of_another_site_is_not_ones_own(database: Database, two: tuple[Seeded, Seeded]) -> None:
    """Items and what is owed are counted, offered, leased and closed on their own site only."""
    mine, theirs = two
    async with database.writing() as connection:
        wish = Wish("anybody")
        [row] = await review_items.candidates(connection, theirs.site_id, "default", wish, now=START, limit=9)
        item_id = row.id
        lease: dict[str, Any] = {"now": START, "until": START, "lease_hash": "hash"}
        assert await review_items.candidates(connection, mine.site_id, "default", wish, now=START, limit=9) == []
        assert await review_items.free(connection, mine.site_id, ["default"], [item_id], wish, now=START) == set()
        assert not await review_items.lease(connection, mine.site_id, item_id, **lease, claimed_by="me")
        assert await review_items.lease(connection, theirs.site_id, item_id, **lease, claimed_by="them")
        assert not await review_items.close(connection, mine.site_id, item_id, at=START)
        assert await review_items.supersede(connection, mine.site_id, theirs.comment_ids[0], at=START) == []
        assert await review_items.depths(connection, mine.site_id, now=START) == []
        assert [one.open for one in await review_items.depths(connection, theirs.site_id, now=START)] == [1]
        assert await scoring.owed_count(connection, mine.site_id) == 0
        assert await scoring.owed_count(connection, theirs.site_id) == 1


@pytest.mark.anyio
async def test_writes_of_one_site_leave_the_other_as_it_was(database: Database, two: tuple[Seeded, Seeded]) -> None:
    """Standings, statuses, versions and merges written for one site touch no row of another, whatever ids they name."""
    mine, theirs = two
    query = sa.select(t.comments).where(t.comments.c.site_id == theirs.site_id).order_by(t.comments.c.id)
    async with database.writing() as connection:
        before = (await connection.execute(query)).all()
        changed = dict.fromkeys(("shown_revision", "edited_at", "deleted_at")) | {
            "id": theirs.comment_ids[0], "status": "removed", "status_by_person": True, "visible": False,
            "visible_replies": 0, "reply_count": 0,
        }  # fmt: skip
        await comments.save_standing(connection, mine.site_id, [changed])
        await comments.supersede(connection, mine.site_id, theirs.comment_ids[0], at=START)
        await threads.change(connection, mine.site_id, theirs.thread_id, {"title": "Mine"})
        assert (await connection.execute(query)).all() == before
        found = (await threads.by_ids(connection, theirs.site_id, [theirs.thread_id]))[theirs.thread_id]
        assert (found.title, found.version) == (None, 30)
