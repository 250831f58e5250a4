"""What another policy would have made of the newest comments: judged again from what is stored, nothing is written."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from moderation.circumstances import Circumstances
from moderation.policy import Policy
from moderation.rules import Signal
from moderation.scores import Attribute, Scores
from moderation.signals import Signals, read_signals
from moderation.verdict import CauseKind, Verdict, judge
from moderation.words import WordList
from service import schemas
from service.flow import policies
from service.flow.circumstances import noticed_at_submit
from service.flow.context import Context
from service.flow.policies import Prepared
from service.store import stats
from service.store.types import Row

MOST: Final = 1_000
#: Comments that are looked at for those that have scores.
_LOOKED_AT: Final = 2 * MOST
SHOWN: Final = 20
EXCERPT_CHARACTERS: Final = 160
#: Judging ends here, with as many comments as it came to.
PATIENCE_SECONDS: Final = 10.0
_DAY_SECONDS: Final = 86_400
#: What was so only at the moment of sending, or is known by now only with what came of it.
UNKNOWN: Final = frozenset(
    {
        Signal.APPROVED,
        Signal.REJECTED_SHARE,
        Signal.DUPLICATES,
        Signal.NEAR_DUPLICATES,
        Signal.STAY_DOWN,
        Signal.BURST,
        Signal.SPAM_SERVICE,
    }
)


class _Judged(NamedTuple):
    row: Row
    before: Verdict
    after: Verdict


async def preview(context: Context, site: Row, document: Mapping[str, Any]) -> schemas.PolicyPreview:
    """Judge the newest comments that have scores by the policy in force and by another, and answer the difference."""
    proposed = policies.parsed(document)
    key = (site.id, (await context.directory.read(site.slug)).policy_version)
    async with context.database.reading(patience_seconds=PATIENCE_SECONDS) as connection:
        found = await stats.scored(connection, site.id, looked_at=_LOOKED_AT, limit=MOST)
        rows = [row for row in found if not row.has_own_policy]
        causes = await stats.machine_causes(connection, site.id, [row.comment_id for row in rows])
        current = (await policies.prepared(connection, [key]))[key]
    # Away from the event loop: a thousand texts take about a second.
    judged = await asyncio.to_thread(_judge_all, rows, causes, current, Prepared(proposed, WordList(proposed.words)))
    changed = [one for one in judged if one.before.outcome is not one.after.outcome]
    return schemas.PolicyPreview(
        of=len(judged),
        before=_figures(one.before for one in judged),
        after=_figures(one.after for one in judged),
        changed=[_change(one) for one in changed[:SHOWN]],
        changed_count=len(changed),
        unknown=sorted(signal.value for signal in _asked_of([current.policy, proposed]) & UNKNOWN),
        skipped=len(found) - len(judged),
    )


def _judge_all(
    rows: Sequence[Row], causes: Mapping[str, list[dict[str, Any]]], current: Prepared, proposed: Prepared
) -> list[_Judged]:
    judged, until = [], time.monotonic() + PATIENCE_SECONDS
    for row in rows:
        if time.monotonic() > until:
            break
        facts, languages = _circumstances(row), _languages(causes.get(row.revision_id, ()))
        scores = _scores(row)
        read = read_signals(row.body, current.words)
        again = read if proposed.policy.words == current.policy.words else _signals(row, read, proposed)
        before = judge(scores, read, current.policy, circumstances=facts, languages=languages)
        after = judge(scores, again, proposed.policy, circumstances=facts, languages=languages)
        judged.append(_Judged(row, before, after))
    return judged


def _signals(row: Row, read: Signals, proposed: Prepared) -> Signals:
    # Only the listed words differ.
    return msgspec.structs.replace(read, words=read_signals(row.body, proposed.words).words)


def _scores(row: Row) -> Scores:
    known = {attribute.value: attribute for attribute in Attribute}
    values = {known[name]: value for name, value in row.attributes.items() if name in known}
    return Scores(model_id=row.model_id, calibrated=row.calibrated, values=values)


def _languages(causes: Sequence[Mapping[str, Any]]) -> frozenset[str] | None:
    """A model's languages are a worker's to know; that it did not support this one is in the decision."""
    unsupported = any(cause.get("kind") == CauseKind.LANGUAGE.value for cause in causes)
    return frozenset() if unsupported else None


def _circumstances(row: Row) -> Circumstances:
    return Circumstances(
        guest=row.commenter_kind == "guest",
        verified=row.verified,
        trusted=row.trusted,
        account_days=(row.created_at - row.first_seen_at).total_seconds() / _DAY_SECONDS,
        **noticed_at_submit(row.submission),
    )


def _asked_of(of_policies: Sequence[Policy]) -> set[Signal]:
    conditions = (condition for policy in of_policies for rule in policy.rules for condition in rule.when)
    return {condition.signal for condition in conditions if condition.signal is not None}


def _figures(verdicts: Any) -> schemas.OutcomeFigures:
    return schemas.OutcomeFigures(**Counter(verdict.outcome.value for verdict in verdicts))


def _change(one: _Judged) -> schemas.PreviewChange:
    text = " ".join(one.row.body.split())
    excerpt = text if len(text) <= EXCERPT_CHARACTERS else text[: EXCERPT_CHARACTERS - 1] + "…"
    # Where nothing speaks any more, it is what spoke before that tells why.
    spoke = one.after.causes or one.before.causes
    return schemas.PreviewChange(
        comment_id=one.row.comment_id,
        excerpt=excerpt,
        before=one.before.outcome.value,
        after=one.after.outcome.value,
        causes=[msgspec.to_builtins(cause) for cause in spoke],
    )
