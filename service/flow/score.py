"""A batch is judged: scores in, decisions out, in one transaction, then told to those who wait."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from math import inf
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Action, ActorKind, Status, next_status
from moderation.policy import Policy
from moderation.rules import REVIEW, OnScorerFailure, Outcome
from moderation.scores import Attribute, Scores
from moderation.signals import Signals
from moderation.verdict import Cause, CauseKind, Verdict, judge
from service import telemetry
from service.flow import aftermath, calibrations, circumstances, transition
from service.flow.announce import Told, announce
from service.flow.calibrations import Calibrated
from service.flow.context import Context
from service.flow.look import Looked, key_of, look, look_again, policies_of
from service.flow.open_items import item_row, spoken, trust_of
from service.flow.priority import Facts
from service.flow.reporters import counted_of
from service.flow.review_settings import review_of
from service.flow.second_opinions import is_chosen
from service.flow.standings import Standings
from service.flow.transition import Actor, Decision
from service.store import reports, review_items, scoring, threads
from service.store.types import Row

_ACTIONS = {Outcome.PUBLISH: Action.APPROVE, Outcome.HOLD: Action.HOLD, Outcome.REJECT: Action.REJECT}
_STATUSES = {Outcome.PUBLISH: Status.PUBLISHED, Outcome.HOLD: Status.HELD, Outcome.REJECT: Status.REJECTED}
_EVENTS = {
    Outcome.PUBLISH: "comment.published", Outcome.HOLD: "comment.held", Outcome.REJECT: "comment.rejected"
}  # fmt: skip
_MACHINE = Actor(ActorKind.MACHINE)
_NOTHING_READ = Signals(links=0, shouting=0.0, repeats=0, words=(), evasions=(), language=None, characters=0)

logger = logging.getLogger(__name__)


class Owed(msgspec.Struct, frozen=True):
    """A revision that waits for a score, and what its policy says about waiting."""

    revision_id: str
    body: str
    on_scorer_failure: str
    created_at: datetime
    model: str
    fallback_model: str | None

    def accepts(self, model_id: str) -> bool:
        """Answer whether the policy's thresholds may be held against scores of that model."""
        return model_id in (self.model, self.fallback_model)


class _Judged(msgspec.Struct, frozen=True):
    row: Any
    verdict: Verdict
    signals: Signals
    calibrated: Calibrated
    policy_version: str

    @property
    def scores(self) -> Scores | None:
        return self.calibrated.scores

    @property
    def ids(self) -> dict[str, str]:
        return {name: getattr(self.row, name) for name in ("thread_id", "comment_id", "revision_id")}

    def facts(self, kind: str, causes: Sequence[Mapping[str, Any]]) -> Facts:
        rule, attribute = spoken(causes)
        return Facts(
            kind=kind,
            page=self.row.page,
            scores=(_as_json(self.scores.values) or {}) if self.scores else {},
            rule=rule,
            attribute=attribute,
            language=self.signals.language,
            trust=trust_of(self.row.author_kind, trusted=self.row.trusted),
            published_in_thread=self.row.published_count,
        )


class ThreadsMoved(Exception):  # noqa: N818 - Named for the fact.
    """A thread was merged between reading and locking; the batch is tried again."""


async def read_owed(context: Context, revision_ids: Sequence[str]) -> list[Owed]:
    """Answer those of the revisions that still need a score; the others were decided, edited or deleted."""
    async with context.database.reading() as connection:
        rows = await scoring.owed(connection, revision_ids)
        known = await policies_of(connection, rows)
    return [_owed(row, known[row.site_id, row.policy_version].policy) for row in rows]


def _owed(row: Row, policy: Policy) -> Owed:
    return Owed(
        row.revision_id,
        row.body or "",
        policy.on_scorer_failure.value,
        row.created_at,
        policy.model,
        policy.fallback_model,
    )


async def record(
    context: Context, scored: Mapping[str, Scores | None], *, languages: frozenset[str] | None, outage: bool = False
) -> list[Told]:
    """Judge and commit a batch; answer what was decided.

    None stands for a text without scores: in an outage its policy says what becomes of it, else a person looks at it.
    """
    looked = await look(context, scored)
    while True:
        try:
            async with context.database.writing() as connection:
                told = await _record(connection, context, scored, looked, languages, outage)
            break
        except ThreadsMoved:
            continue
    for one in told:
        telemetry.decided_total.labels("machine", one.status).inc()
    await announce(context, told)
    return told


async def _record(
    connection: AsyncConnection,
    context: Context,
    scored: Mapping[str, Scores | None],
    looked: Looked,
    languages: frozenset[str] | None,
    outage: bool,
) -> list[Told]:
    rows = await scoring.owed(connection, list(scored))
    locked = {row.thread_id for row in rows}
    if connection.dialect.name == "postgresql":
        await threads.lock(connection, sorted(locked))
        rows = await scoring.owed(connection, list(scored))
        if not {row.thread_id for row in rows} <= locked:
            raise ThreadsMoved
    now = context.now()
    judged = await _judge_all(connection, rows, scored, looked, languages, outage, now)
    told: list[Told] = []
    for (site_id, thread_id), group in groupby(judged, key=lambda one: (one.row.site_id, one.row.thread_id)):
        told += await _record_thread(connection, context, site_id, thread_id, list(group), now)
    await scoring.mark_scored(connection, [_scored_row(one, now) for one in judged])
    await scoring.insert_scores(connection, [_scores_row(context, one, now) for one in judged if one.scores])
    return told


async def _judge_all(
    connection: AsyncConnection,
    rows: Iterable[Row],
    scored: Mapping[str, Scores | None],
    looked: Looked,
    languages: frozenset[str] | None,
    outage: bool,
    now: datetime,
) -> list[_Judged]:
    """Judge with what is in force now, inside the transaction: emergency switch, sanctions and calibration."""
    rows = sorted(rows, key=lambda row: (row.thread_id, row.revision_id))
    known = await policies_of(connection, rows)
    await look_again(connection, looked, rows, known, now)
    restricted = await circumstances.restricted(connection, rows, now)
    maps = await calibrations.in_force(connection, [(row.site_id, scored[row.revision_id]) for row in rows])
    reported = await _reported(connection, rows, now)
    judged = []
    for row in rows:
        policy, facts = known[row.site_id, row.policy_version].policy, looked.circumstances[key_of(row)]
        if row.commenter_id in restricted:
            facts = msgspec.structs.replace(facts, pre_moderated=True)
        read = looked.signals[key_of(row)]
        if not outage or read is None:
            # Else whoever found a text that breaks the model could publish it on a site that publishes in outages.
            policy = msgspec.structs.replace(policy, on_scorer_failure=OnScorerFailure.HOLD)
        said = maps.apply(row.site_id, scored[row.revision_id] if read is not None else None)
        signals = read or _NOTHING_READ
        verdict = judge(
            said.scores,
            signals,
            policy,
            languages=languages,
            emergency=row.emergency_pre_moderation,
            circumstances=facts,
        )
        if row.status == Status.HELD.value or row.comment_id in reported:
            verdict = _for_a_person(verdict, policy)
        judged.append(_Judged(row, verdict, signals, said, row.policy_version))
    return judged


async def _reported(connection: AsyncConnection, rows: Sequence[Row], now: datetime) -> set[str]:
    """Answer the published comments that enough readers report, and that stand since a person approved their text."""
    found: set[str] = set()
    edits = [row for row in rows if row.number > 1 and row.status == Status.PUBLISHED.value]
    for site_id, group in groupby(sorted(edits, key=lambda row: row.site_id), key=lambda row: row.site_id):
        enough = {row.comment_id: review_of(row.review).reports_hold_from or inf for row in group}
        for comment_id, known in (await reports.open_of(connection, site_id, enough)).items():
            if len(known) < enough[comment_id]:
                continue
            if (await counted_of(connection, site_id, comment_id, now)).readers >= enough[comment_id]:
                found.add(comment_id)
    return found


def _for_a_person(verdict: Verdict, policy: Policy) -> Verdict:
    """Answer what is made of an edit of what enough readers reported: no machine shows it, a person does."""
    if verdict.outcome is not Outcome.PUBLISH:
        return verdict
    cause = Cause("reports", Outcome.HOLD, CauseKind.REPORTS, reason=REVIEW)
    reason = next(reason for reason in policy.reasons if reason.code == REVIEW)
    return Verdict(Outcome.HOLD, (*verdict.causes, cause), (reason,), review=True)


async def _record_thread(
    connection: AsyncConnection,
    context: Context,
    site_id: str,
    thread_id: str,
    judged: Sequence[_Judged],
    now: datetime,
) -> list[Told]:
    standings = await transition.standings_of(connection, site_id, {one.row.comment_id for one in judged})
    decisions = [_decide(context, standings, one, now) for one in judged]
    version = await transition.save(connection, site_id, thread_id, standings)
    events = {decision.id: [_event_of(one)] for one, decision in zip(judged, decisions, strict=True)}
    await transition.append(connection, context, decisions, event_of=events)
    for one in judged:
        if _is_shown_edit(one, standings):
            # Readers see this text now; what was asked about an earlier one is no question any more.
            await review_items.supersede(connection, site_id, one.row.comment_id, at=now, before=one.row.number)
    items = [
        _item_row(context, one, decision, now)
        for one, decision in zip(judged, decisions, strict=True)
        if one.verdict.review or _is_sampled(one)
    ]
    await scoring.insert_items(connection, items)
    edited = [one.row.comment_id for one in judged if _is_shown_edit(one, standings)]
    asked = await aftermath.ask_about_reports(connection, context, site_id, edited, now=now) if edited else []
    opened = {item["comment_id"]: item for item in [*asked, *items]}
    return [
        Told.of(
            decision,
            version=version,
            parent_id=standings.nodes[decision.comment_id].parent_id,
            item=opened.get(decision.comment_id),
        )
        for decision in decisions
    ]


def _is_shown_edit(one: _Judged, standings: Standings) -> bool:
    return bool(one.row.number > 1 and standings.nodes[one.row.comment_id].shown_revision == one.row.number)


def _decide(context: Context, standings: Standings, one: _Judged, now: datetime) -> Decision:
    """Apply one verdict. The edit of a published comment is decided by itself: the shown text stays until then."""
    node, outcome = standings.nodes[one.row.comment_id], one.verdict.outcome
    before = node.status
    if before is Status.PENDING:
        after = next_status(before, _ACTIONS[outcome], ActorKind.MACHINE, by_person=node.status_by_person)
        if after is Status.PUBLISHED:
            standings.show(node.id, one.row.number, edited_at=_edited_at(one))
        standings.set_status(node.id, after, by_person=False)
    elif before is Status.PUBLISHED and outcome is Outcome.PUBLISH:
        standings.show(node.id, one.row.number, edited_at=_edited_at(one))
    return Decision(
        id=context.new_id(),
        site_id=one.row.site_id,
        thread_id=one.row.thread_id,
        comment_id=one.row.comment_id,
        revision_id=one.row.revision_id,
        action=_ACTIONS[outcome],
        actor=_MACHINE,
        from_status=before,
        to_status=node.status,
        at=now,
        reasons=one.verdict.reasons,
        causes=[msgspec.to_builtins(cause) for cause in one.verdict.causes],
        policy_version=one.policy_version,
        model_id=one.scores.model_id if one.scores else None,
        automated_detection=True,
    )


def _edited_at(one: _Judged) -> datetime | None:
    return one.row.created_at if one.row.number > 1 else None


def _event_of(one: _Judged) -> str:
    if one.row.number > 1 and one.verdict.outcome is Outcome.PUBLISH and one.row.status == Status.PUBLISHED.value:
        return "comment.edited"
    return _EVENTS[one.verdict.outcome]


def _scored_row(one: _Judged, now: datetime) -> dict[str, Any]:
    return {
        "of_revision": one.row.revision_id,
        "new_scored_at": now,
        "new_status": _STATUSES[one.verdict.outcome].value,
        "new_language": one.signals.language,
    }


def _scores_row(context: Context, one: _Judged, now: datetime) -> dict[str, Any]:
    assert one.scores is not None
    return {
        "id": context.new_id(),
        "site_id": one.row.site_id,
        "revision_id": one.row.revision_id,
        "model_id": one.scores.model_id,
        "calibrated": one.scores.calibrated,
        "attributes": _as_json(one.scores.values),
        "raw": _as_json(one.calibrated.raw),
        "calibration": one.calibrated.version,
        "window": list(one.scores.window) if one.scores.window else None,
        "scored_at": now,
    }


def _as_json(values: Mapping[Attribute, float] | None) -> dict[str, float] | None:
    return None if values is None else {attribute.value: value for attribute, value in values.items()}


def _is_sampled(one: _Judged) -> bool:
    """Answer whether a person looks at it who does not know that the machine decided it, so that its errors show."""
    return is_chosen(one.row.revision_id, review_of(one.row.review).sample_share)


def _item_row(context: Context, one: _Judged, decision: Decision, now: datetime) -> dict[str, Any]:
    causes = [msgspec.to_builtins(cause) for cause in one.verdict.causes]
    kind, more = "held" if one.verdict.outcome is Outcome.HOLD else "post_moderation", {}
    if not one.verdict.review:
        kind, more = "sampled", {"blind": True, "decision_id": decision.id}
    # A blind one's queue must not tell what the machine found.
    settings, facts = review_of(one.row.review), one.facts(kind, () if more else causes)
    return item_row(context, one.row.site_id, one.ids, facts, settings, causes=causes, now=now, **more)
