"""How much memory an export takes, seen in a process that does nothing else: `python -m ... SLUG COMMENTER`."""

import asyncio
import json
import os
import sys
import tracemalloc

from service.composition import open_context
from service.flow import export_commenter
from service.flow.identify import find_site
from service.settings import Settings


async def measure(slug: str, commenter_id: str) -> dict[str, int]:
    """Answer the document's bytes, its comments, and the most bytes that were in use at once."""
    length, comments = 0, 0
    async with open_context(Settings.from_environment(os.environ)) as context:
        site = await find_site(context, slug)
        tracemalloc.start()
        async for piece in await export_commenter.begin(context, site, commenter_id, "test"):
            length += len(piece)
            comments += piece.count(b'"review_items":')
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return {"length": length, "comments": comments, "peak": peak}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(measure(sys.argv[1], sys.argv[2]))))
