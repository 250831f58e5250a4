"""A letter as bytes: plain text and HTML, with headers that nothing which somebody wrote can break out of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy, Policy
from email.utils import format_datetime
from typing import Any, Final, NamedTuple

from service.mail_server import Sender

#: What ends a line for somebody, is not to be seen, or turns the direction of what follows.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS: Final = frozenset("\u200c\u200d")
_SPACES: Final = re.compile(r"\s+")
_MOST_IN_HEADER: Final = 150
_CUT: Final = "…"


class _Address(UnstructuredHeader, BaseHeader):
    """A header with an address of ours: on one line, since programs look for it as it is and not as encoded words."""

    def fold(self, *, policy: Policy[Any]) -> str:
        """Answer the header as it is sent; a line has at most 998 signs (RFC 5322), ours far fewer."""
        return f"{self.name}: {self}{policy.linesep}"


def _policy() -> EmailPolicy[EmailMessage]:
    registry = HeaderRegistry()
    registry.map_to_type("List-Unsubscribe", _Address)
    return SMTP.clone(header_factory=registry)


_POLICY: Final = _policy()


class Letter(NamedTuple):
    """Whom a message goes to, and its bytes as SMTP takes them."""

    to: str
    content: bytes


class Draft(NamedTuple):
    """What a letter says, before anything is made safe for headers."""

    subject: str
    from_name: str
    plain: str
    html: str
    language: str
    message_id: str
    headers: Mapping[str, str]


def compose(draft: Draft, *, sender: Sender, to: str, at: datetime) -> Letter:
    """Answer the letter of a draft."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(one_line(sender.name or draft.from_name), addr_spec=sender.address)
    message["To"] = Address(addr_spec=to)
    message["Subject"] = one_line(draft.subject)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{draft.message_id}@{sender.domain}>"
    # So that no holiday note answers (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message["Precedence"] = "bulk"
    for name, value in draft.headers.items():
        message[name] = value
    message.set_content(writable(draft.plain), cte="quoted-printable")
    message.add_alternative(writable(draft.html), subtype="html", cte="quoted-printable")
    # Only now: setting the content takes such headers away.
    message["Content-Language"] = draft.language
    return Letter(to, message.as_bytes())


def one_line(text: str) -> str:
    """Answer a text as it may stand in a header: one line, nothing that is not to be seen, and not too long."""
    kept = "".join(one if _is_seen(one) else " " for one in text)
    # What looks like an encoded word (RFC 2047) would be decoded while the header is written, and could be a line end.
    line = _SPACES.sub(" ", kept).strip().replace("=?", "= ?")
    return line if len(line) <= _MOST_IN_HEADER else line[: _MOST_IN_HEADER - 1].rstrip() + _CUT


def writable(text: str) -> str:
    """Answer a text that can be encoded, whatever was in it, and whose lines end as SMTP's do."""
    lines = "\n".join(text.splitlines()) + "\n"
    return "".join(one if one == "\n" or unicodedata.category(one) not in ("Cc", "Cs") else " " for one in lines)


def _is_seen(one: str) -> bool:
    return one in _JOINERS or unicodedata.category(one) not in _UNSEEN
