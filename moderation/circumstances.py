"""Facts about who wrote a comment and how it was sent, which no text tells; what is not known is None."""

import msgspec


class Circumstances(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a policy may ask about an author and a submission; a condition on what is not known does not hold.

    Shares and likenesses are in [0, 1]; the names are those of the signals of a policy.
    """

    guest: bool | None = None
    """Written under a chosen name, not by an account of the publisher."""
    verified: bool | None = None
    """The publisher vouches for who this is."""
    trusted: bool | None = None
    """A moderator trusts the author."""
    account_days: float | None = None
    """Days since the site first saw the author."""
    approved: int | None = None
    """Comments of the author that stand published on the site."""
    rejected_share: float | None = None
    """Of the author's decided comments the share that was rejected or removed."""
    duplicates: int | None = None
    """How often the same text was sent to the site lately, by whomever."""
    near_duplicates: int | None = None
    """How many texts that are nearly the same were sent to the site lately."""
    stay_down: float | None = None
    """The likeness to the text that was removed for cause and is most like it; 1 is the same."""
    stay_down_reason: str | None = None
    """The reason code for which that text was removed."""
    burst: int | None = None
    """Comments that came from the same network in the last minute."""
    honeypot: bool | None = None
    """A field that no person sees was filled in."""
    seconds_to_write: float | None = None
    """Time between opening the form and sending."""
    spam_service: bool | None = None
    """An outside service calls it spam."""
    pre_moderated: bool | None = None
    """A sanction holds every comment of the author; it needs no rule."""
    near_restricted: bool | None = None
    """A guest writes from the network of a guest who is shut out; it needs no rule, and says nothing of the author."""


NOTHING_KNOWN = Circumstances()
