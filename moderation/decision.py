"""The statuses of a comment and the one table of who may change them, and how."""

from enum import StrEnum


class Status(StrEnum):
    """Where a comment stands; only `published` is shown to readers."""

    PENDING = "pending"
    HELD = "held"
    PUBLISHED = "published"
    REJECTED = "rejected"
    REMOVED = "removed"
    DELETED = "deleted"


class Action(StrEnum):
    """What is done to a comment; delete is its author's alone."""

    APPROVE = "approve"
    HOLD = "hold"
    REJECT = "reject"
    REMOVE = "remove"
    RESTORE = "restore"
    ESCALATE = "escalate"
    DELETE = "delete"


class ActorKind(StrEnum):
    """Who acts: the model under a policy, a person of the site, the author, or the service itself."""

    MACHINE = "machine"
    MODERATOR = "moderator"
    AUTHOR = "author"
    SYSTEM = "system"


class TransitionError(ValueError):
    """An action that the table does not allow from a status; both are attributes."""

    def __init__(self, status: Status, action: Action, actor: ActorKind) -> None:
        """Take the move that was refused."""
        super().__init__(f"{actor} may not {action} a comment that is {status}")
        self.status = status
        self.action = action
        self.actor = actor


_S, _A = Status, Action
_BY_MODERATOR = {
    (_S.PENDING, _A.APPROVE): _S.PUBLISHED,
    (_S.PENDING, _A.HOLD): _S.HELD,
    (_S.PENDING, _A.REJECT): _S.REJECTED,
    (_S.PENDING, _A.ESCALATE): _S.HELD,
    (_S.HELD, _A.APPROVE): _S.PUBLISHED,
    (_S.HELD, _A.REJECT): _S.REJECTED,
    (_S.HELD, _A.ESCALATE): _S.HELD,
    (_S.PUBLISHED, _A.APPROVE): _S.PUBLISHED,
    (_S.PUBLISHED, _A.REJECT): _S.REMOVED,
    (_S.PUBLISHED, _A.REMOVE): _S.REMOVED,
    (_S.PUBLISHED, _A.ESCALATE): _S.PUBLISHED,
    (_S.REJECTED, _A.APPROVE): _S.PUBLISHED,
    (_S.REJECTED, _A.RESTORE): _S.PUBLISHED,
    (_S.REJECTED, _A.HOLD): _S.HELD,
    (_S.REJECTED, _A.REJECT): _S.REJECTED,
    (_S.REMOVED, _A.RESTORE): _S.PUBLISHED,
    (_S.REMOVED, _A.APPROVE): _S.PUBLISHED,
    (_S.REMOVED, _A.REJECT): _S.REMOVED,
}
_BY_MACHINE = {
    (_S.PENDING, _A.APPROVE): _S.PUBLISHED,
    (_S.PENDING, _A.HOLD): _S.HELD,
    (_S.PENDING, _A.REJECT): _S.REJECTED,
}
# The service itself only ever asks for a person: about what cannot be scored, and about what readers report.
_BY_SYSTEM = {(_S.PENDING, _A.HOLD): _S.HELD, (_S.PUBLISHED, _A.HOLD): _S.HELD}
_BY_AUTHOR: dict[tuple[Status, Action], Status] = {
    (status, _A.DELETE): _S.DELETED for status in _S if status is not _S.DELETED
}

TRANSITIONS: dict[ActorKind, dict[tuple[Status, Action], Status]] = {
    ActorKind.MODERATOR: _BY_MODERATOR,
    ActorKind.MACHINE: _BY_MACHINE,
    ActorKind.SYSTEM: _BY_SYSTEM,
    ActorKind.AUTHOR: _BY_AUTHOR,
}
"""Every allowed move; what is not here is refused."""


def next_status(status: Status, action: Action, actor: ActorKind, *, by_person: bool) -> Status:
    """Return the status after an action, or raise TransitionError.

    `by_person` tells that a person set the current status: then only a person may publish what is rejected or removed.
    """
    after = TRANSITIONS[actor].get((status, action))
    hidden_by_person = by_person and status in {Status.REJECTED, Status.REMOVED}
    if after is None or (after is Status.PUBLISHED and hidden_by_person and actor is not ActorKind.MODERATOR):
        raise TransitionError(status, action, actor)
    return after
