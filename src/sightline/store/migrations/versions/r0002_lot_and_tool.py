"""Lot and tool of a part, in its row and in the tallies; of parts from before they are not known."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Table

revision = "0002"
down_revision = "0001"

NAMES = ("lot", "tool")
BIG = BigInteger().with_variant(Integer, "sqlite")
KEY = ("hour", "station_id", "product", "kind", "verdict", "cause", "label")
TALLIES = Table(  # as they were
    "tallies",
    MetaData(naming_convention={"fk": "fk_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}),
    Column("hour", Integer(), primary_key=True),
    Column("station_id", Integer(), ForeignKey("stations.id"), primary_key=True),
    Column("product", String(255), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("verdict", String(8), primary_key=True),
    Column("cause", String(64), primary_key=True),
    Column("label", String(255), primary_key=True),
    Column("parts", BIG, nullable=False),
    Column("defects", BIG, nullable=False),
    Column("late", BIG, nullable=False),
)


def upgrade() -> None:
    for name in NAMES:
        op.add_column("inspections", Column(name, String(64), nullable=False, server_default=""))
        op.create_index(f"ix_inspections_{name}_at", "inspections", [name, "at_s", "number"])
    with op.batch_alter_table("tallies", copy_from=TALLIES) as tallies:  # SQLite makes the table anew
        for name in NAMES:
            tallies.add_column(Column(name, String(64), nullable=False, server_default=""))
        tallies.drop_constraint("pk_tallies", type_="primary")
        tallies.create_primary_key("pk_tallies", [*KEY, *NAMES])
