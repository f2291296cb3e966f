"""Versions of recipes; a station fetches the newest that is released."""

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from sightline.devices.controllers import plc_config
from sightline.devices.opening import camera_config
from sightline.errors import ConflictError, NotFoundError, OptionError
from sightline.line.recipe import Recipe as Checked
from sightline.line.recipe import read_recipe
from sightline.line.toml_table import MOST_BYTES
from sightline.store.audit import note
from sightline.store.database import Database
from sightline.store.models import check_name
from sightline.store.schema import Recipe
from sightline.store.turns import take_turn
from sightline.store.webhooks import publish


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRecipe:
    """One version of a recipe."""

    name: str
    version: int
    text: str
    digest: str
    released: bool
    author: str
    created_s: float


def check(text: str, name: str) -> Checked:
    """A recipe's text, checked like the file; the models and pictures that it names lie at the station.

    Raises:
        OptionError: all that is wrong with it, one line for each.
    """
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise OptionError(f"{name}: is larger than {MOST_BYTES} bytes; that is no recipe.")
    return read_recipe(Path(f"{name}.toml"), text=text, camera=camera_config, plc=plc_config)


def add(database: Database, *, name: str, text: str, author: str, now_s: float) -> KnownRecipe:
    """Take in a text as the next version, not released; the newest version's own text again is that version.

    Raises:
        OptionError: it is no recipe that can work, or the name cannot be used.
    """
    check(text, check_name(name))
    digest = hashlib.sha256(text.encode()).hexdigest()
    with database.writing() as session:
        earlier = _locked(session, name)
        if earlier and earlier[-1].digest == digest:
            return _known(earlier[-1])
        row = Recipe(
            name=name,
            version=earlier[-1].version + 1 if earlier else 1,
            text=text,
            digest=digest,
            released=False,
            author=author,
            created_s=now_s,
        )
        session.add(row)
        before = earlier[-1].text if earlier else None
        note(session, who=author, action="save", subject=f"recipe:{name}/{row.version}", before=before, after=text)
        return _known(row)


def release(
    database: Database,
    name: str,
    version: int,
    *,
    by: str,
    reason: str,
    released: bool = True,
    signed: bool = False,
    now_s: float,
) -> KnownRecipe:
    """Let stations fetch a version, or no longer; ConflictError where it is so already."""
    if not reason.strip():
        raise OptionError("a reason is missing; say in a few words why.")
    with database.writing() as session:
        row = next((row for row in _locked(session, name) if row.version == version), None)
        if row is None:
            raise NotFoundError(f"recipe {name:.120}: there is no version {version}.")
        if row.released == released:
            raise ConflictError(f"recipe {name} {version} is {'' if released else 'not '}released already.")
        row.released = released
        note(
            session,
            who=by,
            action="release" if released else "take back",
            subject=f"recipe:{name}/{version}",
            before={"released": not released},
            after={"released": released, "reason": reason},
            signed=signed,
        )
        if released:
            news = {"name": name, "version": version, "digest": row.digest, "by": by, "reason": reason}
            publish(session, "recipe.released", news, now_s=now_s)
        return _known(row)


def one(database: Database, name: str, version: int | None = None) -> KnownRecipe:
    """One version; None: the newest that is released. NotFoundError where there is none."""
    query = select(Recipe).where(Recipe.name == name).order_by(Recipe.version.desc()).limit(1)
    query = query.where(Recipe.released) if version is None else query.where(Recipe.version == version)
    with database.reading() as session:
        row = session.scalar(query)
        if row is None:
            what = "no released version" if version is None else f"no version {version}"
            raise NotFoundError(f"recipe {name:.120}: there is {what}.")
        return _known(row)


def versions(database: Database, name: str, *, before: int | None = None, limit: int = 100) -> list[KnownRecipe]:
    """Those of one name below `before`, the newest first."""
    query = select(Recipe).where(Recipe.name == name).order_by(Recipe.version.desc()).limit(limit)
    with database.reading() as session:
        return [
            _known(row) for row in session.scalars(query if before is None else query.where(Recipe.version < before))
        ]


def newest(database: Database, *, after: str = "", limit: int = 100) -> list[KnownRecipe]:
    """The newest version of each name behind `after`, by name."""
    last = select(Recipe.name, func.max(Recipe.version)).where(Recipe.name > after).group_by(Recipe.name)
    chosen = tuple_(Recipe.name, Recipe.version).in_(last.order_by(Recipe.name).limit(limit))
    with database.reading() as session:
        return [_known(row) for row in session.scalars(select(Recipe).where(chosen).order_by(Recipe.name))]


def difference(database: Database, name: str, old: int, new: int) -> str:
    """The lines that differ, as a unified diff; empty where none do."""
    before, after = (one(database, name, version).text.splitlines() for version in (old, new))
    return "\n".join(difflib.unified_diff(before, after, f"{name}/{old}", f"{name}/{new}", lineterm=""))


def _locked(session: Session, name: str) -> list[Recipe]:
    take_turn(session, f"recipe:{name}")
    return list(session.scalars(select(Recipe).where(Recipe.name == name).order_by(Recipe.version)))


def _known(row: Recipe) -> KnownRecipe:
    return KnownRecipe(
        name=row.name,
        version=row.version,
        text=row.text,
        digest=row.digest,
        released=row.released,
        author=row.author,
        created_s=row.created_s,
    )
