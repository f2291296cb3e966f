"""Sessions in browsers. A token has 256 random bits, and its digest alone is kept."""

import secrets
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from sightline.errors import AccessError
from sightline.store.audit import note
from sightline.store.database import Database
from sightline.store.schema import Login, User
from sightline.store.users import digest_of, is_password

_NOTED_EVERY_S = 60.0  # that a session is in use; more often would be a write for each picture of a page


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """A session that holds."""

    name: str
    role: str
    csrf: str  # what a form must send beside the cookie
    token: str = ""  # what the cookie holds; only when it was just begun


def begin(database: Database, name: str, password: str, *, now_s: float, longest_s: float) -> LoggedIn:
    """A new session, whatever the browser held before.

    Raises:
        AccessError: wrong name or password, which of them is not told.
    """
    if not is_password(database, name, password):
        raise AccessError("login: name or password is wrong.", known=False)
    token, csrf = secrets.token_urlsafe(32), secrets.token_hex(32)
    with database.writing() as session:
        user = session.scalar(select(User).where(User.name == name, User.active))
        if user is None:  # since the password was looked at
            raise AccessError("login: name or password is wrong.", known=False)
        session.execute(delete(Login).where(Login.expires_s <= now_s))
        user.last_login_s = now_s
        session.add(
            Login(
                token=digest_of(token),
                user_id=user.id,
                csrf=csrf,
                created_s=now_s,
                used_s=now_s,
                expires_s=now_s + longest_s,
            )
        )
        note(session, who=name, action="log in", subject=f"user:{name}", before=None, after=None)
        return LoggedIn(name=name, role=user.role, csrf=csrf, token=token)


def find(database: Database, token: str, *, now_s: float, idle_s: float) -> LoggedIn | None:
    """The session a cookie stands for; None where it ended, by time or otherwise."""
    digest = digest_of(token)
    with database.reading() as session:
        found = session.execute(
            select(Login, User.name, User.role)
            .join(User, User.id == Login.user_id)
            .where(Login.token == digest, User.active)
        ).one_or_none()
    if found is None:
        return None
    login, name, role = found
    if now_s >= min(login.expires_s, login.used_s + idle_s):
        return None
    if now_s - login.used_s > min(_NOTED_EVERY_S, idle_s / 4):
        with database.writing() as session:
            session.execute(update(Login).where(Login.token == digest).values(used_s=now_s))
    return LoggedIn(name=name, role=role, csrf=login.csrf)


def end(database: Database, token: str) -> None:
    """Log out; nothing happens where the session ended before."""
    with database.writing() as session:
        session.execute(delete(Login).where(Login.token == digest_of(token)))
