"""The columns and checks that many tables have, and the metadata that all tables stand in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from service.store.types import Id, Instant

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def own_id() -> sa.Column[Any]:
    """Answer the primary key: a UUIDv7, so that the order of ids is that of time."""
    return sa.Column("id", Id, primary_key=True)


def site() -> sa.Column[Any]:
    """Answer the column of the site that a row belongs to."""
    return sa.Column("site_id", Id, sa.ForeignKey("sites.id"), nullable=False)


def ref(name: str, target: str, *, nullable: bool = False) -> sa.Column[Any]:
    """Answer a column of another table's ids."""
    return sa.Column(name, Id, sa.ForeignKey(f"{target}.id"), nullable=nullable)


def at(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    """Answer a column of times."""
    return sa.Column(name, Instant, nullable=nullable)


def count(name: str) -> sa.Column[Any]:
    """Answer a column that counts from 0."""
    return sa.Column(name, sa.Integer, nullable=False, server_default="0")


def one_of(name: str, values: Iterable[str]) -> sa.CheckConstraint:
    """Answer the check that a column holds one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{name} IN ({listed})", name=name)


def not_negative(*names: str) -> list[sa.CheckConstraint]:
    """Answer the checks that columns never fall below 0."""
    return [sa.CheckConstraint(f"{name} >= 0", name=name) for name in names]


def flag(name: str) -> sa.Column[Any]:
    """Answer a column that is false until it is set."""
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())
