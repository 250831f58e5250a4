"""The audit record as admins read it: with names, narrowed by person or act, and with what it can be narrowed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from service.flow.audit import event_view
from service.flow.context import Context
from service.schemas.privacy import AuditActor, AuditChoices, NamedEvent, NamedEvents
from service.store import audit as store
from service.store import names
from service.store.types import Row

PATIENCE_SECONDS: Final = 10.0
#: Enough to know who and what there is; a record of years is not walked for it.
LOOKED_AT: Final = 50_000
_NAMES: Final = {"cli": "operator", "machine": "machine", "system": "machine"}


async def listed(
    context: Context, site: Row, *, after: str | None, limit: int, only: Mapping[str, str | None]
) -> NamedEvents:
    """Answer the events of a site, the newest first; `only` names act (or its first word), person or subject."""
    wanted = {column: value for column, value in only.items() if value is not None}
    # A filter that little fits walks far along the index.
    async with context.database.reading(patience_seconds=PATIENCE_SECONDS if wanted else None) as connection:
        who = wanted.get("actor")
        actors = await names.called(connection, site.id, who) if who else []
        rows = await store.newest(connection, site.id, before_id=after, limit=limit + 1, only=wanted, actors=actors)
        page = rows[:limit]
        known = await names.of_actors(connection, site.id, [one for row in page for one in (row.actor, row.subject)])
    events = [
        NamedEvent(
            **msgspec.structs.asdict(event_view(row)),
            actor_name=known.get(row.actor) or _NAMES.get(row.actor),
            subject_name=known.get(row.subject),
        )
        for row in page
    ]
    return NamedEvents(events, page[-1].id if len(rows) > limit else None)


async def choices(context: Context, site: Row) -> AuditChoices:
    """Answer who acted lately on a site or may act, by name, and which acts there were lately."""
    async with context.database.reading(patience_seconds=PATIENCE_SECONDS) as connection:
        acted = await store.acted(connection, site.id, limit=LOOKED_AT)
        there = await names.everybody(connection, site.id)
        known = await names.of_actors(connection, site.id, {row.actor for row in acted})
    # Of authors there may be many, who acted on themselves alone.
    kinds = dict.fromkeys(there, "member") | {
        row.actor: row.actor_kind for row in acted if row.actor and row.actor_kind != "author"
    }
    people = [AuditActor(actor, kind, (there | known).get(actor) or _NAMES.get(actor)) for actor, kind in kinds.items()]
    people.sort(key=lambda one: (one.name is None, (one.name or "").casefold(), one.actor))
    return AuditChoices(people, sorted({row.action for row in acted}))
