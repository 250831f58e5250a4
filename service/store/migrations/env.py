"""Alembic's entry: runs on the connection that service.store.migrate opened."""

from alembic import context

from service.store.tables import metadata

config = context.config
connection = config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, compare_type=True, render_as_batch=False)
with context.begin_transaction():
    context.run_migrations()
