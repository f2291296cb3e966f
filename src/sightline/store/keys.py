"""Keys of programs and stations: shown once when made, of which only the digest is kept."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from sightline.errors import ConflictError, NotFoundError, OptionError
from sightline.store.audit import note
from sightline.store.database import Database
from sightline.store.schema import Key
from sightline.store.users import digest_of, refuse_bad_name

LONGEST = 200  # characters of a key that is looked at
_NOTED_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a new key may do."""

    name: str
    role: str
    scopes: tuple[str, ...] = ()  # rights of the role to which it is limited; empty: all of them
    station: str = ""  # the only one it may report for; empty: any
    expires_s: float | None = None  # None: never


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A key, without what is secret."""

    id: int
    shown: str  # its first characters
    wanted: Wanted
    author: str
    created_s: float
    revoked_s: float | None
    used_s: float | None  # within a minute; None: never


def make(database: Database, wanted: Wanted, *, by: str, now_s: float) -> tuple[Known, str]:
    """
    Returns:
        The key's record, and the key itself, which can never be shown again.

    Raises:
        OptionError: the name cannot be used, or it would have expired already.
    """
    refuse_bad_name(wanted.name)
    if wanted.expires_s is not None and wanted.expires_s <= now_s:
        raise OptionError("key: would have expired already; give a later moment.")
    shown = f"sk_{secrets.token_hex(6)}"
    secret = f"{shown}_{secrets.token_urlsafe(32)}"
    row = Key(
        name=wanted.name,
        shown=shown,
        digest=digest_of(secret),
        role=wanted.role,
        scopes=" ".join(wanted.scopes),
        station=wanted.station,
        author=by,
        created_s=now_s,
        expires_s=wanted.expires_s,
        revoked_s=None,
        used_s=None,
    )
    with database.writing() as session:
        session.add(row)
        session.flush()
        note(session, who=by, action="make key", subject=f"key:{row.id}", before=None, after=wanted)
        return _known(row), secret


def find(database: Database, secret: str, *, now_s: float) -> Known | None:
    """The key's record; None where there is none, or it has expired or was revoked."""
    shown = secret[: len("sk_") + 12]
    if len(secret) > LONGEST or not shown.isascii():
        return None
    with database.reading() as session:
        row = session.scalar(select(Key).where(Key.shown == shown))
    if row is None or not secrets.compare_digest(row.digest, digest_of(secret)) or row.revoked_s is not None:
        return None
    if row.expires_s is not None and now_s >= row.expires_s:
        return None
    if row.used_s is None or now_s - row.used_s > _NOTED_EVERY_S:
        with database.writing() as session:
            session.execute(update(Key).where(Key.id == row.id).values(used_s=now_s))
    return _known(row)


def keys(database: Database, *, after: int = 0, limit: int = 100) -> Sequence[Known]:
    """In the order in which they were made, from behind `after` on; those that were revoked, too."""
    with database.reading() as session:
        return [_known(row) for row in session.scalars(select(Key).where(Key.id > after).order_by(Key.id).limit(limit))]


def revoke(database: Database, number: int, *, by: str, now_s: float) -> None:
    """
    Raises:
        NotFoundError: there is none. ConflictError: it was revoked before.
    """
    with database.writing() as session:
        row = session.get(Key, number)
        if row is None:
            raise NotFoundError(f"key {number}: there is none.")
        if row.revoked_s is not None:
            raise ConflictError(f"key {number}: was revoked before.")
        row.revoked_s = now_s
        note(session, who=by, action="revoke key", subject=f"key:{number}", before=_known(row).wanted, after=None)


def _known(row: Key) -> Known:
    wanted = Wanted(
        name=row.name, role=row.role, scopes=tuple(row.scopes.split()), station=row.station, expires_s=row.expires_s
    )
    return Known(
        id=row.id,
        shown=row.shown,
        wanted=wanted,
        author=row.author,
        created_s=row.created_s,
        revoked_s=row.revoked_s,
        used_s=row.used_s,
    )
