"""The statement of reasons that an author can read about every restriction, in words and with stable codes.

What Article 17 of Regulation (EU) 2022/2065 asks for: what was done and for how long, on which ground, on which facts,
whether a machine found or decided it, and what the author can do. Never who reported or who decided.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import ActorKind, Status
from service import schemas
from service.errors import Problem
from service.flow import appeal, statement_words, views
from service.flow.context import Context
from service.flow.identify import Commenter
from service.flow.restriction import Restricted, restriction_of
from service.flow.review_settings import review_of
from service.store import comments, reports, sites
from service.store.types import Row


async def statement(context: Context, site: Row, commenter: Commenter, comment_id: str) -> schemas.Statement:
    """Answer why the author's comment, or its edit, is restricted; raises statement.none where it is not."""
    async with context.database.reading() as connection:
        comment = await comments.by_id(connection, site.id, comment_id)
        if comment is None or comment.commenter_id != commenter.commenter_id:
            raise Problem("comment.unknown", "You have no comment with this id here.")
        restricted = await restriction_of(connection, site.id, comment)
        if restricted is None:
            raise Problem("statement.none", "Nothing that was decided restricts this comment.")
        return await _stated(connection, site, comment, restricted, context.now())


async def _stated(
    connection: AsyncConnection, site: Row, comment: Row, restricted: Restricted, now: datetime
) -> schemas.Statement:
    decision, revision = restricted.decision, restricted.revision
    reported = await reports.answered_by(connection, site.id, comment.id, decision.id)
    standing = await appeal.standing(connection, site, restricted, now)
    current = await sites.by_slug(connection, site.slug)
    assert current is not None
    by_reports = decision.actor_kind == ActorKind.SYSTEM.value
    ground = statement_words.ground_of(decision)
    facts = statement_words.facts_of(decision.causes, reported)
    reasons = views.reasons_of(decision)
    restriction = statement_words.restriction_of(restricted.code)
    duration = _duration(restricted)
    how = _how_to_appeal(site, comment, standing)
    redress = review_of(current.review).redress
    said = [restriction.text, restriction.scope, *(reason.text for reason in reasons), ground.text]
    said += [fact.text for fact in facts]
    said += [statement_words.decided_by(decision), duration.text, how.text, redress]
    return schemas.Statement(
        comment_id=comment.id,
        decision_id=decision.id,
        status=Status(comment.status),
        revision=revision.number,
        body=revision.body,
        restriction=restriction,
        decided_at=decision.created_at,
        decided_by="reports" if by_reports else "machine" if decision.automated_decision else "person",
        automated_detection=decision.automated_detection,
        automated_decision=decision.automated_decision or by_reports,
        on_notice=decision.on_notice,
        reasons=reasons,
        ground=ground,
        guidelines_version=decision.guidelines_version,
        facts=facts,
        duration=duration,
        appeal=how,
        redress=redress,
        text=" ".join(said),
    )


def _duration(restricted: Restricted) -> schemas.Duration:
    seconds = restricted.decision.duration_seconds
    if seconds is not None:
        until = restricted.decision.created_at + timedelta(seconds=seconds)
        return schemas.Duration(seconds, until, f"This lasts until {statement_words.day_of(until)}.")
    return schemas.Duration(None, None, statement_words.LASTING[restricted.is_final])


def _how_to_appeal(site: Row, comment: Row, standing: appeal.Standing) -> schemas.HowToAppeal:
    """Answer what the author can do here, or what came of it."""
    if standing.refused is None and standing.until is not None:
        path = f"/v1/sites/{site.slug}/comments/{comment.id}/appeals"
        text = statement_words.may_appeal(standing.until)
        return schemas.HowToAppeal(True, standing.until, path, text, None)
    known = appeal.view_of(standing.appeal) if standing.appeal is not None else None
    text = statement_words.no_appeal(standing.refused or "", known)
    return schemas.HowToAppeal(False, standing.until, None, text, known)
