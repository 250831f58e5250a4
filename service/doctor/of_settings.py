"""Settings that are right one by one and cannot work together, and those that are for development."""

from __future__ import annotations

import difflib
import resource
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from service.addresses import parse_networks
from service.doctor.findings import Finding, ok, problem, warning
from service.home import KEY_FILE, has_secret_key, secret_key_of
from service.settings import Settings, SettingsError

_FAMILIES: Final = ("SCORER_", "SMTP_", "OIDC_", "WEBHOOK", "EGRESS_", "MODELS_", "LIVE_", "COLLOQUY_", "MAIL_")
#: Set by the supervisor or by what is around the service.
_NO_SETTINGS: Final = frozenset({"COLLOQUY_SUPERVISOR"})
#: What OpenTelemetry reads by itself.
_OTHERS: Final = "OTEL_"
_ALMOST: Final = 0.85
_LEAST_DIFFERENT: Final = 12
_EXAMPLES: Final = ("change", "example", "secret", "password", "colloquy", "12345", "abcdef")
#: Connections of one API process, and the files that it needs beside them.
_CONNECTIONS: Final = 4096
_OTHER_FILES: Final = 256


def look_at_settings(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what of the settings does not go together; nothing but the settings is asked."""
    found = [
        *_public_url(settings),
        *_hosts(settings),
        *_proxies(settings),
        *_development(settings),
        *_without_effect(settings),
        *_limits(settings),
        *_misspelt(environment),
    ]
    yield from found or [ok("settings", "they go together")]
    yield _secret_key(settings)


def _public_url(settings: Settings) -> Iterator[Finding]:
    check = "settings.public_url"
    if not settings.public_url:
        if not _is_local(settings.host):
            said = f"is not set, so links and sign-in name {settings.url}"
            yield warning(check, said, "set PUBLIC_URL to the address that readers use")
    elif urlsplit(settings.public_url).scheme == "http" and not is_here(settings):
        said = "is http://, so passwords, tokens and comments can be read on the way"
        yield problem(check, said, "terminate TLS in a proxy in front, and set PUBLIC_URL to https://")


def _hosts(settings: Settings) -> Iterator[Finding]:
    check, host = "settings.allowed_hosts", urlsplit(settings.public_url).hostname
    if "*" in settings.hosts:
        said = "is *, so any name that points here is served"
        yield warning(check, said, "name the hosts, or leave ALLOWED_HOSTS empty")
    elif host and host not in settings.hosts and not _is_address(host):
        yield problem(check, f"does not have {host}, the host of PUBLIC_URL", f"add {host} to ALLOWED_HOSTS")


def _proxies(settings: Settings) -> Iterator[Finding]:
    check = "settings.trusted_proxies"
    if any(network.prefixlen == 0 for network in parse_networks(settings.trusted_proxies)):
        said = "trusts every address, so anybody may claim to be anybody to the limits"
        yield problem(check, said, "name the proxy's own address or network")
    elif not settings.trusted_proxies and settings.public_url.startswith("https://"):
        said = "is empty although PUBLIC_URL is https://, which a proxy must terminate: all readers share its limits"
        yield warning(check, said, "set TRUSTED_PROXIES to the proxy's address")


def _development(settings: Settings) -> Iterator[Finding]:
    if is_here(settings):
        return
    for name, is_on in (
        ("EGRESS_ALLOW_LOOPBACK", settings.egress_allow_loopback),
        ("WEBHOOKS_ALLOW_LOOPBACK", settings.webhooks_allow_loopback),
    ):
        if is_on:
            said = "is on, so admins of a site can reach what listens on this machine alone"
            yield warning(f"settings.{name.lower()}", said, f"unset {name}, which is for development")
    if settings.log_level == "DEBUG":
        yield warning("settings.log_level", "is DEBUG, which fills disks", "set LOG_LEVEL to INFO")


def _without_effect(settings: Settings) -> Iterator[Finding]:
    for name, is_vain, needed in (
        ("SCORER_OVERLOAD_SECONDS", settings.scorer_overload_seconds and not settings.fallback, "a SCORER_FALLBACK"),
        (
            "SCORER_TRUSTED_DIGEST",
            settings.scorer_trusted_digest and not settings.scorer.startswith("detoxify:"),
            "SCORER=detoxify:PATH",
        ),
        ("SCORER_DEVICE", settings.scorer_device == "cuda" and settings.scorer == "hashed", "another SCORER"),
        ("OIDC_CLIENT_ID", settings.oidc_client_id and not settings.oidc_issuer, "OIDC_ISSUER"),
    ):
        if is_vain:
            yield warning(
                f"settings.{name.lower()}", f"has no effect without {needed}", f"set {needed}, or unset {name}"
            )
    if settings.worker_port == settings.port:
        yield problem("settings.worker_port", "is the port of the API", "set WORKER_PORT to another one, or to 0")
    if settings.database.startswith("sqlite") and settings.redis_url and not _is_local(_redis_host(settings)):
        said = "is SQLite, and the Redis is on another machine: processes there cannot share the file"
        yield warning("settings.database_url", said, "use PostgreSQL where there is more than one machine")


def _limits(settings: Settings) -> Iterator[Finding]:
    check = "settings.live_streams"
    if settings.live_streams > _CONNECTIONS - _OTHER_FILES:
        said = f"is more than the {_CONNECTIONS} connections of an API process leave room for"
        yield warning(check, said, f"set LIVE_STREAMS to {_CONNECTIONS - _OTHER_FILES} or less, and add API_WORKERS")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard not in (resource.RLIM_INFINITY, -1) and hard < settings.live_streams + _OTHER_FILES:
        said = f"is {settings.live_streams}, and a process may open {hard} files here"
        yield problem(check, said, "raise the limit of open files (LimitNOFILE=, ulimit -n), or lower LIVE_STREAMS")


def _misspelt(environment: Mapping[str, str]) -> Iterator[Finding]:
    known = [field.upper() for field in Settings.__struct_fields__]
    for name in sorted(environment):
        if name in known or name in _NO_SETTINGS or name.startswith(_OTHERS):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=_ALMOST)
        if near or name.startswith(_FAMILIES):
            remedy = f"write {near[0]}" if near else "see docs/settings.md for what there is"
            yield warning("settings.unknown", f"{name} is no setting", remedy)


def _secret_key(settings: Settings) -> Finding:
    check = "settings.secret_key"
    if not has_secret_key(settings):
        return ok(check, "there is none yet; the first start makes one")
    try:
        key = secret_key_of(settings)
    except SettingsError:
        return problem(check, f"{KEY_FILE} cannot be read", "let it belong to the service's own user, with mode 0600")
    if not is_strong(key):
        remedy = "make one with `openssl rand -base64 48` before there is data; it cannot be changed later"
        return problem(check, "can be guessed: it repeats itself, or is a text of an example", remedy)
    return ok(check, "is long and not a text of an example")


def is_strong(key: str) -> bool:
    """Answer whether a key looks like one that a machine drew."""
    folded = key.casefold()
    repeats = any(folded == folded[:size] * (len(key) // size) + folded[: len(key) % size] for size in range(1, 17))
    drawn = len(set(key)) >= _LEAST_DIFFERENT and not repeats
    return drawn and not any(word in folded for word in _EXAMPLES)


def is_here(settings: Settings) -> bool:
    """Answer whether only this machine uses the installation."""
    return _is_local(urlsplit(settings.url).hostname or "") and _is_local(settings.host)


def _redis_host(settings: Settings) -> str:
    parts = urlsplit(settings.redis_url)
    return "localhost" if parts.scheme == "unix" else parts.hostname or "localhost"


def _is_local(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
