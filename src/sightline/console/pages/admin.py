"""Admin: who may log in; keys, webhooks, the audit trail and the settings have addresses of their own."""

from contextlib import AbstractContextManager
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from sightline.console.figures import moment
from sightline.console.layout import Tab, agreed, heading, icon_button, mark, row, tabbed, table
from sightline.console.session import Session
from sightline.console.sizes import ago
from sightline.console.telling import done
from sightline.service.rights import RIGHTS, Right, Role
from sightline.service.routes.accounts import User

HERE = "/admin"
_TABS = (
    Tab(path=HERE, title="Users"),
    Tab(path=f"{HERE}/keys", title="API keys"),
    Tab(path=f"{HERE}/webhooks", title="Webhooks"),
    Tab(path=f"{HERE}/audit", title="Audit trail"),
    Tab(path=f"{HERE}/settings", title="Settings"),
)
PEOPLE = tuple(role for role in Role if role is not Role.STATION)
_PAGE = 100


def admin(request: Request, here: str) -> AbstractContextManager[Session]:
    """A part of Admin in its frame."""
    return tabbed(request, HERE, "Admin", _TABS, here)


async def page(request: Request) -> None:
    """All accounts; somebody new may be added."""
    with admin(request, HERE) as session:
        list_ = _Users(session)
        await list_.show()


class _Users:
    """The list of accounts, made anew after each change."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._new = ui.element("section").classes("card")
        with self._new:
            self._form()
        self._shown = ui.element("section").classes("card")

    async def show(self, after: str = "") -> None:
        """From a name on."""
        session = self._session
        found = await session.api.get("/users", list[User], after=after, limit=_PAGE)
        if not after:
            self._shown.clear()
        with self._shown:
            with table(session, "Name", "Role", "State", "Last login", "Made", ""):
                for user in found:
                    self._row(user)
            if len(found) == _PAGE:
                more = ui.button(session.text("More")).props("flat")

                async def on() -> None:
                    more.delete()
                    await self.show(found[-1].name)

                more.on_click(on)

    def _form(self) -> None:
        session, text = self._session, self._session.text
        heading(session, "Add somebody")
        with ui.element("div").classes("filters"):
            name = ui.input(text("Name")).props("outlined dense autocomplete=off")
            role = ui.select(_roles(session), value=Role.OPERATOR.value, label=text("Role")).props("outlined dense")
            password = ui.input(text("First password"), password=True, password_toggle_button=True).props(
                "outlined dense autocomplete=new-password"
            )

            async def add() -> None:
                given = {"name": name.value or "", "role": role.value, "password": password.value or ""}
                made = await session.api.change("POST", "/users", User, given)
                done(
                    text(
                        "{name} may log in. Tell the password in person; it can be changed in the account.",
                        name=made.name,
                    )
                )
                name.set_value("")
                password.set_value("")
                await self.show()

            ui.button(text("Add"), on_click=add).props("unelevated")
        told = ui.label(_may(session, Role.OPERATOR.value)).classes("muted").props("role=status")
        role.on_value_change(lambda event: told.set_text(_may(session, event.value)))
        ui.label(text("A password has at least 10 characters.")).classes("muted")

    def _row(self, user: User) -> None:
        session, text = self._session, self._session.text
        own = user.name == session.caller.name

        def role() -> None:
            if own:  # nobody takes the right to administer from himself by a slip
                ui.label(text(user.role))
                return
            chosen = ui.select(_roles(session), value=user.role, on_change=lambda event: self._role(user, event.value))
            chosen.props(f'dense borderless aria-label="{text("Role")}"')

        def actions() -> None:
            if own:
                ui.link(text("your account"), "/account")
                return
            with ui.element("div").classes("actions tight"):
                icon_button("edit", text("Rename"), lambda: self._rename(user))
                icon_button("key", text("New password"), lambda: self._password(user))
                lock = ("lock", text("Lock")) if user.active else ("lock_open", text("Unlock"))
                icon_button(*lock, lambda: self._lock(user))

        row(
            user.name,
            role,
            lambda: mark(text("may log in") if user.active else text("locked"), "pass" if user.active else "fault"),
            ago(session, user.last_login_s),
            moment(session, user.created_s),
            actions,
        )

    async def _role(self, user: User, role: str) -> None:
        text = self._session.text
        question = text("Make {name} {role}? Running logins of {name} end.", name=user.name, role=text(role))
        question += f" {_may(self._session, role)}"
        if role != user.role and await agreed(self._session, question, "Change the role"):
            await self._change(user, {"role": role})
        else:
            await self.show()

    async def _lock(self, user: User) -> None:
        text = self._session.text
        question = text("Lock {name}? Nobody can log in by this name any more, until you unlock it.", name=user.name)
        if not user.active or await agreed(self._session, question, "Lock"):
            await self._change(user, {"active": not user.active})

    async def _rename(self, user: User) -> None:
        told = self._session.text(
            "Running logins of {name} end. What {name} did so far stays written under this name, which nobody else"
            " gets; reviews and ratings go along.",
            name=user.name,
        )
        title = self._session.text("Rename {name}", name=user.name)
        given = await self._asked(title, "Name", "Rename", told=told, value=user.name)
        if given and given.strip() != user.name:
            await self._change(user, {"name": given.strip()})

    async def _password(self, user: User) -> None:
        title = self._session.text("New password for {name}", name=user.name)
        given = await self._asked(title, "Password", "Set", secret=True)
        if given is not None:
            await self._change(user, {"password": given})

    async def _asked(
        self, title: str, english: str, action: str, *, told: str = "", value: str = "", secret: bool = False
    ) -> str | None:
        """What somebody types; None where it is left."""
        text = self._session.text
        with ui.dialog() as dialog, ui.card().classes("question").props('aria-modal="true"'):
            ui.label(title).classes("strong")
            ui.label(told).set_visibility(bool(told))
            entry = ui.input(text(english), value=value, password=secret, password_toggle_button=secret)
            entry.props(f"outlined autofocus autocomplete={'new-password' if secret else 'off'}")
            with ui.element("div").classes("actions end"):
                ui.button(text("Leave it"), on_click=lambda: dialog.submit(None)).props("flat")
                ui.button(text(action), on_click=lambda: dialog.submit(entry.value)).props("unelevated")
        given: str | None = await dialog
        dialog.delete()
        return given

    async def _change(self, user: User, wanted: dict[str, object]) -> None:
        try:
            await self._session.api.change("PATCH", f"/users/{quote(user.name, '')}", User, wanted)
            done(self._session.text("Done; it stands in the audit trail."))
        finally:
            await self.show()


def _may(session: Session, role: str) -> str:
    """What somebody of the role may do, in a sentence."""
    words = ", ".join(rights_in_words(session, rights_of(role)))
    return session.text("A person of this role may {rights}.", rights=words)


def _roles(session: Session) -> dict[str, str]:
    return {role.value: session.text(role.value) for role in PEOPLE}


def rights_in_words(session: Session, rights: list[Right]) -> list[str]:
    """What somebody may do, the weakest right first."""
    words = {
        Right.VIEW: session.text("see results, pictures, figures and health"),
        Right.INSPECT: session.text("have pictures judged"),
        Right.REPORT: session.text("bring in what a station saw"),
        Right.REVIEW: session.text("review parts, label pictures, take care of alerts"),
        Right.MANAGE: session.text("manage models, data, recipes, jobs, studies and rules of alerts"),
        Right.ADMINISTER: session.text("manage users, keys, webhooks and storage, and read the audit trail"),
    }
    return [words[right] for right in Right if right in rights]


def rights_of(role: str) -> list[Right]:
    """In the order of their weight."""
    return [right for right in Right if right in RIGHTS[Role(role)]]
