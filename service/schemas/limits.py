"""How often requests may come, as admins set it for a site."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from service.schemas.base import Input


class Rate(Input, frozen=True):
    """So many requests in so many seconds; all of them may come at once, and then they come back evenly."""

    limit: Annotated[int, Meta(ge=1, le=1_000_000)]
    per_seconds: Annotated[int, Meta(ge=1, le=86_400)]


class Rates(Input, frozen=True, kw_only=True):
    """The limits of a site; a network is one IPv4 address, or 64 bits of an IPv6 one."""

    submit_per_commenter: Rate = Rate(10, 60)
    submit_per_network: Rate = Rate(30, 60)
    submit_per_site: Rate = Rate(1_200, 60)
    change_per_commenter: Rate = Rate(60, 60)
    change_per_network: Rate = Rate(120, 60)
    report_per_commenter: Rate = Rate(20, 3600)
    report_per_network: Rate = Rate(30, 3600)
    reaction_per_commenter: Rate = Rate(60, 60)
    reaction_per_network: Rate = Rate(120, 60)
    mail_per_commenter: Rate = Rate(5, 3600)
    mail_per_network: Rate = Rate(20, 3600)
    second_thoughts_per_commenter: Rate = Rate(20, 60)
    second_thoughts_per_network: Rate = Rate(60, 60)
    second_thoughts_per_site: Rate = Rate(1_200, 60)
    read_per_network: Rate = Rate(1_200, 60)
    staff_per_member: Rate = Rate(1_200, 60)
