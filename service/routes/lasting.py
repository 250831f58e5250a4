"""What everybody is given who asks the same: with its ETag, for caches here and on the way."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response

from service.coded import matches
from service.flow.page_cache import Shown
from service.settings import Settings
from service.visits import Ready, context_of, visit_of

_MOST_KEYS: Final = 10


def answered(
    request: Request[Any, Any, Any],
    shown: Shown,
    media_type: str,
    more: dict[str, str] | None = None,
    *,
    varies: tuple[str, ...] = (),
    apart: frozenset[bytes] = frozenset(),
    for_caches: bool = True,
) -> Response[bytes | None]:
    """Answer a page, or that the asker has it; the edge compresses it, and keeps it for who asks the same.

    One that is not `for_caches` is not offered to those in front: not all obey `Vary`.
    """
    visit, context = visit_of(request), context_of(request)
    assert visit.site is not None
    caches = _for_caches(context.settings, visit.site.slug, shown) if for_caches else {"cache-control": "no-cache"}
    own = {**caches, **(more or {})}
    # As the framework says it, which writes the answer where no edge is in front.
    content_type = media_type + "; charset=utf-8" if media_type.startswith("text/") else media_type
    visit.ready = Ready(shown, content_type, tuple(own.items()), varies, apart)
    headers = {"etag": shown.page.etag, **own, **({"vary": ", ".join(varies)} if varies else {})}
    if matches(request.headers.get("if-none-match"), shown.page.etag):
        return Response(None, status_code=304, headers=headers)
    return Response(shown.page.body, media_type=media_type, headers=headers)


def _for_caches(settings: Settings, slug: str, shown: Shown) -> dict[str, str]:
    """Answer what caches may do: a browser asks each time; one of the publisher's keeps it as long as it is told to.

    `CDN-Cache-Control` is RFC 9213, stale-while-revalidate and stale-if-error are RFC 5861; `X-Accel-Expires` is for
    nginx. None of it is in `Cache-Control`: a browser would then show its reader a thread without their own comment.
    """
    found = {"cache-control": "no-cache"}
    if not settings.cdn_seconds:
        return found
    keys = [f"site-{slug}"]
    # Of a front page's counts all keys would be more than proxies take for the head of an answer.
    if len(shown.thread_ids) <= _MOST_KEYS:
        keys += [f"thread-{one}" for one in shown.thread_ids]
    kept = (
        f"public, max-age={settings.cdn_seconds}, stale-while-revalidate={settings.cdn_stale_seconds}, "
        f"stale-if-error={settings.cdn_stale_seconds}"
    )
    return {
        # The first, because nginx before 1.23 obeys whichever of the two it reads first.
        "x-accel-expires": str(settings.cdn_seconds), **found, "cdn-cache-control": kept, "surrogate-control": kept,
        "surrogate-key": " ".join(keys), "cache-tag": ",".join(keys),
    }  # fmt: skip
