"""Steps of the browser's history within one page: what is chosen there is its address, and Back undoes a choice.

Where a choice leads to a page of its own (`ui.navigate.to`), the browser makes the step.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from nicegui import ui


@dataclass(slots=True)
class Steps:
    """Those of one page in one browser."""

    typing: str = ""  # the field whose letters so far are the last step

    def take(self, address: str) -> None:
        """Something was chosen: a step."""
        self.typing = ""
        ui.navigate.history.push(address)

    def type(self, name: str, address: str) -> None:
        """Something was typed into a field: one step for all of it, until it is settled or another one is taken."""
        if name == self.typing:
            ui.navigate.history.replace(address)
            return
        ui.navigate.history.push(address)
        self.typing = name

    def settles(self, entry: ui.input, event: str) -> None:
        """What is typed next into this field is another step, once it had this event."""
        entry.on(event, self._settle)

    def stay(self, address: str) -> None:
        """The same place looks different: no step, so that Back leads to where one was before."""
        ui.navigate.history.replace(address)

    def on_return(self, show: Callable[[dict[str, str]], Awaitable[None]]) -> None:
        """Have another step shown, by the query of its address, when somebody goes back or forward."""

        async def returned(query: str) -> None:
            self._settle()
            await show(dict(parse_qsl(query)))

        ui.on("returned", lambda event: returned(str(event.args).removeprefix("?")))

    def _settle(self) -> None:
        self.typing = ""
