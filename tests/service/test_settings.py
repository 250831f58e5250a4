"""A wrong setting is named in one line, before anything starts, and without its secret."""

from pathlib import Path

import pytest

from service.home import make_home
from service.sent_tokens import session_cookie
from service.settings import SECRETS, SHIPPED_SCORERS, Settings, SettingsError, is_a_scorer
from service.settings_command import in_force


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCORER", "gpt"),
        ("SCORER", "hashed:here"),
        ("SCORER", "detoxify:"),
        ("SCORER", "onnx"),
        ("SCORER_DEVICE", "tpu"),
        ("SCORER_THREADS", "-1"),
        ("SCORER_FALLBACK", "compact"),
        ("PUBLIC_URL", "news.example"),
        ("PUBLIC_URL", "ftp://news.example"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://news.example/comments"),
        ("PUBLIC_URL", "https://ada:hidden@news.example"),
        ("PUBLIC_URL", "http://["),
        ("DATABASE_URL", "mysql://ada:hidden@127.0.0.1/colloquy"),
        ("DATABASE_URL", "postgresql+asyncpg://ada:hidden@127.0.0.1:hidden/colloquy"),
        ("REDIS_URL", "redis://:hidden@127.0.0.1:hidden"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    """The service does not start on a value that cannot work, and says which setting it is."""
    with pytest.raises(SettingsError, match=f"^{name}: ") as refused:
        Settings.from_environment({name: value})
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("url", ["https://news.example", "http://127.0.0.1:8000/", "http://[::1]:8000"])
def test_a_public_url_is_an_origin(url: str) -> None:
    """Scheme, host and port are a public URL; a slash at the end does no harm."""
    assert Settings.from_environment({"PUBLIC_URL": url}).url == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTPS://News.Example", "https://news.example"),
        ("https://news.example:443/", "https://news.example"),
        ("http://NEWS.example:80", "http://news.example"),
        ("http://news.example:443", "http://news.example:443"),
        ("https://news.example:80", "https://news.example:80"),
        ("https://news.example:", "https://news.example"),
        ("http://[::1]:80/", "http://[::1]"),
        ("http://[FE80::443]:8000", "http://[fe80::443]:8000"),
    ],
)
def test_a_public_url_is_kept_as_browsers_send_an_origin(url: str, origin: str) -> None:
    """However it is written it equals the Origin header of its own pages, and its scheme says which cookie is set."""
    settings = Settings.from_environment({"PUBLIC_URL": url})
    assert settings.url == origin
    assert session_cookie(settings)[1] is origin.startswith("https://")


@pytest.mark.parametrize("name", [*SHIPPED_SCORERS, "detoxify:original", "detoxify:/models/mine.ckpt", "onnx:C:/mine"])
def test_a_scorer_is_checked_by_its_form(name: str) -> None:
    """A name with the form of a model is a setting that the service starts with; the model itself is found later."""
    assert is_a_scorer(name)
    assert Settings.from_environment({"SCORER": name}).scorer == name


@pytest.mark.parametrize(
    ("scorer", "chosen", "fallback"),
    [
        ("hashed", "hashed", ""),
        ("compact", "auto", "hashed"),
        ("embedded", "auto", "hashed"),
        ("embedded", "none", ""),
        ("detoxify:original", "auto", ""),
        ("detoxify:original", "hashed", "hashed"),
    ],
)
def test_only_a_shipped_model_has_a_fallback_unasked(scorer: str, chosen: str, fallback: str) -> None:
    """Who chose a model of their own is not answered by another one, unless they said so."""
    settings = Settings.from_environment({"SCORER": scorer, "SCORER_FALLBACK": chosen})
    assert settings.fallback == fallback


def test_models_are_kept_in_the_home() -> None:
    """Downloaded models have a folder beneath the home, or one of their own."""
    assert Settings.from_environment({"COLLOQUY_HOME": "/data"}).models == Path("/data/models")
    assert Settings.from_environment({"MODELS_HOME": "/models"}).models == Path("/models")


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A folder beneath a file is refused by the name of the setting and its place."""
    (tmp_path / "file").touch()
    settings = Settings.from_environment({"COLLOQUY_HOME": str(tmp_path / "file" / "home")})
    with pytest.raises(SettingsError, match=r"^COLLOQUY_HOME: .*/file/home cannot be made"):
        make_home(settings)


def test_what_is_in_force_is_printed_without_secrets() -> None:
    """The command names every setting with its value, and of what may hold a password only that it is set."""
    hidden = "hidden-from-everybody-who-looks"
    given = {
        "COLLOQUY_HOME": "here",
        "SECRET_KEY": hidden * 2,
        "DATABASE_URL": f"postgresql+asyncpg://ada:{hidden}@db/colloquy",
        "REDIS_URL": f"redis://:{hidden}@redis",
        "MODELS_MIRROR": f"https://ada:{hidden}@mirror.example",
        "EGRESS_PROXY": f"http://ada:{hidden}@proxy.example",
        "OIDC_CLIENT_SECRET": hidden,
        "SMTP_URL": f"smtp://ada:{hidden}@mail.example",
        "MAIL_FROM": "comments@daily.example",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://ada:{hidden}@collector.example",
    }
    printed = list(in_force(Settings.from_environment(given)))
    assert [line.partition("=")[0].lower() for line in printed] == list(Settings.__struct_fields__)
    assert hidden not in "".join(printed)
    assert "MAIL_FROM=comments@daily.example" in printed
    assert {line.partition("=")[0].lower() for line in printed if line.endswith("=(set)")} == SECRETS
