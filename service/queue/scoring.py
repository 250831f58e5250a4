"""The scoring stream: which revisions wait for a score, who works on them, and which nobody could score."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from service.queue.client import MAX_BLOCK_MS, load_script, only_unavailable

GROUP: Final = "scorers"
FIELD: Final = "revision_id"
#: An entry's second field, where its submit is traced.
TRACE: Final = "trace"
# Unblocked readers are told so in another word since Redis 7.
LOST_GROUP: Final = ("NOGROUP", "UNBLOCKED", "no such key")


class Entry(msgspec.Struct, frozen=True):
    """One delivery of one revision; `deliveries` is 1 the first time, `trace` the place of what put it there."""

    entry_id: str
    revision_id: str
    deliveries: int
    trace: str | None = None


class StreamDepth(msgspec.Struct, frozen=True):
    """How many entries wait, are being scored, and were buried; `oldest_age_ms` is None when nothing is owed."""

    waiting: int
    in_flight: int
    dead: int
    oldest_age_ms: int | None


class ScoringStream:
    """Hands each revision to one consumer at a time, at least once, until it is acknowledged or buried."""

    def __init__(
        self,
        client: Redis,
        blocking_client: Redis,
        *,
        consumer: str,
        prefix: str = "colloquy",
        dead_limit: int = 10_000,
    ) -> None:
        self._client = client
        self._blocking = blocking_client
        self._consumer = consumer
        self._dead_limit = dead_limit
        self._stream = f"{prefix}:scoring:stream"
        self._markers = f"{prefix}:scoring:queued"
        self._dead = f"{prefix}:scoring:dead"
        self._own_cursor = "-"
        self._enqueue = load_script(client, "scoring_enqueue")
        self._settle_script = load_script(client, "scoring_settle")
        self._recover_script = load_script(client, "scoring_recover")
        self._keep = load_script(client, "scoring_keep")
        self._depth = load_script(client, "scoring_depth")
        self._forget = load_script(client, "scoring_forget")

    @only_unavailable
    async def enqueue(self, revision_ids: Sequence[str], *, trace: str | None = None) -> int:
        """Add the revisions that are not in the stream, repair what was lost of it, and return how many were added."""
        if not revision_ids:
            return 0
        return int(await self._enqueue([self._stream, self._markers], [GROUP, trace or "", *revision_ids]))

    @only_unavailable
    async def fetch(self, count: int, block_ms: int) -> list[Entry]:
        """Return up to `count` entries that nobody has yet, waiting at most `block_ms` (2000 at the most)."""
        if count < 1:
            return []
        try:
            return await self._read(count, block_ms)
        except ResponseError as error:
            if not _group_is_lost(error):
                raise
        await self._create_group()
        return await self._read(count, block_ms)

    @only_unavailable
    async def recover_own(self, count: int) -> list[Entry]:
        """Return what this consumer name held before a restart; call it until it is empty, before the first fetch."""
        cursor, entries = await self._claim(count, 0, self._own_cursor, self._consumer)
        self._own_cursor = cursor
        return entries

    @only_unavailable
    async def recover(self, count: int, min_idle_ms: int) -> list[Entry]:
        """Take over up to `count` entries, anyone's, that nobody touched for `min_idle_ms`."""
        _, entries = await self._claim(count, min_idle_ms, "-", "")
        return entries

    @only_unavailable
    async def keep(self, entries: Sequence[Entry]) -> None:
        """Say that the entries are still being worked on; an entry that another consumer took over stays there."""
        if not entries:
            return
        try:
            await self._keep([self._stream], [GROUP, self._consumer, *(entry.entry_id for entry in entries)])
        except ResponseError as error:
            if not _group_is_lost(error):
                raise

    @only_unavailable
    async def acknowledge(self, entries: Sequence[Entry]) -> None:
        """Remove the entries and their markers: their revisions are scored and committed."""
        await self._settle(entries, "")

    @only_unavailable
    async def bury(self, entries: Sequence[Entry], reason: str) -> None:
        """Move the entries to the bounded list of the dead, under a stable reason code."""
        await self._settle(entries, reason or "unknown")

    @only_unavailable
    async def depth(self, now_ms: int) -> StreamDepth:
        """Count the stream; the age is that of the oldest entry not yet acknowledged, in flight or not."""
        total, in_flight, dead, oldest = await self._depth([self._stream, self._dead], [GROUP])
        age = None if oldest is None else max(0, now_ms - int(oldest.partition("-")[0]))
        return StreamDepth(max(0, total - in_flight), in_flight, dead, age)

    @only_unavailable
    async def forget_consumers(self, min_idle_ms: int) -> int:
        """Drop the names of consumers that hold nothing and were silent for `min_idle_ms`; return how many."""
        try:
            return int(await self._forget([self._stream], [GROUP, self._consumer, min_idle_ms]))
        except ResponseError as error:
            if not _group_is_lost(error):
                raise
            return 0

    async def _read(self, count: int, block_ms: int) -> list[Entry]:
        # BLOCK 0 would wait for ever.
        block = min(block_ms, MAX_BLOCK_MS) if block_ms > 0 else None
        streams: dict[Any, Any] = {self._stream: ">"}
        reply: Any = await self._blocking.xreadgroup(GROUP, self._consumer, streams, count=count, block=block)
        return [
            Entry(entry_id, fields[FIELD], 1, fields.get(TRACE)) for entry_id, fields in reply.get(self._stream, [])
        ]

    async def _create_group(self) -> None:
        try:
            # From 0, not from the end: what was added before the group was lost is still owed.
            await self._client.xgroup_create(self._stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _claim(self, count: int, min_idle_ms: int, cursor: str, owner: str) -> tuple[str, list[Entry]]:
        args: list[str | int] = [GROUP, self._consumer, count, min_idle_ms, cursor, owner]
        try:
            cursor, claimed = await self._recover_script([self._stream], args)
        except ResponseError as error:
            if not _group_is_lost(error):
                raise
            return cursor, []
        return cursor, [
            Entry(entry_id, revision_id, deliveries, trace or None)
            for entry_id, revision_id, deliveries, trace in claimed
        ]

    async def _settle(self, entries: Sequence[Entry], reason: str) -> None:
        if not entries:
            return
        args: list[str | int] = [GROUP, reason, self._dead_limit]
        for entry in entries:
            args += [entry.entry_id, entry.revision_id, entry.deliveries]
        keys = [self._stream, self._markers, self._dead]
        await self._settle_script(keys, args)


def _group_is_lost(error: ResponseError) -> bool:
    return any(word in str(error) for word in LOST_GROUP)
