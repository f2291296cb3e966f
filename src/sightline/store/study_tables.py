"""The tables of studies; schema.py has the others."""

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.orm import Mapped, mapped_column

from sightline.store.columns import BIG, DIGEST, UUID, Base


class Study(Base):
    """People, and machines, judge the same items whose truth is known."""

    __tablename__ = "studies"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(String(16))  # agreement, challenge
    product: Mapped[str] = mapped_column(default="")
    rounds: Mapped[int]  # how often each person judges each item
    seed: Mapped[int]  # of the order in which items are shown
    note: Mapped[str] = mapped_column(Text, default="")
    author: Mapped[str]
    created_s: Mapped[float]
    closed_s: Mapped[float | None]  # None: it may be rated, and its result is not shown


class StudyItem(Base):
    """One thing to judge, with what it truly is."""

    __tablename__ = "study_items"
    id: Mapped[int] = mapped_column(BIG, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"))
    place: Mapped[int]  # from 0
    inspection_id: Mapped[str | None] = mapped_column(UUID, ForeignKey("inspections.id"))
    picture: Mapped[str | None] = mapped_column(DIGEST)  # None: it has an inspection with pictures of its own
    bad: Mapped[bool]  # the standard
    label: Mapped[str] = mapped_column(default="")  # of the defect it has; empty: good, or not told
    __table_args__ = (Unique("study_id", "place"),)


class StudyRating(Base):
    """What somebody, or a machine, said of one item in one round."""

    __tablename__ = "study_ratings"
    item_id: Mapped[int] = mapped_column(BIG, ForeignKey("study_items.id"), primary_key=True)
    appraiser: Mapped[str] = mapped_column(primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)  # from 1
    machine: Mapped[bool] = mapped_column(default=False)
    reject: Mapped[bool]
    at_s: Mapped[float]
    seconds: Mapped[float | None]  # that it took; None: not measured
