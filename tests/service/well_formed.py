"""A strict reader of HTML: every element is closed, in order, by itself, and no text became markup."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"br", "hr", "input", "link", "meta"}


class Page(HTMLParser):
    """Elements in document order with their attributes and texts; raises AssertionError where one is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that the last one that was opened is closed."""
        assert self._open, tag
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Take note of a text."""
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        """Refuse what we never write."""
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        """Refuse what we never write."""
        raise AssertionError(data)

    def named(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """Answer the attributes of every element of a kind that has these."""
        return [found for name, found in self.elements if name == tag and attributes.items() <= found.items()]

    @property
    def text(self) -> str:
        """All texts, one behind the other."""
        return "".join(self.texts)
