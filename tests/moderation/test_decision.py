"""The table of transitions, whole: what it allows, what it refuses, and what no one may ever do."""

from itertools import product

import pytest

from moderation.decision import TRANSITIONS, Action, ActorKind, Status, TransitionError, next_status

EXPECTED = {
    "moderator": (
        "pending approve published, pending hold held, pending reject rejected, pending escalate held, "
        "held approve published, held reject rejected, held escalate held, published approve published, "
        "published reject removed, published remove removed, published escalate published, "
        "rejected approve published, rejected restore published, rejected hold held, rejected reject rejected, "
        "removed restore published, removed approve published, removed reject removed"
    ),
    "machine": "pending approve published, pending hold held, pending reject rejected",
    "system": "pending hold held, published hold held",
    "author": (
        "pending delete deleted, held delete deleted, published delete deleted, rejected delete deleted, "
        "removed delete deleted"
    ),
}
ALL = list(product(Status, Action, ActorKind, (False, True)))


def expected(status: Status, action: Action, actor: ActorKind) -> str | None:
    """Return what the table above says, or None for a refusal."""
    moves = (move.split() for move in EXPECTED[actor].split(", "))
    return next((after for before, act, after in moves if (before, act) == (status, action)), None)


@pytest.mark.parametrize(("status", "action", "actor", "by_person"), ALL)
def test_the_whole_table(status: Status, action: Action, actor: ActorKind, by_person: bool) -> None:
    """Each of all combinations goes where the table says or is refused with its names."""
    after = expected(status, action, actor)
    if after is not None:
        assert next_status(status, action, actor, by_person=by_person) == after
        return
    with pytest.raises(TransitionError) as caught:
        next_status(status, action, actor, by_person=by_person)
    assert (caught.value.status, caught.value.action, caught.value.actor) == (status, action, actor)


def test_nothing_leaves_deleted() -> None:
    """What its author deleted stays deleted."""
    assert not [1 for table in TRANSITIONS.values() for status, _ in table if status is Status.DELETED]


def test_only_a_person_shows_what_was_hidden() -> None:
    """No machine, system or author move leads from rejected or removed to published."""
    hidden = {Status.REJECTED, Status.REMOVED}
    movers = {
        actor
        for actor, table in TRANSITIONS.items()
        for (status, _), after in table.items()
        if status in hidden and after is Status.PUBLISHED
    }
    assert movers == {ActorKind.MODERATOR}


def test_a_table_that_let_a_machine_publish_would_still_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule about what a person hid does not rest on the table alone."""
    monkeypatch.setitem(TRANSITIONS[ActorKind.MACHINE], (Status.REMOVED, Action.RESTORE), Status.PUBLISHED)
    with pytest.raises(TransitionError):
        next_status(Status.REMOVED, Action.RESTORE, ActorKind.MACHINE, by_person=True)
