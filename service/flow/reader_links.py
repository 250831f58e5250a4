"""Where the pages of a thread that need no scripts are, and the article's own where a reader may be sent to it."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from service.settings import Settings
from service.store.types import Row

#: What may stand in an address as it is (RFC 3986, 2.2 and 2.3); the percent sign, because it was encoded before.
_IN_ADDRESSES = "%:/?#[]@!$&'()*+,;=-._~"


class Links:
    """The addresses of one thread's pages, in one language."""

    def __init__(self, settings: Settings, slug: str, page: str, language: str | None) -> None:
        self._site = f"{settings.url}/v1/sites/{slug}"
        self._thread = f"{self._site}/threads/{quote(page, safe='')}"
        self._language = language

    @property
    def feed(self) -> str:
        """The thread's feed."""
        return f"{self._thread}/feed"

    @property
    def site_feed(self) -> str:
        """The feed of the whole site."""
        return f"{self._site}/feed"

    @property
    def send(self) -> str:
        """Where the form is sent to."""
        return f"{self._thread}/form"

    def form(self, **query: str | None) -> str:
        """Answer the address of the form, or of what became of a comment."""
        return f"{self._thread}/form{self._query(query)}"

    def whole(self, **query: str | None) -> str:
        """Answer the address of the thread as a page of its own."""
        return f"{self._thread}/fragment{self._query({'page': '1', **query})}"

    def _query(self, query: dict[str, str | None]) -> str:
        given = {name: value for name, value in {**query, "lang": self._language}.items() if value is not None}
        return f"?{urlencode(given)}" if given else ""


def article_of(site: Row, url: str | None, comment_id: str | None = None) -> str | None:
    """Answer the article's address, and the comment's place on it; None unless it is on an origin of the site's.

    An origin must be followed by what ends it: whatever else a browser makes of the rest, it stays on that host.
    """
    if url is None or not any(url == one or url.startswith((f"{one}/", f"{one}?")) for one in site.allowed_origins):
        return None
    address = quote(url, safe=_IN_ADDRESSES)
    return f"{address.partition('#')[0]}#c-{comment_id}" if comment_id else address
