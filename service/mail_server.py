"""Mail addresses and the server that takes our mail, read strictly from what somebody typed."""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.utils import parseaddr
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

MOST_CHARACTERS: Final = 254
_LOCAL_CHARACTERS: Final = 64
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = re.compile(rf"(?:{_LABEL}\.)+(?!\d+\Z){_LABEL}")
_PORTS: Final = {"smtp": 25, "smtps": 465}
#: What is sent with a password by people goes here (RFC 6409).
_SUBMISSION: Final = 587


class MailServer(NamedTuple):
    """An SMTP server, whether it speaks TLS from the first byte, and who we are there."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None

    @property
    def is_loopback(self) -> bool:
        """Whether what is said to it stays on this machine."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def must_encrypt(self) -> bool:
        """Whether nothing may be said before STARTTLS: a password would be read on the way."""
        return not self.tls and self.password is not None and not self.is_loopback


class Sender(NamedTuple):
    """Whom our mail is from."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """The part behind the @."""
        return self.address.rpartition("@")[2]


def mailbox(text: str) -> str:
    """Answer an address as it is sent to, its domain in ASCII and small letters, or raise ValueError (RFC 5321).

    Quoted and non-ASCII names before the @ are refused, and bare hosts: hardly anybody has them, and each has a
    character that means something else to some server.
    """
    local, at, domain = text.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError("not a mail address") from None
    right = at and len(local) <= _LOCAL_CHARACTERS and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)
    if not right or len(local) + len(domain) >= MOST_CHARACTERS:
        raise ValueError("not a mail address")
    return f"{local}@{domain}"


def one_mailbox(address: str) -> str:
    """Answer what several spellings of one mailbox have in common: case, dots and `+words` are taken away."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0].replace('.', '').lower()}@{domain}"


def parse_sender(text: str) -> Sender:
    """Answer MAIL_FROM, `comments@daily.example` or `The Daily <comments@daily.example>`; raise ValueError."""
    name, address = parseaddr(text)
    address = mailbox(address)
    if not text.isprintable():
        raise ValueError("must be one line")
    # Raises for what cannot stand in a header.
    return Sender(Address(name, addr_spec=address).display_name, address)


def parse_mail_server(url: str) -> MailServer:
    """Answer SMTP_URL, `smtp://USER:PASSWORD@HOST:PORT` or `smtps://...`; raise ValueError, which quotes nothing."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError("must begin with smtp:// or smtps://")
    if not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("must be smtp://USER:PASSWORD@HOST:PORT, or smtps://")
    user, password = (unquote(one) if one is not None else None for one in (parts.username, parts.password))
    if (user is None) != (password is None) or any(
        one is not None and not one.isprintable() for one in (user, password)
    ):
        raise ValueError("needs both a user and a password, or neither")
    usual = _SUBMISSION if parts.scheme == "smtp" and user else _PORTS[parts.scheme]
    return MailServer(parts.hostname, parts.port or usual, parts.scheme == "smtps", user, password)
