"""Any sequence of status changes over any tree leaves exactly the numbers that a recount gives (promise 8)."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.decision import Status
from service.flow.standings import Standing, Standings
from service.store.paths import ancestor_ids, child_path

STATUSES = st.sampled_from(list(Status))
#: For each comment the number of an earlier one that it answers; one that is out of range begins a branch.
TREES = st.lists(st.integers(-3, 11), min_size=1, max_size=12)
CHANGES = st.lists(st.tuples(st.integers(0, 11), STATUSES), max_size=40)
BATCHES = st.lists(CHANGES, max_size=6)
QUICK = settings(max_examples=200, deadline=None)


def id_of(number: int) -> str:
    """The id of the nth comment."""
    return f"018f0000-0000-7000-8000-{number:012x}"


def planted(tree: list[int]) -> dict[str, Standing]:
    """A tree of pending comments, as submits leave it."""
    nodes: dict[str, Standing] = {}
    for number, wanted in enumerate(tree):
        parent = nodes.get(id_of(wanted)) if 0 <= wanted < number else None
        path = child_path(parent.path if parent else "", id_of(number))
        parent_id = parent.id if parent else None
        nodes[id_of(number)] = Standing(id_of(number), parent_id, path, Status.PENDING, False, None, False, 0, 0)
    return nodes


def children_of(nodes: dict[str, Standing], parent_id: str) -> list[Standing]:
    """The direct replies of a comment."""
    return [node for node in nodes.values() if node.parent_id == parent_id]


def is_visible(nodes: dict[str, Standing], node: Standing) -> bool:
    """The definition: published, or holding up a visible reply."""
    replies = children_of(nodes, node.id)
    return node.status is Status.PUBLISHED or any(is_visible(nodes, reply) for reply in replies)


def recounted(nodes: dict[str, Standing]) -> dict[str, tuple[bool, int, int]]:
    """Visibility and both counters of each comment, from statuses alone."""
    return {
        node.id: (
            is_visible(nodes, node),
            sum(is_visible(nodes, reply) for reply in children_of(nodes, node.id)),
            sum(reply.status is Status.PUBLISHED for reply in children_of(nodes, node.id)),
        )
        for node in nodes.values()
    }


def stored(nodes: dict[str, Standing]) -> dict[str, tuple[bool, int, int]]:
    """Visibility and both counters of each comment, as the changes left them."""
    return {node.id: (node.visible, node.visible_replies, node.reply_count) for node in nodes.values()}


def published(nodes: dict[str, Standing]) -> int:
    """The number of published comments."""
    return sum(node.status is Status.PUBLISHED for node in nodes.values())


@QUICK
@given(TREES, CHANGES)
def test_any_changes_leave_what_a_recount_gives(tree: list[int], changes: list[tuple[int, Status]]) -> None:
    """After each change, every counter, every visibility and the thread's count equal a recount."""
    nodes = planted(tree)
    standings = Standings.of(nodes.values())
    for number, status in changes:
        standings.set_status(id_of(number % len(tree)), status, by_person=True)
        assert stored(nodes) == recounted(nodes)
        assert standings.published_delta == published(nodes)


@QUICK
@given(TREES, BATCHES)
def test_only_changed_rows_need_writing(tree: list[int], batches: list[list[tuple[int, Status]]]) -> None:
    """Writing what is named as changed, with the delta, keeps the table true over any number of transactions."""
    table = planted(tree)
    count = 0
    for changes in batches:
        copies = {key: replace(node) for key, node in table.items()}
        standings = Standings.of(copies.values())
        for number, status in changes:
            standings.set_status(id_of(number % len(tree)), status, by_person=False)
        table |= standings.changed
        count += standings.published_delta
        assert stored(table) == recounted(table)
        assert count == published(table)


@QUICK
@given(TREES, CHANGES, st.integers(0, 11), STATUSES)
def test_a_comment_and_its_ancestors_are_enough(
    tree: list[int], before: list[tuple[int, Status]], number: int, status: Status
) -> None:
    """A change never needs another comment than the changed one and those above it."""
    nodes = planted(tree)
    whole = Standings.of(nodes.values())
    for one, its_status in before:
        whole.set_status(id_of(one % len(tree)), its_status, by_person=False)
    changed = nodes[id_of(number % len(tree))]
    loaded = Standings.of([changed, *(nodes[ancestor] for ancestor in ancestor_ids(changed.path))])
    loaded.set_status(changed.id, status, by_person=False)
    assert stored(nodes) == recounted(nodes)
    assert set(loaded.changed) <= set(loaded.nodes)


@QUICK
@given(TREES, CHANGES, st.integers(0, 11), STATUSES)
def test_whatever_readers_can_see_is_told(
    tree: list[int], before: list[tuple[int, Status]], number: int, status: Status
) -> None:
    """A change that alters any comment that readers see, or whether they see it, asks for a new version."""
    nodes = planted(tree)
    earlier = Standings.of(nodes.values())
    for one, its_status in before:
        earlier.set_status(id_of(one % len(tree)), its_status, by_person=False)
    seen = shown(nodes)
    later = Standings.of(nodes.values())
    later.set_status(id_of(number % len(tree)), status, by_person=False)
    assert later.seen_by_readers or shown(nodes) == seen


def shown(nodes: dict[str, Standing]) -> dict[str, tuple[Status, int]]:
    """What readers are served of each visible comment."""
    return {node.id: (node.status, node.reply_count) for node in nodes.values() if node.visible}


@QUICK
@given(TREES, st.permutations(range(12)))
def test_publishing_and_hiding_everything_ends_where_it_began(tree: list[int], order: list[int]) -> None:
    """Once everything is hidden again, in any order, every counter is zero and nothing is visible."""
    nodes = planted(tree)
    standings = Standings.of(nodes.values())
    numbers = [number for number in order if number < len(tree)]
    for status in (Status.PUBLISHED, Status.REMOVED):
        for number in numbers:
            standings.set_status(id_of(number), status, by_person=True)
    assert set(stored(nodes).values()) == {(False, 0, 0)}
    assert standings.published_delta == 0
