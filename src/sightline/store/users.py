"""Who may log in."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from sightline.errors import AccessError, ConflictError, NotFoundError, OptionError
from sightline.store.audit import note
from sightline.store.database import Database
from sightline.store.passwords import fits, hashed, refuse_weak
from sightline.store.schema import Audit, Claim, Fact, Login, Review, User
from sightline.store.study_tables import StudyRating

LONGEST_NAME = 100
_SETUP = "set-up link"  # of the row of `facts`
_RENAMED = "rename user"  # of the rows of the audit trail that tell whose a former name is


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who may log in, as others may see it."""

    name: str
    role: str
    active: bool
    created_s: float
    last_login_s: float | None  # None: never


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of an account; None leaves a thing as it is."""

    role: str | None = None
    active: bool | None = None
    password: str | None = None
    name: str | None = None  # which the person has from now on


def accounts(database: Database, *, after: str = "", limit: int = 100) -> Sequence[Account]:
    """By name, from behind `after` on."""
    with database.reading() as session:
        found = session.scalars(select(User).where(User.name > after).order_by(User.name).limit(limit))
        return [_account(user) for user in found]


def add(database: Database, *, name: str, role: str, password: str, by: str, now_s: float) -> Account:
    """
    Raises:
        OptionError: the name or the password cannot be used. ConflictError: the name is taken.
    """
    refuse_bad_name(name)
    refuse_weak(password, name)
    kept = hashed(password)  # before the transaction: it takes its time
    with database.writing() as session:
        return _added(session, name=name, role=role, kept=kept, by=by, now_s=now_s)


def change(database: Database, name: str, wanted: Change, *, by: str, administrator: str) -> Account:
    """Change an account; who was logged in as it no longer is.

    Args:
        administrator: the role of which one active account must always be left.

    Raises:
        NotFoundError: there is none. OptionError: the password is weak, or the new name cannot be used. ConflictError:
            nobody could administer, or the new name is or was another person's.
    """
    kept = ""
    if wanted.name is not None:
        refuse_bad_name(wanted.name)
    if wanted.password is not None:
        refuse_weak(wanted.password, wanted.name or name)
        kept = hashed(wanted.password)
    with database.writing() as session:
        user = _user(session, name)
        before = _told(user)
        if wanted.name is not None and wanted.name != name:
            _rename(session, user, wanted.name, by=by)
            before = _told(user)
        user.role = user.role if wanted.role is None else wanted.role
        user.active = user.active if wanted.active is None else wanted.active
        user.password = kept or user.password
        session.flush()
        if not _administrators(session, administrator):
            raise ConflictError(f"user {name}: is the last active administrator; make another one first.")
        session.execute(delete(Login).where(Login.user_id == user.id))
        after = _told(user) | ({"password": "changed"} if kept else {})
        if after != before or wanted.name is None:
            note(session, who=by, action="change user", subject=f"user:{user.name}", before=before, after=after)
        return _account(user)


def change_own_password(database: Database, name: str, *, old: str, new: str) -> None:
    """End all of one's logins and take another password.

    Raises:
        AccessError: the old one is wrong. OptionError: the new one is weak.
    """
    if not is_password(database, name, old):
        raise AccessError("password: the old one is not right.")
    refuse_weak(new, name)
    kept = hashed(new)
    with database.writing() as session:
        user = _user(session, name)
        user.password = kept
        session.execute(delete(Login).where(Login.user_id == user.id))
        note(session, who=name, action="change password", subject=f"user:{name}", before=None, after=None)


def is_password(database: Database, name: str, password: str) -> bool:
    """Whether an active account has it; takes as long where there is no such account."""
    with database.reading() as session:
        user = session.scalar(select(User).where(User.name == name))
        kept = user.password if user is not None and user.active else ""
    return fits(password, kept)


def role_of(database: Database, name: str) -> str | None:
    """Of an active account; None where there is none."""
    with database.reading() as session:
        return session.scalar(select(User.role).where(User.name == name, User.active))


def open_setup(database: Database, *, administrator: str, now_s: float, valid_s: float) -> str | None:
    """A token with which the first administrator is made, once; earlier ones no longer work.

    Returns:
        What the link holds, of which only the digest is kept; None where there is an administrator.
    """
    token = secrets.token_urlsafe(32)
    with database.writing() as session:
        if _administrators(session, administrator):
            return None
        session.merge(Fact(name=_SETUP, value=f"{digest_of(token)} {now_s + valid_s}"))
    return token


def set_up(database: Database, token: str, *, name: str, password: str, administrator: str, now_s: float) -> Account:
    """Make the first administrator.

    Raises:
        AccessError: the token is none, was used or is too old. OptionError: the name or the password cannot be used.
    """
    with database.reading() as session:
        _refuse_bad_token(session, token, now_s)  # before anything is hashed
    refuse_bad_name(name)
    refuse_weak(password, name)
    kept = hashed(password)
    with database.writing() as session:
        session.delete(_refuse_bad_token(session, token, now_s))
        return _added(session, name=name, role=administrator, kept=kept, by="set-up link", now_s=now_s)


def refuse_bad_name(name: str) -> None:
    """Raise OptionError for a name that nobody could tell from another's."""
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise OptionError(f"name: take 1 to {LONGEST_NAME} letters that can be seen, without blanks around them.")


def digest_of(token: str) -> str:
    """What is kept of a token; it has 256 random bits, so that no salt and no cost are needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _refuse_bad_token(session: Session, token: str, now_s: float) -> Fact:
    fact = session.get(Fact, _SETUP)
    digest, _, until_s = fact.value.partition(" ") if fact is not None else ("", "", "0")
    if fact is None or not secrets.compare_digest(digest, digest_of(token)) or now_s >= float(until_s):
        raise AccessError("set-up link: was used, is too old, or is none. Run `sightline serve setup-link`.")
    return fact


def _rename(session: Session, user: User, name: str, *, by: str) -> None:
    """Give an account another name. What it did stays written under the name of then, which nobody else ever gets.

    Where one person counts once, by name, the name goes along: whoever is renamed must not be a second reviewer.
    """
    former = user.name
    _refuse_taken(session, name, user)
    rated, reviewed = select(StudyRating.item_id), select(Review.id)
    for said in (rated.where(StudyRating.appraiser == name), reviewed.where(Review.reviewer == name)):
        if session.scalar(said.limit(1)) is not None:  # of a key or a model
            raise ConflictError(_anothers(name))
    user.name = name
    session.execute(update(Review).where(Review.reviewer == former).values(reviewer=name))
    session.execute(update(Claim).where(Claim.reviewer == former).values(reviewer=name))
    by_hand = update(StudyRating).where(StudyRating.appraiser == former, StudyRating.machine.is_(False))
    session.execute(by_hand.values(appraiser=name))
    session.flush()
    told = {"name": name, "id": user.id}
    note(session, who=by, action=_RENAMED, subject=f"user:{former}", before={"name": former}, after=told)


def _refuse_taken(session: Session, name: str, user: User | None) -> None:
    """Raise ConflictError for a name that another than `user` has, or had: records name that person by it."""
    if session.scalar(select(User.id).where(User.name == name)) is not None:
        raise ConflictError(f"user {name}: there is one already; take another name.")
    renamed = select(Audit.after).where(Audit.subject == f"user:{name}", Audit.action == _RENAMED)
    if any(user is None or json.loads(after)["id"] != user.id for after in session.scalars(renamed)):
        raise ConflictError(_anothers(name))


def _anothers(name: str) -> str:
    return f"user {name}: records know another one by this name; take another name."


def _added(session: Session, *, name: str, role: str, kept: str, by: str, now_s: float) -> Account:
    _refuse_taken(session, name, None)
    user = User(name=name, role=role, password=kept, active=True, created_s=now_s, last_login_s=None)
    session.add(user)
    note(session, who=by, action="add user", subject=f"user:{name}", before=None, after=_told(user))
    return _account(user)


def _administrators(session: Session, role: str) -> int:
    return session.scalar(select(func.count()).select_from(User).where(User.role == role, User.active)) or 0


def _user(session: Session, name: str) -> User:
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        raise NotFoundError(f"user {name}: there is none.")
    return user


def _told(user: User) -> dict[str, object]:
    return {"name": user.name, "role": user.role, "active": user.active}


def _account(user: User) -> Account:
    return Account(
        name=user.name,
        role=user.role,
        active=user.active,
        created_s=user.created_s,
        last_login_s=user.last_login_s,
    )
