"""What Alembic runs for each command; store/migration.py hands it a connection within a transaction."""

from alembic import context

from sightline.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
