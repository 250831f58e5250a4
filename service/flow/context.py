"""What every flow is given: the real parts, plugged in by the composition root, and time and ids as arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from service.egress import Egress
from service.flow.directory import Directory
from service.flow.ids import Uuid7
from service.flow.jwks import KeySets
from service.flow.networks import Networks
from service.flow.passwords import Passwords
from service.flow.patience import Patience
from service.flow.quick import Quick
from service.flow.sealing import Box
from service.flow.signing import AuthorTokens
from service.queue.fanout import Fanout
from service.queue.limits import Limiter
from service.queue.live import DecisionBoard, DecisionHub
from service.queue.questions import Answers, QuestionLine
from service.queue.recent_texts import RecentTexts
from service.queue.review import ReviewQueue
from service.queue.scorer_status import ScorerBoard
from service.queue.scoring import ScoringStream
from service.queue.spent import Spent
from service.settings import Settings
from service.store.database import Database
from service.store.types import Row

__all__ = ["Context", "Row", "new_uuid7", "utc_now"]


def utc_now() -> datetime:
    """Answer the time."""
    return datetime.now(UTC)


new_uuid7 = Uuid7()


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one process."""

    settings: Settings
    database: Database
    stream: ScoringStream
    reviews: ReviewQueue
    scorers: ScorerBoard
    decisions: DecisionBoard
    hub: DecisionHub
    fanout: Fanout
    questions: QuestionLine
    answers: Answers
    quick: Quick
    box: Box
    passwords: Passwords
    egress: Egress
    webhook_egress: Egress
    key_sets: KeySets
    networks: Networks
    limiter: Limiter
    spent: Spent
    recent_texts: RecentTexts
    author_tokens: AuthorTokens
    directory: Directory
    akismet_url: str = "https://rest.akismet.com/1.1/comment-check"
    akismet_patience: Patience = field(default_factory=Patience)
    now: Callable[[], datetime] = utc_now
    new_id: Callable[[], str] = new_uuid7
