"""A wrong setting is named in one line, before anything starts, and without its secret."""

from pathlib import Path

import pytest

from service.scorers import build_scorer
from service.settings import SCORERS, Settings, SettingsError, make_home


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCORER", "gpt"),
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


@pytest.mark.parametrize("name", SCORERS)
def test_every_scorer_that_is_allowed_can_be_built(name: str) -> None:
    """What the settings let through is a model that this installation has."""
    assert build_scorer(Settings.from_environment({"SCORER": name})).model_id


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A folder beneath a file is refused by the name of the setting and its place."""
    (tmp_path / "file").touch()
    settings = Settings.from_environment({"COLLOQUY_HOME": str(tmp_path / "file" / "home")})
    with pytest.raises(SettingsError, match=r"^COLLOQUY_HOME: .*/file/home cannot be made"):
        make_home(settings)
