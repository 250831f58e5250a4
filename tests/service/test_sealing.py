"""Secrets that are kept encrypted, and the keys derived from SECRET_KEY."""

import pytest

from service.flow.sealing import Box, SealBroken

BOX = Box("a secret key of at least 32 characters")


def test_what_is_sealed_is_opened_again_and_not_seen_meanwhile() -> None:
    """The sealed text gives the secret back, and shows nothing of it."""
    sealed = BOX.seal(b"hunter2")
    assert BOX.open(sealed) == b"hunter2"
    assert "hunter2" not in sealed


@pytest.mark.parametrize("broken", ["", "no token", "gAAAAA", "ü"])
def test_what_was_changed_is_not_opened(broken: str) -> None:
    """Text that was never sealed is refused, whatever it is."""
    with pytest.raises(SealBroken):
        BOX.open(broken)


def test_another_secret_key_opens_nothing() -> None:
    """What one installation sealed is closed to another."""
    with pytest.raises(SealBroken):
        Box("another key of at least 32 characters").open(BOX.seal(b"hunter2"))


def test_each_purpose_has_a_key_of_its_own() -> None:
    """The same purpose gives the same key; another purpose or secret gives another."""
    other = Box("another key of at least 32 characters")
    assert BOX.key_for("csrf") == BOX.key_for("csrf")
    assert len({BOX.key_for("csrf"), BOX.key_for("forms"), other.key_for("csrf")}) == 3
