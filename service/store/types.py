"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

#: UUIDv7 as its canonical text, compared byte by byte on both databases, so that order is time.
Id = sa.String(36).with_variant(postgresql.VARCHAR(36, collation="C"), "postgresql")

#: A number that outgrows 32 bits; SQLite counts up only what it knows as INTEGER.
Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

#: A materialised path of 22-character segments (see service.store.paths).
Path = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")

#: A row whose columns are known by name only.
Row = sa.Row[*tuple[Any, ...]]

Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

#: JSON or nothing: None is SQL's null, so that `IS NULL` finds it.
NullableJson = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


class Instant(sa.types.TypeDecorator[datetime]):
    """A UTC time with microseconds; SQLite keeps it as text without zone, which sorts as time does."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """Refuse a time without zone; write UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Answer a time with zone UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
