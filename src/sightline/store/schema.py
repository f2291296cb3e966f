"""The tables of a plant, the same on SQLite and PostgreSQL; docs/store.md explains them.

Moments are seconds since 1970 in UTC, as of the server's clock unless a column says otherwise. What a document holds
beyond its columns stays in it, so that a newer station can talk to an older server. Rows of inspections are never
changed: what people say later are rows of their own (reviews, labels, escapes).
"""

from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, String, Text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.orm import Mapped, mapped_column

from sightline.store import study_tables  # noqa: F401 - all tables are there where these are
from sightline.store.columns import BIG, DIGEST, UUID
from sightline.store.columns import Base as Base  # noqa: PLC0414 - told on: by it all tables are found


class Station(Base):
    """A PC at a line, made when it first reports."""

    __tablename__ = "stations"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    line: Mapped[str] = mapped_column(default="")  # that it stands at; empty: not told
    first_seen_s: Mapped[float]
    last_seen_s: Mapped[float]
    clock_ahead_s: Mapped[float | None]  # its clock less ours when it last reported; None: it did not tell
    last_sequence: Mapped[int] = mapped_column(BIG, default=0)  # of its records that are here
    last_digest: Mapped[str] = mapped_column(DIGEST, default="")  # of the last of them, which the next one names
    last_at_s: Mapped[float] = mapped_column(default=0.0)  # of the last of them; the next is never before
    status: Mapped[dict[str, Any]] = mapped_column(default=dict)  # what it last told of itself: recipe, state, faults


class Part(Base):
    """One physical item, where its serial number is known; others are told apart by their inspection alone."""

    __tablename__ = "parts"
    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    product: Mapped[str]
    serial: Mapped[str]
    first_at_s: Mapped[float]
    __table_args__ = (Unique("serial", "product"),)


class Inspection(Base):
    """One part judged once; a row is written once, by what a station reported or by a call of the API."""

    __tablename__ = "inspections"
    id: Mapped[str] = mapped_column(UUID, primary_key=True)  # of the station's record: the key of exactly once
    number: Mapped[int] = mapped_column(BIG, unique=True, index=True)  # in the order in which they came to the server
    station_id: Mapped[int] = mapped_column(ForeignKey("stations.id"))
    sequence: Mapped[int] = mapped_column(BIG)  # at this station
    part_id: Mapped[int | None] = mapped_column(BIG, ForeignKey("parts.id"))
    part_number: Mapped[int] = mapped_column(BIG, default=0)  # the PLC's; 0: none
    serial: Mapped[str] = mapped_column(default="")
    lot: Mapped[str] = mapped_column(String(64), default="")  # as the station was told; empty: not known
    tool: Mapped[str] = mapped_column(String(64), default="")
    product: Mapped[str]
    recipe: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))  # production, audit, challenge
    verdict: Mapped[str] = mapped_column(String(8))  # PASS, REJECT, REVIEW, FAULT
    judged: Mapped[str] = mapped_column(String(8), default="")  # by its views, whatever was told; empty: not
    told: Mapped[str] = mapped_column(String(8), default="")  # to the PLC: ok, ng, fault; empty: nothing, or not known
    score: Mapped[float | None]  # of the view that decided; None for a FAULT
    label: Mapped[str] = mapped_column(default="")  # of the most anomalous defect; empty: there is none
    cause: Mapped[str] = mapped_column(String(64), default="")  # of a FAULT
    late: Mapped[bool] = mapped_column(Boolean, default=False)
    at_s: Mapped[float]  # when it was triggered, as this server sees it: never before the part in front of it
    station_clock_s: Mapped[float]  # the same by the station's own clock, whatever that said
    received_s: Mapped[float]
    total_ms: Mapped[float | None]  # trigger to verdict
    document: Mapped[str] = mapped_column(Text)  # the record as it came, one line of canonical JSON
    __table_args__ = (
        Unique("station_id", "sequence", "id"),
        Index("ix_inspections_at", "at_s", "number"),
        Index("ix_inspections_station_at", "station_id", "at_s", "number"),
        Index("ix_inspections_product_at", "product", "at_s", "number"),
        Index("ix_inspections_verdict_at", "verdict", "at_s", "number"),
        Index("ix_inspections_label_at", "label", "at_s", "number"),
        Index("ix_inspections_kind_at", "kind", "at_s", "number"),
        Index("ix_inspections_lot_at", "lot", "at_s", "number"),
        Index("ix_inspections_tool_at", "tool", "at_s", "number"),
        Index("ix_inspections_serial", "serial", "number"),
    )


class Frame(Base):
    """One view of an inspection."""

    __tablename__ = "frames"
    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    inspection_id: Mapped[str] = mapped_column(UUID, ForeignKey("inspections.id"), index=True)
    view: Mapped[str]
    verdict: Mapped[str] = mapped_column(String(8))
    score: Mapped[float | None]
    threshold: Mapped[float | None]
    model_id: Mapped[str] = mapped_column(default="")
    cause: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    picture: Mapped[str | None] = mapped_column(DIGEST, index=True)  # None: none was stored, or it has not come yet
    overlay: Mapped[str | None] = mapped_column(DIGEST, index=True)
    shadow_verdict: Mapped[str] = mapped_column(String(8), default="")  # of a model that decides nothing; empty: silent
    shadow_score: Mapped[float | None]
    shadow_model: Mapped[str] = mapped_column(default="")
    __table_args__ = (Unique("inspection_id", "view"),)


class Defect(Base):
    """One finding of a view."""

    __tablename__ = "defects"
    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    inspection_id: Mapped[str] = mapped_column(UUID, ForeignKey("inspections.id"), index=True)
    frame_id: Mapped[int] = mapped_column(BIG, ForeignKey("frames.id"))
    label: Mapped[str]
    confidence: Mapped[float | None]
    x: Mapped[int]  # px of the frame, the left top pixel
    y: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    area_px: Mapped[int]
    area_mm2: Mapped[float | None]
    peak: Mapped[float | None]  # None: the model's map was not finite there
    severity: Mapped[float | None]


class Break(Base):
    """A place where a station's chain of records does not join, so that something was lost or altered on its way."""

    __tablename__ = "breaks"
    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    station_id: Mapped[int] = mapped_column(ForeignKey("stations.id"), index=True)
    inspection_id: Mapped[str] = mapped_column(UUID, ForeignKey("inspections.id"))  # that does not join what was before
    sequence: Mapped[int] = mapped_column(BIG)  # of it
    before: Mapped[int] = mapped_column(BIG)  # sequence of the record that came before it
    what: Mapped[str] = mapped_column(String(16))  # missing, altered, restarted, differs: store/ingest.py
    received_s: Mapped[float]
    __table_args__ = (Unique("inspection_id", "what"),)


class Tally(Base):
    """How many parts of one kind came to one end in one hour; written with the inspections, so that sums are quick."""

    __tablename__ = "tallies"
    hour: Mapped[int] = mapped_column(primary_key=True)  # at_s // 3600
    station_id: Mapped[int] = mapped_column(ForeignKey("stations.id"), primary_key=True)
    product: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    verdict: Mapped[str] = mapped_column(String(8), primary_key=True)
    cause: Mapped[str] = mapped_column(String(64), primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)  # as of the inspection
    lot: Mapped[str] = mapped_column(String(64), primary_key=True, default="")
    tool: Mapped[str] = mapped_column(String(64), primary_key=True, default="")
    parts: Mapped[int] = mapped_column(BIG)
    defects: Mapped[int] = mapped_column(BIG)  # all findings of these parts
    late: Mapped[int] = mapped_column(BIG)


class Picture(Base):
    """A stored image; its bytes lie under its digest in its tier."""

    __tablename__ = "pictures"
    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    media_type: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BIG)
    tier: Mapped[str] = mapped_column(String(16))  # hot, nearline, archive; gone: removed after its time
    kept_as: Mapped[str] = mapped_column(String(16))  # pass, reject, reviewed, regulated, dataset: the rule it is under
    stored_s: Mapped[float]
    keep_until_s: Mapped[float | None]  # None: for ever
    __table_args__ = (
        Index("ix_pictures_tier_stored", "tier", "stored_s"),
        Index(
            "ix_pictures_stock", "tier", "kept_as", "keep_until_s", "size_bytes", "stored_s"
        ),  # all that stock.py reads
    )


class Hold(Base):
    """Pictures of these parts are not removed, whatever their age: a legal hold, a recall, a complaint."""

    __tablename__ = "holds"
    id: Mapped[int] = mapped_column(primary_key=True)
    product: Mapped[str] = mapped_column(index=True)
    serial: Mapped[str] = mapped_column(default="")  # empty: all parts of the product
    reason: Mapped[str] = mapped_column(Text)
    author: Mapped[str]
    at_s: Mapped[float]
    lifted_s: Mapped[float | None]


class Claim(Base):
    """Somebody has this inspection before them, so that nobody else is given it."""

    __tablename__ = "claims"
    inspection_id: Mapped[str] = mapped_column(UUID, ForeignKey("inspections.id"), primary_key=True)
    reviewer: Mapped[str]
    until_s: Mapped[float]


class Review(Base):
    """What one person decided of one inspection; a later one by the same person takes the place of the earlier."""

    __tablename__ = "reviews"
    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    inspection_id: Mapped[str] = mapped_column(UUID, ForeignKey("inspections.id"), index=True)
    reviewer: Mapped[str]
    verdict: Mapped[str] = mapped_column(String(8))  # PASS or REJECT
    label: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(Text, default="")
    at_s: Mapped[float] = mapped_column(index=True)
    undone_s: Mapped[float | None]  # None: it stands
    seconds: Mapped[float | None]  # that the person took; None: not measured


class Label(Base):
    """What a person drew or said of a picture: whole class, box, polygon or mask."""

    __tablename__ = "labels"
    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    picture: Mapped[str] = mapped_column(DIGEST, ForeignKey("pictures.digest"), index=True)
    kind: Mapped[str] = mapped_column(String(16))  # class, box, polygon, mask
    label: Mapped[str]
    geometry: Mapped[dict[str, Any]]  # px of the picture; docs/store.md
    author: Mapped[str]
    at_s: Mapped[float]
    removed_s: Mapped[float | None]


class Escape(Base):
    """A bad part that was passed and found later, by a customer or at a later station."""

    __tablename__ = "escapes"
    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    product: Mapped[str]
    serial: Mapped[str] = mapped_column(default="")
    inspection_id: Mapped[str | None] = mapped_column(UUID, ForeignKey("inspections.id"))
    label: Mapped[str] = mapped_column(default="")
    found_s: Mapped[float] = mapped_column(index=True)
    found_where: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(Text, default="")
    reported_by: Mapped[str]


class Dataset(Base):
    """A named collection of pictures, which has versions."""

    __tablename__ = "datasets"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    product: Mapped[str] = mapped_column(default="")
    created_s: Mapped[float]


class DatasetVersion(Base):
    """What a data set was at one time; never changed."""

    __tablename__ = "dataset_versions"
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    version: Mapped[int]  # from 1
    digest: Mapped[str] = mapped_column(DIGEST)  # of its items
    items: Mapped[int]
    note: Mapped[str] = mapped_column(Text, default="")
    author: Mapped[str]
    created_s: Mapped[float]
    __table_args__ = (Unique("dataset_id", "version"),)


class DatasetItem(Base):
    """One picture of a version, with what it shows."""

    __tablename__ = "dataset_items"
    version_id: Mapped[int] = mapped_column(ForeignKey("dataset_versions.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)  # from 0
    picture: Mapped[str] = mapped_column(DIGEST, ForeignKey("pictures.digest"))
    name: Mapped[str] = mapped_column(String(1024))  # of the file it came from, relative
    split: Mapped[str] = mapped_column(String(16), default="")  # train, validation, test; empty: not yet split
    label: Mapped[str] = mapped_column(default="")  # good, a defect's name; empty: not known
    annotations: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Model(Base):
    """A `.sight` file that the plant knows."""

    __tablename__ = "models"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]  # people's; models of one name replace each other
    version: Mapped[int]  # from 1
    model_id: Mapped[str] = mapped_column(DIGEST)  # of the file's own manifest
    digest: Mapped[str] = mapped_column(DIGEST)  # of the file
    size_bytes: Mapped[int] = mapped_column(BIG)
    status: Mapped[str] = mapped_column(String(16))  # candidate, current, former, withdrawn
    manifest: Mapped[dict[str, Any]]
    figures: Mapped[dict[str, Any]] = mapped_column(default=dict)  # of its evaluation
    note: Mapped[str] = mapped_column(Text, default="")
    author: Mapped[str]
    created_s: Mapped[float]
    __table_args__ = (Unique("name", "version"),)


class Promotion(Base):
    """A model became the current one of its name, forwards or back."""

    __tablename__ = "promotions"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    before: Mapped[int | None]  # version that was current; None: there was none
    by: Mapped[str]
    reason: Mapped[str] = mapped_column(Text, default="")
    at_s: Mapped[float]


class Recipe(Base):
    """A version of a recipe; stations fetch the newest that is released."""

    __tablename__ = "recipes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    text: Mapped[str] = mapped_column(Text)  # TOML
    digest: Mapped[str] = mapped_column(DIGEST)
    released: Mapped[bool] = mapped_column(default=False)
    author: Mapped[str]
    created_s: Mapped[float]
    __table_args__ = (Unique("name", "version"),)


class User(Base):
    """Somebody who may log in."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(String(32))
    password: Mapped[str]  # argon2id, with its salt and cost
    active: Mapped[bool] = mapped_column(default=True)
    created_s: Mapped[float]
    last_login_s: Mapped[float | None]


class Login(Base):
    """A session in a browser."""

    __tablename__ = "logins"
    token: Mapped[str] = mapped_column(DIGEST, primary_key=True)  # digest of what the cookie holds
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    csrf: Mapped[str] = mapped_column(DIGEST)
    created_s: Mapped[float]
    used_s: Mapped[float]
    expires_s: Mapped[float]


class Key(Base):
    """An API key or a station's key."""

    __tablename__ = "keys"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    shown: Mapped[str] = mapped_column(String(16), unique=True)  # its first characters, by which it is found
    digest: Mapped[str] = mapped_column(DIGEST)
    role: Mapped[str] = mapped_column(String(32))
    scopes: Mapped[str] = mapped_column(default="")  # names of rights with blanks between; empty: all of the role
    station: Mapped[str] = mapped_column(default="")  # the only one it may report for; empty: any
    author: Mapped[str]
    created_s: Mapped[float]
    expires_s: Mapped[float | None]
    revoked_s: Mapped[float | None]
    used_s: Mapped[float | None]


class Audit(Base):
    """Who changed what; each row holds the digest of the row before."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)  # from 1, without gaps
    at_s: Mapped[float]
    who: Mapped[str]
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(512))  # of what, say model:cap/3
    before: Mapped[str] = mapped_column(Text)  # JSON; null: there was nothing
    after: Mapped[str] = mapped_column(Text)
    signed: Mapped[bool] = mapped_column(default=False)  # the password was given again for it
    previous: Mapped[str] = mapped_column(DIGEST)
    digest: Mapped[str] = mapped_column(DIGEST)
    __table_args__ = (Index("ix_audit_at", "at_s"), Index("ix_audit_subject", "subject"))


class Fact(Base):
    """One thing that is true of the whole database: where the audit trail ends, which set-up link is open."""

    __tablename__ = "facts"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Job(Base):
    """Work in the background."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(UUID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    params: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16), index=True)  # waiting, running, done, failed, cancelled
    progress: Mapped[float] = mapped_column(default=0.0)  # 0..1
    message: Mapped[str] = mapped_column(Text, default="")
    result: Mapped[dict[str, Any] | None]
    attempts: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(default="")
    beat_s: Mapped[float | None]  # when its worker was last heard of
    cancel: Mapped[bool] = mapped_column(default=False)  # somebody asked
    author: Mapped[str]
    created_s: Mapped[float]
    started_s: Mapped[float | None]
    ended_s: Mapped[float | None]


class JobLine(Base):
    """One line of a job's log."""

    __tablename__ = "job_lines"
    job_id: Mapped[str] = mapped_column(UUID, ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at_s: Mapped[float]
    text: Mapped[str] = mapped_column(Text)


class AlertRule(Base):
    """When somebody has to be told."""

    __tablename__ = "alert_rules"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    params: Mapped[dict[str, Any]]
    targets: Mapped[dict[str, Any]]  # where it goes
    active: Mapped[bool] = mapped_column(default=True)


class Alert(Base):
    """Something is the matter, or was."""

    __tablename__ = "alerts"
    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    rule: Mapped[str]
    subject: Mapped[str]  # say the station; one alert of a rule and subject is open at a time
    message: Mapped[str] = mapped_column(Text)
    value: Mapped[float | None]
    raised_s: Mapped[float] = mapped_column(index=True)
    seen_s: Mapped[float]  # when it was last found to be so
    times: Mapped[int] = mapped_column(default=1)
    acknowledged_s: Mapped[float | None]
    acknowledged_by: Mapped[str] = mapped_column(default="")
    ended_s: Mapped[float | None]


class Webhook(Base):
    """An address that is told of events."""

    __tablename__ = "webhooks"
    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(String(2048))
    events: Mapped[str]  # names with blanks between
    secret: Mapped[str]  # what each message is signed with
    active: Mapped[bool] = mapped_column(default=True)
    author: Mapped[str]
    created_s: Mapped[float]


class Delivery(Base):
    """One event on its way to one webhook."""

    __tablename__ = "deliveries"
    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id"), index=True)
    event: Mapped[str]
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), index=True)  # waiting, delivered, given up
    tries: Mapped[int] = mapped_column(default=0)
    next_s: Mapped[float]
    error: Mapped[str] = mapped_column(Text, default="")
    created_s: Mapped[float]
