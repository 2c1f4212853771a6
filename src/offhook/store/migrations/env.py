"""Run by Alembic for every migration; migrate.migrate hands over the open transaction, which it alone commits."""

from alembic import context

from offhook.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
