"""What people said by `suggestscore`, beside what our model said of the same texts: rows to fit on, and quality."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from moderation.agreement import THRESHOLDS, AtThreshold, area_under_curve, at_threshold
from moderation.calibration import expected_calibration_error
from moderation.scores import Attribute
from service.flow.calibrate import Rows
from service.flow.context import Context
from service.store import suggestions
from service.store.types import Row

SOURCE: Final = "suggestions"
#: From where on a suggested value says that a text is what the attribute speaks of.
HARM: Final = 0.5
_PAGE: Final = 1_000


class Labelled(msgspec.Struct, frozen=True):
    """The last word on one text: from which community, what was said, and what a model had said of it, if one did."""

    community: str
    label: bool
    model_id: str | None
    value: float | None


class Community(msgspec.Struct, frozen=True):
    """How well a model's scores fit the labels of one community; figures are None where its rows cannot tell them."""

    name: str
    labels: int
    scored: int
    positive: int
    auc: float | None
    ece: float | None
    at: tuple[AtThreshold, ...]


async def labelled(context: Context, site: Row, attribute: Attribute, community: str | None) -> list[Labelled]:
    """Answer the labels of an attribute on a site, or in one of its communities, each text's last one.

    Texts are told apart by the client's own id and their hash; of a text with neither each label counts.
    """
    latest: dict[tuple[str, ...], Labelled] = {}
    async for row in _suggestions(context, site, attribute, community):
        latest[_text_of(row)] = Labelled(row.community_id or "", row.value >= HARM, row.model_id, row.our_score)
    return list(latest.values())


async def _suggestions(context: Context, site: Row, attribute: Attribute, community: str | None) -> AsyncIterator[Row]:
    last = ""
    while True:
        async with context.database.reading() as connection:
            page = await suggestions.after(
                connection, site.id, attribute.value, community_id=community, last=last, limit=_PAGE
            )
        for row in page:
            yield row
        if len(page) < _PAGE:
            return
        last = page[-1].id


def _text_of(row: Row) -> tuple[str, ...]:
    # Both, since a client may give all its calls one id, and readers often write the same.
    if row.client_token is None and row.text_hash is None:
        return (row.id,)
    return (row.community_id or "", row.client_token or "", row.text_hash or "")


def rows_of(model_id: str, found: Sequence[Labelled]) -> Rows:
    """Answer the labels of texts that a model has scored, with its own values."""
    kept = [(one.value, one.label) for one in found if one.model_id == model_id and one.value is not None]
    return Rows([value for value, _ in kept], [label for _, label in kept], SOURCE)


def quality(model_id: str, found: Sequence[Labelled]) -> list[Community]:
    """Answer how well a model fits each community's labels, the largest first."""
    grouped: defaultdict[str, list[Labelled]] = defaultdict(list)
    for one in found:
        grouped[one.community].append(one)
    largest_first = sorted(grouped.items(), key=lambda group: -len(group[1]))
    return [_community(name, model_id, labels) for name, labels in largest_first]


def _community(name: str, model_id: str, found: Sequence[Labelled]) -> Community:
    rows = rows_of(model_id, found)
    values, labels = rows.values, rows.labels
    return Community(
        name=name,
        labels=len(found),
        scored=len(values),
        positive=sum(labels),
        auc=area_under_curve(values, labels),
        ece=expected_calibration_error(values, labels) if values else None,
        at=tuple(at_threshold(values, [float(label) for label in labels], threshold) for threshold in THRESHOLDS),
    )
