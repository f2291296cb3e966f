"""The plant's models: `.sight` files by their content, and which version of each name is the current one.

Of each name at most one version is current. Whoever changes that takes a turn at the name first, so of two who do it at
once the second sees what the first did.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from sightline.bundle import load
from sightline.errors import ConflictError, NotFoundError, OptionError
from sightline.store.audit import note
from sightline.store.database import Database
from sightline.store.schema import Model, Promotion
from sightline.store.shelf import Shelf, digest_of_file
from sightline.store.turns import take_turn
from sightline.store.webhooks import publish

MOST_FIGURES = 200
_CANDIDATE, CURRENT, _FORMER, _WITHDRAWN = "candidate", "current", "former", "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """One version of a model."""

    id: int  # ascends; by it lists are paged
    name: str
    version: int
    model_id: str
    digest: str
    graph: str  # SHA-256 of what scores; versions that differ in their thresholds alone have it in common
    size_bytes: int
    status: str  # candidate, current, former, withdrawn
    method: str
    figures: dict[str, Any]
    note: str
    author: str
    created_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is said about a file that somebody brings."""

    name: str
    author: str
    note: str = ""
    figures: Mapping[str, float | int | str | None] | None = None  # of its evaluation; None: none were given
    before: Mapping[str, object] | None = None  # what it changes of an earlier version, for the audit trail
    after: Mapping[str, object] | None = None
    signed: bool = False  # the password was given again for it
    version: int | None = None  # that was promised to somebody; None: the next one

    def __post_init__(self) -> None:
        check_name(self.name)
        _check_figures(self.figures or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who changes which model is current, and why."""

    by: str
    reason: str
    signed: bool = False  # the password was given again for it

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise OptionError("a reason is missing; say in a few words why the model changes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """One line of the history of a name."""

    name: str
    version: int
    before: int | None  # None: there was none
    by: str
    reason: str
    at_s: float


class ModelFiles:
    """Where the files lie, and a folder on this machine in which a bucket's are kept; threads may share it."""

    def __init__(self, shelf: Shelf, cache: Path) -> None:
        self._shelf = shelf
        self._cache = cache

    def keep(self, path: Path) -> str:
        """Store a file; its digest."""
        digest = digest_of_file(path)
        self._shelf.put_file(digest, path)
        return digest

    def path_of(self, digest: str) -> Path:
        """The file on this machine; NotFoundError, StoreError, StoreAway as `Shelf.fetch`."""
        here = self._shelf.path_of(digest)
        if here is not None:
            if not here.is_file():
                raise NotFoundError(f"model {digest[:12]} is not in its folder; bring it back from a backup.")
            return here
        path = self._cache / f"{digest}.sight"
        if not path.is_file():
            self._cache.mkdir(parents=True, exist_ok=True)
            self._shelf.fetch(digest, path)
        return path


def add(database: Database, files: ModelFiles, path: Path, upload: Upload, *, now_s: float) -> KnownModel:
    """Take in a `.sight` file as the next version of a name; the same file again is the version that it is already.

    Raises:
        BundleError: it is no `.sight` file that can be trusted; nothing of it is kept.
        ConflictError: the version that it was to be is another file by now.
    """
    bundle = load(path)
    digest = files.keep(path)
    with database.writing() as session:
        versions = _locked(session, upload.name)
        same = next((row for row in versions if row.digest == digest), None)
        if same is not None:
            return _known(same)
        taken = {row.version for row in versions}
        if upload.version in taken:
            raise ConflictError(f"model {upload.name} {upload.version}: is another file by now; train or upload again.")
        row = Model(
            name=upload.name,
            version=upload.version or max(taken, default=0) + 1,
            model_id=bundle.model_id,
            digest=digest,
            size_bytes=path.stat().st_size,
            status=_CANDIDATE,
            manifest=_shown(asdict(bundle.manifest)),
            figures=dict(upload.figures or {}),
            note=upload.note,
            author=upload.author,
            created_s=now_s,
        )
        session.add(row)
        note(
            session,
            who=upload.author,
            action="upload",
            subject=_subject(row),
            before=upload.before,
            after={"digest": digest, **(upload.after or {})},
            signed=upload.signed,
        )
        session.flush()
        return _known(row)


def one(database: Database, name: str, version: int | None = None) -> KnownModel:
    """One version; None: the current one. NotFoundError where there is none."""
    chosen: ColumnElement[bool] = Model.status == CURRENT if version is None else Model.version == version
    with database.reading() as session:
        row = session.scalar(select(Model).where(Model.name == name, chosen))
        if row is None:
            what = "no current version" if version is None else f"no version {version}"
            raise NotFoundError(f"model {name:.120}: there is {what}.")
        return _known(row)


def by_model_id(database: Database, model_id: str) -> KnownModel | None:
    """The newest version whose file has this id; None: there is none."""
    with database.reading() as session:
        chosen = select(Model).where(Model.model_id == model_id).order_by(Model.id.desc()).limit(1)
        row = session.scalars(chosen).first()
        return None if row is None else _known(row)


def highest(database: Database, name: str) -> int:
    """The number of the latest version; 0: there is none."""
    with database.reading() as session:
        return session.scalar(select(func.max(Model.version)).where(Model.name == name)) or 0


def manifest_of(database: Database, name: str, version: int) -> dict[str, Any]:
    """What its file says about it, without the scores it was calibrated on."""
    with database.reading() as session:
        return dict(_row(session, name, version).manifest)


def listed(database: Database, *, name: str = "", before: int | None = None, limit: int = 100) -> list[KnownModel]:
    """The newest first; `before` is the last `id` of the page before."""
    query = select(Model).order_by(Model.id.desc()).limit(limit)
    if name:
        query = query.where(Model.name == name)
    if before is not None:
        query = query.where(Model.id < before)
    with database.reading() as session:
        return [_known(row) for row in session.scalars(query)]


def promote(database: Database, name: str, version: int, change: Change, *, now_s: float) -> KnownModel:
    """Make a version the current one.

    Raises:
        NotFoundError: there is no such version. ConflictError: it is current already, or was withdrawn.
    """
    with database.writing() as session:
        return _switched(session, _locked(session, name), name, version, change, now_s, "promote")


def roll_back(database: Database, name: str, change: Change, *, now_s: float) -> KnownModel:
    """Make current what was so before; again, what was so before that.

    Raises:
        NotFoundError: there is no such model. ConflictError: there is none before that could be.
    """
    with database.writing() as session:
        versions = _locked(session, name)
        if not versions:
            raise NotFoundError(f"model {name:.120}: there is none.")
        usable = {row.version for row in versions if row.status != _WITHDRAWN}
        steps = session.scalars(select(Promotion.version).where(Promotion.name == name).order_by(Promotion.id))
        before = [version for version in _stack(list(steps))[:-1] if version in usable]
        if not before:
            raise ConflictError(f"model {name:.120}: there is no version before that could be current.")
        return _switched(session, versions, name, before[-1], change, now_s, "roll back")


def retire(database: Database, name: str, version: int, change: Change) -> KnownModel:
    """Let the current version be so no more, with none in its place; ConflictError where another one is current."""
    with database.writing() as session:
        row = _chosen(_locked(session, name), name, version)
        if row.status != CURRENT:
            raise ConflictError(f"{name} {version} is {row.status}, not the current version.")
        row.status = _FORMER
        note(
            session,
            who=change.by,
            action="retire",
            subject=f"model:{name}",
            before={"version": version},
            after={"version": None, "reason": change.reason},
            signed=change.signed,
        )
        return _known(row)


def withdraw(database: Database, name: str, version: int, change: Change) -> KnownModel:
    """A version that must not be used any more; the file stays. ConflictError where it is current."""
    with database.writing() as session:
        row = _chosen(_locked(session, name), name, version)
        if row.status == CURRENT:
            raise ConflictError(f"{name} {version} is current; promote another version first, or roll back.")
        before, row.status = row.status, _WITHDRAWN
        after = {"status": _WITHDRAWN, "reason": change.reason}
        note(
            session,
            who=change.by,
            action="withdraw",
            subject=_subject(row),
            before={"status": before},
            after=after,
            signed=change.signed,
        )
        return _known(row)


def attach(
    database: Database, name: str, version: int, figures: Mapping[str, float | int | str | None], *, by: str
) -> KnownModel:
    """Put figures of an evaluation beside a version, in place of those of the same names."""
    _check_figures(figures)
    with database.writing() as session:
        row = _chosen(_locked(session, name), name, version)
        before = dict(row.figures)
        row.figures = before | dict(figures)
        _check_figures(row.figures)
        note(session, who=by, action="attach figures", subject=_subject(row), before=before, after=row.figures)
        return _known(row)


def history(database: Database, name: str, *, limit: int = 100) -> list[Promoted]:
    """Promotions of a name, the newest first."""
    query = select(Promotion).where(Promotion.name == name).order_by(Promotion.id.desc()).limit(limit)
    with database.reading() as session:
        return [
            Promoted(name=row.name, version=row.version, before=row.before, by=row.by, reason=row.reason, at_s=row.at_s)
            for row in session.scalars(query)
        ]


def check_name(name: str) -> str:
    """A name that fits into an address and a file's name."""
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    if not (plain.isalnum() and name.isascii() and len(name) <= 120 and name[0].isalnum()):
        raise OptionError(f"name {name!r:.60}: give up to 120 letters, digits and -_., a letter or digit first.")
    return name


def _switched(
    session: Session, versions: list[Model], name: str, version: int, change: Change, now_s: float, action: str
) -> KnownModel:
    row = _chosen(versions, name, version)
    if row.status in (CURRENT, _WITHDRAWN):
        raise ConflictError(f"{name} {version} is {row.status}{' already' if row.status == CURRENT else ''}.")
    former = [other for other in versions if other.status == CURRENT]
    for other in former:
        other.status = _FORMER
    row.status = CURRENT
    before = former[0].version if former else None
    session.add(Promotion(name=name, version=version, before=before, by=change.by, reason=change.reason, at_s=now_s))
    note(
        session,
        who=change.by,
        action=action,
        subject=f"model:{name}",
        before={"version": before},
        after={"version": version, "reason": change.reason},
        signed=change.signed,
    )
    news = {"name": name, "version": version, "before": before, "model_id": row.model_id, "digest": row.digest}
    publish(session, "model.promoted", news | {"action": action, "by": change.by, "reason": change.reason}, now_s=now_s)
    return _known(row)


def _stack(steps: list[int]) -> list[int]:
    """Versions one above the other, the current one on top; going back to the one below takes the top away."""
    stack: list[int] = []
    for version in steps:
        if len(stack) > 1 and stack[-2] == version:
            stack.pop()
        elif stack[-1:] != [version]:  # else it was retired, and is back
            stack.append(version)
    return stack


def _locked(session: Session, name: str) -> list[Model]:
    take_turn(session, f"model:{name}")
    return list(session.scalars(select(Model).where(Model.name == name).order_by(Model.version)))


def _row(session: Session, name: str, version: int) -> Model:
    row = session.scalar(select(Model).where(Model.name == name, Model.version == version))
    return _chosen([row] if row else [], name, version)


def _chosen(versions: list[Model], name: str, version: int) -> Model:
    row = next((row for row in versions if row.version == version), None)
    if row is None:
        raise NotFoundError(f"model {name:.120}: there is no version {version}.")
    return row


def _check_figures(figures: Mapping[str, object]) -> None:
    if len(figures) > MOST_FIGURES:
        raise OptionError(f"there are {len(figures)} figures; the most is {MOST_FIGURES}.")
    for key, value in figures.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise OptionError(f"figure {key:.60} is {value}; leave out what was not measured.")


def _shown(manifest: dict[str, Any]) -> dict[str, Any]:
    """Without the scores of all good pictures, which stay in the file."""
    manifest.get("calibration", {}).pop("good_scores", None)
    for product in manifest.get("products", ()):
        product.get("calibration", {}).pop("good_scores", None)
    return manifest


def _subject(row: Model) -> str:
    return f"model:{row.name}/{row.version}"


def _known(row: Model) -> KnownModel:
    return KnownModel(
        id=row.id,
        name=row.name,
        version=row.version,
        model_id=row.model_id,
        digest=row.digest,
        graph=str(row.manifest.get("graph_sha256", "")),
        size_bytes=row.size_bytes,
        status=row.status,
        method=str(row.manifest.get("method", "")),
        figures=dict(row.figures),
        note=row.note,
        author=row.author,
        created_s=row.created_s,
    )
