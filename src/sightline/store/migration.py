"""Bring a database to the tables that this version knows; the steps are in migrations/."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from sightline.errors import StoreError
from sightline.store.database import in_turn

_LOCK = 0x51676D69  # ours among PostgreSQL's advisory locks
_STEPS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Take all steps that are missing, within the transaction that is open: all of them, or none.

    Raises:
        StoreError: the database is of a newer version.
    """
    config = configuration(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))  # another server's upgrade may take its time
    in_turn(connection, _LOCK)
    steps = ScriptDirectory.from_config(config)
    known = {step.revision for step in steps.walk_revisions()}
    there = set(MigrationContext.configure(connection).get_current_heads())
    if there - known:
        raise StoreError(
            f"database: its tables are of version {', '.join(sorted(there - known))}, which this Sightline does not "
            "know. Install the newer Sightline that made them, or restore a backup of before."
        )
    if there != set(steps.get_heads()):
        command.upgrade(config, "head")


def configuration(connection: Connection) -> Config:
    """What Alembic needs to know; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
