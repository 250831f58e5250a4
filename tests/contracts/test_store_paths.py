"""Materialised paths: comparing them byte by byte walks the tree in pre-order with siblings by id."""

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from service.store.database import Database
from service.store.paths import AFTER, SEGMENT, ancestor_ids, child_path, comment_id_of, depth, segment
from service.store.types import Id, Path

IDS = st.uuids().map(str)
#: Ids as close together as one millisecond's can be, and at both ends of what an id can be.
CLOSE = st.sampled_from([0, 1, 62, 63, 64, 65, 2**64, 2**127, 2**128 - 65, 2**128 - 64, 2**128 - 1])
EDGES = CLOSE.map(lambda number: f"{number:032x}").map(lambda h: f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}")
ANY = IDS | EDGES
TREES = st.lists(st.tuples(ANY, st.integers(0, 20)), min_size=1, max_size=20, unique_by=lambda pair: pair[0])
OFTEN = settings(max_examples=300, deadline=None)


def planted(tree: list[tuple[str, int]]) -> dict[str, tuple[str | None, str]]:
    """Parent and path of each id; a number names an earlier comment to answer, or none."""
    nodes: dict[str, tuple[str | None, str]] = {}
    for comment_id, number in tree:
        earlier = list(nodes)
        parent = earlier[number] if number < len(earlier) else None
        nodes[comment_id] = (parent, child_path(nodes[parent][1] if parent else "", comment_id))
    return nodes


def depth_first(nodes: dict[str, tuple[str | None, str]], parent: str | None = None) -> list[str]:
    """The definition of the order: each comment, then what is under it, siblings by id."""
    walked = []
    for comment_id in sorted(one for one, (above, _) in nodes.items() if above == parent):
        walked += [comment_id, *depth_first(nodes, comment_id)]
    return walked


@OFTEN
@given(ANY, ANY)
def test_segments_order_as_ids_do(one: str, other: str) -> None:
    """Two segments compare as their ids compare, in characters and in bytes."""
    assert (segment(one) < segment(other)) == (one < other)
    assert (segment(one).encode() < segment(other).encode()) == (one < other)


@OFTEN
@given(ANY)
def test_a_segment_stands_for_one_id(comment_id: str) -> None:
    """A segment is always as long and gives its id back."""
    assert len(segment(comment_id)) == SEGMENT
    assert comment_id_of(segment(comment_id)) == comment_id


@OFTEN
@given(st.lists(ANY, min_size=1, max_size=8))
def test_a_path_names_its_ancestors(ids: list[str]) -> None:
    """The ancestors that a path names are those it was built from, and as many as it is deep."""
    path = ""
    for comment_id in ids:
        path = child_path(path, comment_id)
    assert ancestor_ids(path) == ids[:-1]
    assert depth(path) == len(ids) - 1


@OFTEN
@given(TREES)
def test_paths_in_order_are_the_tree_depth_first(tree: list[tuple[str, int]]) -> None:
    """Sorting by path is walking depth first with siblings by id."""
    nodes = planted(tree)
    assert sorted(nodes, key=lambda one: nodes[one][1]) == depth_first(nodes)


@OFTEN
@given(TREES)
def test_the_bounds_of_a_subtree_are_exact(tree: list[tuple[str, int]]) -> None:
    """Between a path and its end stands all that hangs under it, and nothing else."""
    nodes = planted(tree)
    for comment_id, (_, path) in nodes.items():
        between = {one for one, (_, its) in nodes.items() if path < its < path + AFTER}
        assert between == {one for one, (_, its) in nodes.items() if comment_id in ancestor_ids(its)}


@pytest.mark.anyio
async def test_databases_order_paths_and_ids_by_bytes(database: Database) -> None:
    """Neither database lets a language's collation near ids and paths."""
    ids = [f"018f0000-0000-7000-8000-0000000000{number:02x}" for number in (1, 2, 36, 37, 38, 63, 64, 99, 255)]
    paths = [segment(one) for one in ids] + [segment(ids[0]) + segment(one) for one in ids]
    table = sa.Table("compared", sa.MetaData(), sa.Column("id", Id), sa.Column("path", Path))
    async with database.writing() as connection:
        await connection.run_sync(table.create)
        await connection.execute(table.insert(), [{"id": path[-36:], "path": path} for path in reversed(paths)])
        by_path = list((await connection.execute(sa.select(table.c.path).order_by(table.c.path))).scalars())
        by_id = list((await connection.execute(sa.select(table.c.id).order_by(table.c.id))).scalars())
    assert by_path == sorted(paths, key=str.encode)
    assert by_id == sorted(by_id, key=str.encode)
