"""All that the page of the storage counts of the pictures, in an index: the rows themselves are not read for it."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    columns = ["tier", "kept_as", "keep_until_s", "size_bytes", "stored_s"]
    op.create_index("ix_pictures_stock", "pictures", columns)
