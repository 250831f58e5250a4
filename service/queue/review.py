"""The review queue of a site: the order in which items are handed to moderators; the lease itself is a row in SQL."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from redis.asyncio import Redis

from service.queue.client import load_script, only_unavailable

WHOLE_SECONDS: Final = 600
"""So long as many items as are open are taken for the very same; then each is looked at again."""


class Standing(NamedTuple):
    """Where an item stands: the lowest order of a queue comes first."""

    item_id: str
    order: float
    queue: str


class ReviewQueue:
    """Hands each ready item to one taker, lowest order first, and takes it back when its lease has run out."""

    def __init__(self, client: Redis, prefix: str = "colloquy") -> None:
        self._client = client
        self._prefix = prefix
        self._add = load_script(client, "review_add")
        self._take = load_script(client, "review_take")
        self._renew = load_script(client, "review_renew")
        self._put_back = load_script(client, "review_put_back")
        self._remove = load_script(client, "review_remove")
        self._mark_leased = load_script(client, "review_mark_leased")

    @only_unavailable
    async def add(self, site_id: str, items: Sequence[Standing]) -> int:
        """Put items where they stand unless they are leased; return how many were neither ready nor leased."""
        if not items:
            return 0
        return int(await self._add(self._keys(site_id), [part for item in items for part in item]))

    @only_unavailable
    async def take(self, site_id: str, queues: Sequence[str], limit: int, *, now_ms: int, until_ms: int) -> list[str]:
        """Return up to `limit` items of these queues, now leased until `until_ms`, the lowest order of all first.

        Leases that ended by `now_ms` count as ready.
        """
        return list(await self._take(self._keys(site_id), [limit, now_ms, until_ms, *queues]))

    @only_unavailable
    async def renew(self, site_id: str, item_id: str, until_ms: int) -> None:
        """Let the lease of the item end at `until_ms`, also where the item was ready again."""
        await self._renew(self._keys(site_id), [item_id, until_ms])

    @only_unavailable
    async def put_back(self, site_id: str, item_id: str) -> None:
        """Return a leased item to its place among the ready ones."""
        await self._put_back(self._keys(site_id), [item_id])

    @only_unavailable
    async def remove(self, site_id: str, item_ids: Sequence[str]) -> None:
        """Forget items that were decided or superseded."""
        if item_ids:
            await self._remove(self._keys(site_id), item_ids)

    @only_unavailable
    async def mark_leased(self, site_id: str, item: Standing, until_ms: int) -> None:
        """Record a lease that SQL knows of and Redis forgot; a longer lease stays as it is."""
        await self._mark_leased(self._keys(site_id), [*item, until_ms])

    @only_unavailable
    async def counts(self, site_id: str) -> tuple[int, int]:
        """Return how many items are ready and how many are leased; a lease that ran out counts until the next take."""
        _, leased, orders = self._keys(site_id)
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.hlen(orders)
            pipe.zcard(leased)
            known, held = await pipe.execute()
        return int(known) - int(held), int(held)

    @only_unavailable
    async def known(self, site_id: str) -> int:
        """Return how many items are known of a site; -1 where nobody has lately looked at each of them."""
        _, _, orders = self._keys(site_id)
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.exists(f"{orders}:whole")
            pipe.hlen(orders)
            whole, number = await pipe.execute()
        return int(number) if whole else -1

    @only_unavailable
    async def some(self, site_id: str, cursor: int, limit: int) -> tuple[int, list[str]]:
        """Return about so many of the known items, and where to go on; 0 when all were returned."""
        _, _, orders = self._keys(site_id)
        after, found = await self._client.hscan(orders, cursor, count=limit)
        return int(after), [str(item_id) for item_id in found]

    @only_unavailable
    async def note_whole(self, site_id: str) -> None:
        """Remember for a while that every open item of a site was put where it stands."""
        _, _, orders = self._keys(site_id)
        await self._client.set(f"{orders}:whole", "1", ex=WHOLE_SECONDS)

    def _keys(self, site_id: str) -> list[str]:
        base = f"{self._prefix}:review:{site_id}"
        return [f"{base}:ready", f"{base}:leased", f"{base}:orders"]
