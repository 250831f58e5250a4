"""A reader says what is wrong with a comment: one report for each reader and text, one review item for each text.

Who reports is counted over all texts of the comment, so that an edit starts nothing anew. Enough different
readers take a text out of sight until a person has looked; a notice of illegal content (Regulation (EU) 2022/2065,
Article 16) is looked at first, however many send one.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service import schemas, telemetry
from service.errors import Problem
from service.flow import transition
from service.flow.context import Context
from service.flow.identify import Commenter, hash_token
from service.flow.reported import Asked, look_again, tell
from service.flow.reporters import contact_of, first_of, is_counted, network_of, refuse_flood
from service.store import comments, outbox, reports
from service.store.types import Row

NETWORK_DAYS = 7
"""So long a network is known again under the keys of its days, where the operator keeps them as long."""


class Reporter(NamedTuple):
    """Who reports: the holder of a token, or whoever is behind a network."""

    commenter: Commenter | None
    network: str


class _Made(NamedTuple):
    """What a report came to, and what is to be told after its commit."""

    report_id: str
    token: str | None
    is_new: bool
    asked: Asked = Asked(None, None)


async def report(
    context: Context, site: Row, reporter: Reporter, comment_id: str, wanted: schemas.ReportInput
) -> tuple[schemas.Reported, bool]:
    """Take a report; answer it, and whether it is a new one: who reports the same text twice made one report."""
    _check(wanted)
    # Before the transaction: the keys of networks have transactions of their own.
    hashes = await context.networks.hashes_of(reporter.network, now=context.now(), days=NETWORK_DAYS)
    async with context.database.writing() as connection:
        comment = await transition.locked_comment(connection, site.id, comment_id)
        made = await _report(connection, context, site, comment, reporter, hashes, wanted)
    await tell(context, site.id, made.asked)
    return schemas.Reported(made.report_id, made.token), made.is_new


def _check(wanted: schemas.ReportInput) -> None:
    """Raise for a notice that lacks what the law asks for, or for its fields with another reason."""
    notice, problems = wanted.illegal, list[tuple[str, str]]()
    if (notice is not None) != (wanted.reason == reports.NOTICE):
        problems.append(("illegal", "belongs to the reason illegal_content, and to it alone"))
    if notice is not None:
        if not notice.good_faith:
            problems.append(("illegal.good_faith", "must be true: that you believe what you say to be right and whole"))
        needed = () if notice.child_abuse else ("name", "email")
        problems += [
            (f"illegal.{name}", "is needed, unless the matter is sexual abuse of a child")
            for name in needed
            if getattr(notice, name) is None
        ]
        if wanted.detail is not None:
            problems.append(("detail", "is not for a notice; illegal.explanation is"))
    if problems:
        said = "; ".join(f"{field} {message}" for field, message in problems)
        raise Problem("request.invalid", f"{said}.", fields=problems)


async def _report(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    comment: Row,
    reporter: Reporter,
    hashes: Sequence[str],
    wanted: schemas.ReportInput,
) -> _Made:
    now, by = context.now(), reporter.commenter
    shown = await comments.revision(connection, site.id, comment.id, comment.shown_revision or comment.latest_revision)
    if shown is None or comment.shown_revision is None:
        raise Problem("comment.unknown", "Readers see no comment with this id.")
    first = await first_of(connection, context, shown, by, hashes, wanted, now)
    if first is not None:
        return _Made(first.id, None, is_new=False)
    if comment.status != Status.PUBLISHED.value:
        raise Problem("comment.unknown", "Readers see no comment with this id.")
    if by is not None and comment.commenter_id == by.commenter_id:
        raise Problem("report.own", "This is your own comment; you can edit or delete it.")
    await refuse_flood(connection, shown, by, hashes, wanted)
    token = None if by is not None else secrets.token_urlsafe(24)
    network_hash = await network_of(connection, shown, by, hashes)
    row = _row(context, comment, shown, reporter, network_hash, wanted, token, now)
    await reports.insert(connection, site.id, row)
    kept = await reports.by_id(connection, site.id, row["id"])
    assert kept is not None
    asked = Asked(None, None)
    if wanted.illegal is not None or await is_counted(connection, kept, now):
        event = transition.event_row(
            context, "comment.reported", site_id=site.id, thread_id=comment.thread_id, comment_id=comment.id,
            revision_id=shown.id, at=now, report_id=row["id"], comment_status=comment.status,
        )  # fmt: skip
        await outbox.append(connection, [event])
        asked = await look_again(connection, context, site, comment, shown, now)
    telemetry.reported_total.labels(wanted.reason).inc()
    return _Made(row["id"], token, is_new=True, asked=asked)


def _row(
    context: Context,
    comment: Row,
    shown: Row,
    reporter: Reporter,
    network_hash: str | None,
    wanted: schemas.ReportInput,
    token: str | None,
    now: datetime,
) -> dict[str, Any]:
    notice = wanted.illegal
    contact = contact_of(notice) if notice is not None else None
    return {
        "id": context.new_id(),
        "comment_id": comment.id,
        "revision_id": shown.id,
        "commenter_id": reporter.commenter.commenter_id if reporter.commenter is not None else None,
        "network_hash": network_hash,
        "reason": wanted.reason,
        "detail": notice.explanation if notice is not None else wanted.detail,
        "law": notice.law if notice is not None else None,
        "good_faith": notice is not None,
        "contact_sealed": context.box.seal(msgspec.json.encode(contact)) if contact else None,
        "token_hash": hash_token(token) if token is not None else None,
        "created_at": now,
    }
