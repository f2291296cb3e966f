"""What all tables of a plant are made of."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase

NAME = String(255)  # of things that people name
DIGEST = String(64)  # SHA-256, lower-case hex
UUID = String(36)
BIG = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up a column of exactly this type only
CONVENTION = {  # a migration can only drop what has a name
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(naming_convention=CONVENTION)
    type_annotation_map = {dict[str, Any]: JSON, float: Float(53), str: NAME}  # noqa: RUF012 - SQLAlchemy's own form
