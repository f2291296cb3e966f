"""Scores that a model gave at the line, beside what people say of the parts: what a threshold is moved over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sightline.datasets.dataset import GOOD
from sightline.feedback.consensus import State
from sightline.feedback.reviews import outcomes
from sightline.records import UNNAMED, Verdict
from sightline.store.schema import Escape, Frame, Inspection, Model, Review

MOST = 5_000  # views, the newest
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A view whose truth is known."""

    inspection_id: str
    picture: str | None  # digest; None: none was stored
    score: float
    label: str  # GOOD or the defect's name


def ids_with_graph_of(session: Session, name: str, version: int) -> tuple[str, ...]:
    """Ids of all versions of a name that score as this one does: the graph is the same, thresholds may differ."""
    rows = list(session.scalars(select(Model).where(Model.name == name)))
    graphs = {row.version: row.manifest.get("graph_sha256") for row in rows}
    return tuple({row.model_id for row in rows if row.version == version or graphs[row.version] == graphs.get(version)})


def reviewed_scores(session: Session, model_ids: Sequence[str], *, most: int = MOST) -> tuple[Scored, ...]:
    """The newest views that these models scored and people have decided, or that were found to be bad later.

    Of a rejected part with several views only those count that the machine did not pass, as of the others nobody has
    said what they show.
    """
    decided = select(Review.inspection_id).where(Review.undone_s.is_(None))
    escaped = select(Escape.inspection_id).where(Escape.inspection_id.is_not(None))
    query = (
        select(Frame)
        .join(Inspection, Inspection.id == Frame.inspection_id)
        .where(Frame.model_id.in_(model_ids), Frame.score.is_not(None))
        .where(Frame.inspection_id.in_(decided) | Frame.inspection_id.in_(escaped))
        .order_by(Inspection.number.desc())
        .limit(most)
    )
    frames = list(session.scalars(query))
    names = list(dict.fromkeys(frame.inspection_id for frame in frames))
    labels = labels_of(session, names)
    views = _view_counts(session, names)
    return tuple(
        Scored(inspection_id=frame.inspection_id, picture=frame.picture, score=float(frame.score or 0.0), label=label)
        for frame in frames
        if (label := labels.get(frame.inspection_id, ""))
        and (label == GOOD or views[frame.inspection_id] == 1 or frame.verdict != Verdict.PASS)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A picture that a model judged at the line."""

    inspection_id: str
    picture: str
    label: str  # GOOD, the defect's name, or empty: nobody has decided


def pictures_seen(session: Session, model_ids: Sequence[str], *, most: int) -> tuple[Seen, ...]:
    """The newest pictures that these models judged, each once."""
    query = (
        select(Frame.inspection_id, Frame.picture)
        .join(Inspection, Inspection.id == Frame.inspection_id)
        .where(Frame.model_id.in_(model_ids), Frame.picture.is_not(None))
        .order_by(Inspection.number.desc())
        .limit(4 * most)
    )
    newest: dict[str, str] = {}
    for inspection_id, picture in session.execute(query):
        if picture is not None:
            newest.setdefault(picture, inspection_id)
    chosen = dict(list(newest.items())[:most])
    labels = labels_of(session, list(chosen.values()))
    return tuple(
        Seen(inspection_id=inspection_id, picture=picture, label=labels.get(inspection_id, ""))
        for picture, inspection_id in chosen.items()
    )


def labels_of(session: Session, names: Sequence[str]) -> dict[str, str]:
    """What each part is, GOOD or a defect's name, where that is known; one found later counts, whatever was said."""
    labels: dict[str, str] = {}
    for chunk in _chunks(names):
        for name, outcome in outcomes(session, chunk).items():
            if outcome.state is State.SETTLED:
                labels[name] = GOOD if outcome.verdict is Verdict.PASS else outcome.label or UNNAMED
        found = select(Escape.inspection_id, Escape.label).where(Escape.inspection_id.in_(chunk))
        labels |= {name: label or UNNAMED for name, label in session.execute(found) if name}
    return labels


def _view_counts(session: Session, names: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for chunk in _chunks(names):
        query = select(Frame.inspection_id, func.count()).where(Frame.inspection_id.in_(chunk))
        rows = session.execute(query.group_by(Frame.inspection_id))
        counts |= {row[0]: row[1] for row in rows}
    return counts


def _chunks(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
