"""How audit events are chained: what is hashed, in which form, and what is wrong with an event that does not fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from service.store.types import Row

#: The chain of what happened outside of any site; a site's chain has the site's id.
INSTALLATION = "installation"
#: What the first event of a chain names as the one before it.
START = "0" * 64


def chain_of(site_id: str | None) -> str:
    """Answer the chain that a site's events, or the installation's, are linked in."""
    return INSTALLATION if site_id is None else site_id


def data_hash(salt: str, data: Mapping[str, Any]) -> str:
    """Answer SHA-256 over a salt and data; without the salt nobody can find out erased data by guessing."""
    return _sha256(salt.encode() + canonical(data))


def event_hash(event: Mapping[str, Any]) -> str:
    """Answer SHA-256 over everything an event says, its place and the event before it; of its data only the hash."""
    said = [
        event[name] for name in ("chain", "sequence", "previous_hash", "id", "actor_kind", "actor", "action", "subject")
    ]
    moment: datetime = event["created_at"]
    return _sha256(canonical([*said, moment.astimezone(UTC).isoformat(timespec="microseconds"), event["data_hash"]]))


def canonical(value: Any) -> bytes:
    """Answer JSON whose bytes are the same however a database kept the value: sorted, ASCII, whole floats as ints."""
    return json.dumps(_settled(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def fault_of(event: Row, *, sequence: int, previous: str) -> str | None:
    """Answer what is wrong with an event that should stand here in its chain, or None."""
    if event.sequence != sequence:
        number = event.sequence - sequence
        return f"{number} event{'s' if number > 1 else ''} missing before it"
    if event.previous_hash != previous:
        return "the event before it is another one: something was changed, inserted or put in another order"
    if event_hash(event._asdict()) != event.hash or chain_of(event.site_id) != event.chain:
        return "it was changed"
    return _fault_of_data(event)


def _fault_of_data(event: Row) -> str | None:
    if event.erased_at is not None:
        return None if event.data == {} and event.salt is None else "it is marked as erased and still has data"
    if event.salt is None:
        return "its data was emptied without being marked as erased"
    return None if data_hash(event.salt, event.data) == event.data_hash else "its data was changed"


def _settled(value: Any) -> Any:
    # PostgreSQL gives a whole number back as one, however it was written; SQLite gives back what was written.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _settled(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_settled(one) for one in value]
    return value


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
