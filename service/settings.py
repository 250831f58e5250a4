"""Typed settings from the environment; the service refuses to start on a wrong one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from service.addresses import parse_networks
from service.mail_server import MailServer, Sender, parse_mail_server, parse_sender

MINIMUM_SECRET_CHARACTERS = 32
SHIPPED_SCORERS = ("hashed", "compact", "embedded")
"""The names that SCORER may have for the models that come with the code."""
DETOXIFY_MODELS = ("original", "unbiased", "multilingual")
"""What may follow `detoxify:`, besides the path of a checkpoint."""
SECRETS = frozenset(
    {
        "database_url",
        "redis_url",
        "secret_key",
        "models_mirror",
        "egress_proxy",
        "oidc_client_secret",
        "smtp_url",
        "otel_exporter_otlp_endpoint",
    }
)
"""The settings that are secrets or may hold a password, and are never shown."""
_A_SCORER = f"{', '.join(SHIPPED_SCORERS)}, detoxify:{'|'.join(DETOXIFY_MODELS)}|PATH or onnx:PATH"


class SettingsError(Exception):
    """A setting that cannot be used, named as the operator wrote it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an operator can set; the name in the environment is the field's in capitals."""

    colloquy_home: Annotated[
        str, Meta(description="Folder of the embedded data: `colloquy.db`, `redis/`, `secret.key`, `demo.json`.")
    ]
    host: Annotated[str, Meta(description="Address the API listens on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port the API listens on.")] = 8000
    public_url: Annotated[
        str, Meta(description="Base URL that readers use: scheme, host and port, no path. Empty: `http://HOST:PORT`.")
    ] = ""
    database_url: Annotated[
        str,
        Meta(
            description=(
                "`postgresql+asyncpg://USER:PASSWORD@HOST/NAME` or `sqlite+aiosqlite:///FILE`. Empty: a file in "
                "`COLLOQUY_HOME`."
            )
        ),
    ] = ""
    database_pool: Annotated[
        int, Meta(ge=1, le=100, description="Connections for reading, per process (PostgreSQL: all connections).")
    ] = 4
    redis_url: Annotated[
        str, Meta(description="`redis://`, `rediss://` or `unix://`. Empty: `serve` starts its own.")
    ] = ""
    redis_prefix: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9:_-]{1,40}$", description="First part of every key, to share a Redis.")
    ] = "colloquy"
    secret_key: Annotated[
        str,
        Meta(description="At least 32 characters; seals every secret in SQL. Empty: a file in `COLLOQUY_HOME`."),
    ] = ""
    scorer: Annotated[str, Meta(description=f"Which model scores: {_A_SCORER}.")] = "compact"
    scorer_trusted_digest: Annotated[
        str,
        Meta(
            pattern=r"^([0-9a-f]{64})?$",
            description="The sha256 of a checkpoint of yours that may [run code](models.md#a-checkpoint-of-your-own).",
        ),
    ] = ""
    scorer_device: Annotated[Literal["cpu", "cuda"], Meta(description="Where the model computes.")] = "cpu"
    scorer_threads: Annotated[
        int,
        Meta(
            ge=0,
            le=256,
            description="Threads of the model; `0`: the cores that this process may use, by a container's quota too.",
        ),
    ] = 0
    scorer_batch_tokens: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="Padded tokens that a transformer computes at once; `0`: 256 on `cpu`, 16384 on `cuda`.",
        ),
    ] = 0
    scorer_cache_entries: Annotated[
        int, Meta(ge=0, le=10_000_000, description="Texts whose scores a transformer remembers; `0`: none.")
    ] = 10_000
    scorer_fallback: Annotated[
        Literal["auto", "hashed", "none"],
        Meta(description="What scores while the model cannot start; `auto`: `hashed` for a shipped one, else `none`."),
    ] = "auto"
    scorer_overload_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="Wait after which the fallback scores in the model's place, if the policy allows; `0`: never.",
        ),
    ] = 0.0
    scorer_start_timeout_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="A model that takes longer to load failed.")
    ] = 120.0
    scorer_timeout_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=600,
            description="A batch that takes longer failed; a text of over 2,000 bytes has proportionally longer.",
        ),
    ] = 10.0
    models_home: Annotated[
        str, Meta(description="Folder of downloaded and exported models. Empty: `models` in `COLLOQUY_HOME`.")
    ] = ""
    models_mirror: Annotated[
        str,
        Meta(
            pattern=r"^(https?://\S+)?$",
            description="URL that `model pull` asks instead of the models' makers, for `detoxify-NAME/FILE`.",
        ),
    ] = ""
    score_batch_size: Annotated[int, Meta(ge=1, le=512, description="Comments scored and committed together.")] = 32
    sweep_interval_seconds: Annotated[float, Meta(gt=0, le=3600, description="Time between two sweeps.")] = 10.0
    scorer_grace_seconds: Annotated[
        float, Meta(ge=0, le=86400, description="Outage after which a policy's `on_scorer_failure` is applied.")
    ] = 30.0
    worker_name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._-]{0,80}$",
            description=(
                "Name of a worker's stream consumer; a fixed one comes back for its own work. Empty: host and process "
                "id."
            ),
        ),
    ] = ""
    worker_port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="Port of a worker's `/health` and `/metrics`; `0`: none, as under `serve` unless it is set.",
        ),
    ] = 8001
    worker_host: Annotated[
        str, Meta(description="Address that page listens on; name one that Prometheus reaches, and readers do not.")
    ] = "127.0.0.1"
    api_workers: Annotated[int, Meta(ge=1, le=64, description="API processes behind one port.")] = 1
    trusted_proxies: Annotated[
        str,
        Meta(
            description="[Proxies](security.md#behind-a-proxy), addresses or networks, whose `X-Forwarded-For` counts."
        ),
    ] = ""
    allowed_hosts: Annotated[
        str,
        Meta(
            description="Host names served, by commas; `*`: all. Empty: `PUBLIC_URL`'s, `localhost` and bare addresses."
        ),
    ] = ""
    network_key_days: Annotated[
        int, Meta(ge=1, le=365, description="Days after which nobody can tell whose hash of an address one was.")
    ] = 30
    header_seconds: Annotated[
        float, Meta(ge=1, le=300, description="Time in which a request's headers must have come.")
    ] = 10.0
    body_seconds: Annotated[float, Meta(gt=0, le=300, description="Time in which a request's body must have come.")] = (
        10.0
    )
    request_seconds: Annotated[
        float, Meta(gt=0, le=600, description="Time in which an answer must begin; longer than any `Prefer: wait`.")
    ] = 60.0
    egress_allow_loopback: Annotated[
        bool, Meta(description="`1`: requests to this machine are allowed, over http too; for development.")
    ] = False
    egress_proxy: Annotated[
        str,
        Meta(
            pattern=r"^(https?://\S+)?$",
            description="Proxy for all requests to outside; it resolves names, so it must refuse inner addresses.",
        ),
    ] = ""
    webhooks_allow_loopback: Annotated[
        bool, Meta(description="`1`: [webhooks](webhooks.md) may go to this machine, and over http; for development.")
    ] = False
    webhook_timeout_seconds: Annotated[
        float, Meta(gt=0, le=60, description="A receiver that takes longer to answer failed.")
    ] = 15.0
    webhook_concurrency: Annotated[
        int, Meta(ge=1, le=100, description="Requests under way to one receiver at the same time.")
    ] = 10
    oidc_issuer: Annotated[
        str,
        Meta(
            pattern=r"^(https?://\S+)?$",
            description="[Provider](accounts.md#sign-in-through-a-provider) by which people sign in (OpenID Connect).",
        ),
    ] = ""
    oidc_client_id: Annotated[str, Meta(description="Our id at the provider.")] = ""
    oidc_client_secret: Annotated[str, Meta(description="Our secret at the provider.")] = ""
    smtp_url: Annotated[
        str,
        Meta(
            description="The server that takes our [mail](mail.md): `smtp://USER:PASSWORD@HOST:PORT`, or `smtps://…`."
        ),
    ] = ""
    mail_from: Annotated[
        str,
        Meta(description="Whom our mail is from: `comments@daily.example`, or `The Daily <comments@daily.example>`."),
    ] = ""
    cdn_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=3600,
            description=(
                "How long a [cache of yours in front](operations.md#a-cache-in-front) may keep threads and counts "
                "without asking. 0: not at all."
            ),
        ),
    ] = 0
    cdn_stale_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=86_400,
            description="How long it may go on with what it has, while it asks again or we do not answer.",
        ),
    ] = 30
    live_streams: Annotated[
        int,
        Meta(
            ge=0,
            le=50_000,
            description="Live streams that readers may have open in one API process; each takes about 32 KiB.",
        ),
    ] = 3_000
    live_streams_per_network: Annotated[
        int,
        Meta(
            ge=1,
            le=50_000,
            description="The same from one network; raise it behind a proxy that is not in `TRUSTED_PROXIES`.",
        ),
    ] = 100
    max_body_bytes: Annotated[
        int, Meta(ge=1024, le=10_000_000, description="Largest request body, but for `POST …/counts`.")
    ] = 65536
    log_level: Annotated[
        str, Meta(pattern=r"^(DEBUG|INFO|WARNING|ERROR)$", description="The least severe line that is logged.")
    ] = "INFO"
    otel_exporter_otlp_endpoint: Annotated[
        str,
        Meta(
            pattern=r"^(https?://\S+)?$",
            description=(
                "Collector of [traces](operations.md#traces), such as `http://127.0.0.1:4318`. Empty: no traces."
            ),
        ),
    ] = ""

    @property
    def home(self) -> Path:
        """The folder of the embedded data."""
        return Path(self.colloquy_home)

    @property
    def models(self) -> Path:
        """The folder of the downloaded and exported models."""
        return Path(self.models_home) if self.models_home else self.home / "models"

    @property
    def fallback(self) -> str:
        """The model that scores in place of one that cannot, or an empty text when none may."""
        if self.scorer == "hashed" or self.scorer_fallback == "none":
            return ""
        return "hashed" if self.scorer_fallback == "hashed" or self.scorer in SHIPPED_SCORERS else ""

    @property
    def url(self) -> str:
        """The base URL readers use, as browsers write an origin: in small letters, and without the usual port."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return _origin(self.public_url) if self.public_url else f"http://{host}:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """The host names that are served besides bare addresses; `*` stands for all."""
        named = {part.strip().lower().rstrip(".") for part in self.allowed_hosts.split(",") if part.strip()}
        public = urlsplit(self.public_url).hostname if self.public_url else None
        return frozenset(named or {"localhost", *([public] if public else [])})

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the truth."""
        return self.database_url or f"sqlite+aiosqlite:///{self.home.resolve() / 'colloquy.db'}"

    @property
    def mail_server(self) -> MailServer | None:
        """The server that takes our mail, None where there is no mail."""
        return parse_mail_server(self.smtp_url) if self.smtp_url else None

    @property
    def sender(self) -> Sender:
        """Whom our mail is from, where there is mail."""
        return parse_sender(self.mail_from)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read and check every setting; raise SettingsError with the setting's name."""
        given = {
            field: environment[field.upper()]
            for field in cls.__struct_fields__
            if environment.get(field.upper(), "") != ""
        }
        given.setdefault("colloquy_home", ".colloquy")
        try:
            settings = msgspec.convert(given, cls, strict=False)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$.")
            if message.startswith("Expected `bool`"):
                message = "write 1 or 0"
            raise SettingsError(f"{path.rstrip('`').upper()}: {message}") from None
        settings.check()
        return settings

    def check(self) -> None:
        """Raise SettingsError for what types alone cannot refuse."""
        if self.secret_key and len(self.secret_key) < MINIMUM_SECRET_CHARACTERS:
            raise SettingsError(f"SECRET_KEY: at least {MINIMUM_SECRET_CHARACTERS} characters")
        if not is_a_scorer(self.scorer):
            raise SettingsError(f"SCORER: {self.scorer!r} is not known; the models are: {_A_SCORER}")
        if self.public_url and not _is_origin(_split("PUBLIC_URL", self.public_url)):
            raise SettingsError("PUBLIC_URL: must be http://HOST or https://HOST, with a port where needed and no path")
        if _split("DATABASE_URL", self.database).scheme not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
            raise SettingsError("DATABASE_URL: must begin with sqlite+aiosqlite:// or postgresql+asyncpg://")
        try:
            parse_networks(self.trusted_proxies)
        except ValueError as error:
            raise SettingsError(f"TRUSTED_PROXIES: {error}") from None
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_client_secret):
            raise SettingsError("OIDC_ISSUER: needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET beside it")
        self._check_mail()
        if self.redis_url and _split("REDIS_URL", self.redis_url).scheme not in ("redis", "rediss", "unix"):
            raise SettingsError("REDIS_URL: must begin with redis://, rediss:// or unix://")

    def _check_mail(self) -> None:
        if bool(self.smtp_url) != bool(self.mail_from):
            raise SettingsError("SMTP_URL and MAIL_FROM: both are needed for mail, or neither")
        for name, value, parse in (
            ("SMTP_URL", self.smtp_url, parse_mail_server),
            ("MAIL_FROM", self.mail_from, parse_sender),
        ):
            try:
                _ = parse(value) if value else None
            except ValueError as error:
                # Those of ours say what is missing; those of urlsplit quote what was given.
                said = str(error) if str(error).startswith(("must", "needs", "not a")) else "is not valid"
                raise SettingsError(f"{name}: {said}") from None


def is_a_scorer(name: str) -> bool:
    """Answer whether a name has the form of one that a scorer can be built for; the model itself is not looked for."""
    kind, colon, where = name.partition(":")
    return bool(where) and kind in ("detoxify", "onnx") if colon else name in SHIPPED_SCORERS


def _split(name: str, url: str) -> SplitResult:
    """The message of a broken address would quote its password, so only the setting is named."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise SettingsError(f"{name}: is not a valid address") from None
    return parts


def _is_origin(parts: SplitResult) -> bool:
    bare = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bare


def _origin(url: str) -> str:
    """Answer an address as a browser's Origin header names it (RFC 6454, section 6.2)."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, usual) else "")
