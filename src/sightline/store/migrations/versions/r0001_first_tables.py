"""The first tables, as they were when they were released; schema.py has them as they are now."""

from typing import Any

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None

BIG = BigInteger().with_variant(Integer, "sqlite")
NAMES = {kind: f"{kind}_%(table_name)s_%(column_0_N_name)s" for kind in ("ix", "uq", "fk")}
TABLES = MetaData(naming_convention=NAMES | {"pk": "pk_%(table_name)s"})


def key(name: str, type_: TypeEngine[Any], *more: SchemaItem) -> Column[Any]:
    """A column of the primary key; it counts up by itself where it is a whole number and the only one."""
    return Column(name, type_, *more, primary_key=True)


def column(name: str, type_: TypeEngine[Any], *more: SchemaItem, unique: bool = False) -> Column[Any]:
    """A column that always has a value."""
    return Column(name, type_, *more, nullable=False, unique=unique)


def maybe(name: str, type_: TypeEngine[Any], *more: SchemaItem) -> Column[Any]:
    """A column that may be null."""
    return Column(name, type_, *more, nullable=True)


def upgrade() -> None:
    TABLES.create_all(op.get_bind(), checkfirst=False)


Table(
    "alert_rules",
    TABLES,
    key("id", Integer()),
    column("name", String(255), unique=True),
    column("kind", String(32)),
    column("params", JSON()),
    column("targets", JSON()),
    column("active", Boolean()),
)
Table(
    "alerts",
    TABLES,
    key("id", BIG),
    column("rule", String(255)),
    column("subject", String(255)),
    column("message", Text()),
    maybe("value", Float(53)),
    column("raised_s", Float(53)),
    column("seen_s", Float(53)),
    column("times", Integer()),
    maybe("acknowledged_s", Float(53)),
    column("acknowledged_by", String(255)),
    maybe("ended_s", Float(53)),
    Index("ix_alerts_raised_s", "raised_s"),
)
Table(
    "audit",
    TABLES,
    Column("number", BIG, primary_key=True, autoincrement=False),
    column("at_s", Float(53)),
    column("who", String(255)),
    column("action", String(64)),
    column("subject", String(512)),
    column("before", Text()),
    column("after", Text()),
    column("signed", Boolean()),
    column("previous", String(64)),
    column("digest", String(64)),
    Index("ix_audit_at", "at_s"),
    Index("ix_audit_subject", "subject"),
)
Table(
    "datasets",
    TABLES,
    key("id", Integer()),
    column("name", String(255), unique=True),
    column("product", String(255)),
    column("created_s", Float(53)),
)
Table(
    "facts",
    TABLES,
    key("name", String(32)),
    column("value", Text()),
)
Table(
    "holds",
    TABLES,
    key("id", Integer()),
    column("product", String(255)),
    column("serial", String(255)),
    column("reason", Text()),
    column("author", String(255)),
    column("at_s", Float(53)),
    maybe("lifted_s", Float(53)),
    Index("ix_holds_product", "product"),
)
Table(
    "jobs",
    TABLES,
    key("id", String(36)),
    column("kind", String(32)),
    column("params", JSON()),
    column("state", String(16)),
    column("progress", Float(53)),
    column("message", Text()),
    maybe("result", JSON()),
    column("attempts", Integer()),
    column("worker", String(255)),
    maybe("beat_s", Float(53)),
    column("cancel", Boolean()),
    column("author", String(255)),
    column("created_s", Float(53)),
    maybe("started_s", Float(53)),
    maybe("ended_s", Float(53)),
    Index("ix_jobs_state", "state"),
)
Table(
    "keys",
    TABLES,
    key("id", Integer()),
    column("name", String(255)),
    column("shown", String(16), unique=True),
    column("digest", String(64)),
    column("role", String(32)),
    column("scopes", String(255)),
    column("station", String(255)),
    column("author", String(255)),
    column("created_s", Float(53)),
    maybe("expires_s", Float(53)),
    maybe("revoked_s", Float(53)),
    maybe("used_s", Float(53)),
)
Table(
    "models",
    TABLES,
    key("id", Integer()),
    column("name", String(255)),
    column("version", Integer()),
    column("model_id", String(64)),
    column("digest", String(64)),
    column("size_bytes", BIG),
    column("status", String(16)),
    column("manifest", JSON()),
    column("figures", JSON()),
    column("note", Text()),
    column("author", String(255)),
    column("created_s", Float(53)),
    Unique("name", "version"),
)
Table(
    "parts",
    TABLES,
    key("id", BIG),
    column("product", String(255)),
    column("serial", String(255)),
    column("first_at_s", Float(53)),
    Unique("serial", "product"),
)
Table(
    "pictures",
    TABLES,
    key("digest", String(64)),
    column("media_type", String(64)),
    column("size_bytes", BIG),
    column("tier", String(16)),
    column("kept_as", String(16)),
    column("stored_s", Float(53)),
    maybe("keep_until_s", Float(53)),
    Index("ix_pictures_tier_stored", "tier", "stored_s"),
)
Table(
    "promotions",
    TABLES,
    key("id", Integer()),
    column("name", String(255)),
    column("version", Integer()),
    maybe("before", Integer()),
    column("by", String(255)),
    column("reason", Text()),
    column("at_s", Float(53)),
    Index("ix_promotions_name", "name"),
)
Table(
    "recipes",
    TABLES,
    key("id", Integer()),
    column("name", String(255)),
    column("version", Integer()),
    column("text", Text()),
    column("digest", String(64)),
    column("released", Boolean()),
    column("author", String(255)),
    column("created_s", Float(53)),
    Unique("name", "version"),
)
Table(
    "stations",
    TABLES,
    key("id", Integer()),
    column("name", String(255), unique=True),
    column("line", String(255)),
    column("first_seen_s", Float(53)),
    column("last_seen_s", Float(53)),
    maybe("clock_ahead_s", Float(53)),
    column("last_sequence", BIG),
    column("last_digest", String(64)),
    column("last_at_s", Float(53)),
    column("status", JSON()),
)
Table(
    "studies",
    TABLES,
    key("id", Integer()),
    column("name", String(255), unique=True),
    column("kind", String(16)),
    column("product", String(255)),
    column("rounds", Integer()),
    column("seed", Integer()),
    column("note", Text()),
    column("author", String(255)),
    column("created_s", Float(53)),
    maybe("closed_s", Float(53)),
)
Table(
    "users",
    TABLES,
    key("id", Integer()),
    column("name", String(255), unique=True),
    column("role", String(32)),
    column("password", String(255)),
    column("active", Boolean()),
    column("created_s", Float(53)),
    maybe("last_login_s", Float(53)),
)
Table(
    "webhooks",
    TABLES,
    key("id", Integer()),
    column("url", String(2048)),
    column("events", String(255)),
    column("secret", String(255)),
    column("active", Boolean()),
    column("author", String(255)),
    column("created_s", Float(53)),
)
Table(
    "dataset_versions",
    TABLES,
    key("id", Integer()),
    column("dataset_id", Integer(), ForeignKey("datasets.id")),
    column("version", Integer()),
    column("digest", String(64)),
    column("items", Integer()),
    column("note", Text()),
    column("author", String(255)),
    column("created_s", Float(53)),
    Unique("dataset_id", "version"),
)
Table(
    "deliveries",
    TABLES,
    key("id", BIG),
    column("webhook_id", Integer(), ForeignKey("webhooks.id")),
    column("event", String(255)),
    column("body", Text()),
    column("state", String(16)),
    column("tries", Integer()),
    column("next_s", Float(53)),
    column("error", Text()),
    column("created_s", Float(53)),
    Index("ix_deliveries_state", "state"),
    Index("ix_deliveries_webhook_id", "webhook_id"),
)
Table(
    "inspections",
    TABLES,
    key("id", String(36)),
    column("number", BIG),
    column("station_id", Integer(), ForeignKey("stations.id")),
    column("sequence", BIG),
    maybe("part_id", BIG, ForeignKey("parts.id")),
    column("part_number", BIG),
    column("serial", String(255)),
    column("product", String(255)),
    column("recipe", Integer()),
    column("kind", String(16)),
    column("verdict", String(8)),
    column("judged", String(8)),
    column("told", String(8)),
    maybe("score", Float(53)),
    column("label", String(255)),
    column("cause", String(64)),
    column("late", Boolean()),
    column("at_s", Float(53)),
    column("station_clock_s", Float(53)),
    column("received_s", Float(53)),
    maybe("total_ms", Float(53)),
    column("document", Text()),
    Unique("station_id", "sequence", "id"),
    Index("ix_inspections_at", "at_s", "number"),
    Index("ix_inspections_kind_at", "kind", "at_s", "number"),
    Index("ix_inspections_label_at", "label", "at_s", "number"),
    Index("ix_inspections_number", "number", unique=True),
    Index("ix_inspections_product_at", "product", "at_s", "number"),
    Index("ix_inspections_serial", "serial", "number"),
    Index("ix_inspections_station_at", "station_id", "at_s", "number"),
    Index("ix_inspections_verdict_at", "verdict", "at_s", "number"),
)
Table(
    "job_lines",
    TABLES,
    key("job_id", String(36), ForeignKey("jobs.id")),
    key("number", Integer()),
    column("at_s", Float(53)),
    column("text", Text()),
)
Table(
    "labels",
    TABLES,
    key("id", BIG),
    column("picture", String(64), ForeignKey("pictures.digest")),
    column("kind", String(16)),
    column("label", String(255)),
    column("geometry", JSON()),
    column("author", String(255)),
    column("at_s", Float(53)),
    maybe("removed_s", Float(53)),
    Index("ix_labels_picture", "picture"),
)
Table(
    "logins",
    TABLES,
    key("token", String(64)),
    column("user_id", Integer(), ForeignKey("users.id")),
    column("csrf", String(64)),
    column("created_s", Float(53)),
    column("used_s", Float(53)),
    column("expires_s", Float(53)),
    Index("ix_logins_user_id", "user_id"),
)
Table(
    "tallies",
    TABLES,
    key("hour", Integer()),
    key("station_id", Integer(), ForeignKey("stations.id")),
    key("product", String(255)),
    key("kind", String(16)),
    key("verdict", String(8)),
    key("cause", String(64)),
    key("label", String(255)),
    column("parts", BIG),
    column("defects", BIG),
    column("late", BIG),
)
Table(
    "breaks",
    TABLES,
    key("id", BIG),
    column("station_id", Integer(), ForeignKey("stations.id")),
    column("inspection_id", String(36), ForeignKey("inspections.id")),
    column("sequence", BIG),
    column("before", BIG),
    column("what", String(16)),
    column("received_s", Float(53)),
    Unique("inspection_id", "what"),
    Index("ix_breaks_station_id", "station_id"),
)
Table(
    "claims",
    TABLES,
    key("inspection_id", String(36), ForeignKey("inspections.id")),
    column("reviewer", String(255)),
    column("until_s", Float(53)),
)
Table(
    "dataset_items",
    TABLES,
    key("version_id", Integer(), ForeignKey("dataset_versions.id")),
    key("place", Integer()),
    column("picture", String(64), ForeignKey("pictures.digest")),
    column("name", String(1024)),
    column("split", String(16)),
    column("label", String(255)),
    column("annotations", JSON()),
)
Table(
    "escapes",
    TABLES,
    key("id", BIG),
    column("product", String(255)),
    column("serial", String(255)),
    maybe("inspection_id", String(36), ForeignKey("inspections.id")),
    column("label", String(255)),
    column("found_s", Float(53)),
    column("found_where", String(255)),
    column("note", Text()),
    column("reported_by", String(255)),
    Index("ix_escapes_found_s", "found_s"),
)
Table(
    "frames",
    TABLES,
    key("id", BIG),
    column("inspection_id", String(36), ForeignKey("inspections.id")),
    column("view", String(255)),
    column("verdict", String(8)),
    maybe("score", Float(53)),
    maybe("threshold", Float(53)),
    column("model_id", String(255)),
    column("cause", String(64)),
    column("reason", Text()),
    maybe("picture", String(64)),
    maybe("overlay", String(64)),
    column("shadow_verdict", String(8)),
    maybe("shadow_score", Float(53)),
    column("shadow_model", String(255)),
    Unique("inspection_id", "view"),
    Index("ix_frames_inspection_id", "inspection_id"),
    Index("ix_frames_overlay", "overlay"),
    Index("ix_frames_picture", "picture"),
)
Table(
    "reviews",
    TABLES,
    key("id", BIG),
    column("inspection_id", String(36), ForeignKey("inspections.id")),
    column("reviewer", String(255)),
    column("verdict", String(8)),
    column("label", String(255)),
    column("note", Text()),
    column("at_s", Float(53)),
    maybe("undone_s", Float(53)),
    maybe("seconds", Float(53)),
    Index("ix_reviews_at_s", "at_s"),
    Index("ix_reviews_inspection_id", "inspection_id"),
)
Table(
    "study_items",
    TABLES,
    key("id", BIG),
    column("study_id", Integer(), ForeignKey("studies.id")),
    column("place", Integer()),
    maybe("inspection_id", String(36), ForeignKey("inspections.id")),
    maybe("picture", String(64)),
    column("bad", Boolean()),
    column("label", String(255)),
    Unique("study_id", "place"),
)
Table(
    "defects",
    TABLES,
    key("id", BIG),
    column("inspection_id", String(36), ForeignKey("inspections.id")),
    column("frame_id", BIG, ForeignKey("frames.id")),
    column("label", String(255)),
    maybe("confidence", Float(53)),
    column("x", Integer()),
    column("y", Integer()),
    column("width", Integer()),
    column("height", Integer()),
    column("area_px", Integer()),
    maybe("area_mm2", Float(53)),
    maybe("peak", Float(53)),
    maybe("severity", Float(53)),
    Index("ix_defects_inspection_id", "inspection_id"),
)
Table(
    "study_ratings",
    TABLES,
    key("item_id", BIG, ForeignKey("study_items.id")),
    key("appraiser", String(255)),
    key("round", Integer()),
    column("machine", Boolean()),
    column("reject", Boolean()),
    column("at_s", Float(53)),
    maybe("seconds", Float(53)),
)
