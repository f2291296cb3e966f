"""A form made from the JSON schema of parameters; what is left empty is as the server has it."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.value_element import ValueElement

from sightline.console.session import Session

_UNITS = {"s": "s", "ms": "ms", "min": "min", "h": "h", "days": "d", "mb": "MB", "mib": "MiB"}


def in_words(parameter: str) -> tuple[str, str]:
    """`Window` and `min` of window_min, in English; the unit is empty where it has none."""
    words = parameter.split("_")
    unit = words.pop() if len(words) > 1 and words[-1] in _UNITS else ""
    return " ".join(words).capitalize(), _UNITS.get(unit, "")


def named(session: Session, parameter: str) -> str:
    """`Window (min)` of window_min, in the reader's language."""
    english, unit = in_words(parameter)
    return f"{session.text(english)} ({unit})" if unit else session.text(english)


class Form:
    """Fields for each parameter, in the order of the schema; those that must be given come first."""

    def __init__(self, session: Session, schema: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        """
        Args:
            given: values to begin with, by parameter.
        """
        self._session, self._given = session, dict(given)
        self._fields: dict[str, tuple[ValueElement[Any], str]] = {}
        needed = set(schema.get("required", ()))
        parameters = schema.get("properties", {})
        with ui.element("div").classes("fields"):
            for name in sorted(parameters, key=lambda name: name not in needed):
                self._add(name, parameters[name], needed=name in needed)

    @property
    def values(self) -> dict[str, Any]:
        """What was filled in, by parameter; what does not fit is left to the server to refuse, in its words."""
        found = {name: _typed(element.value, kind) for name, (element, kind) in self._fields.items()}
        return {name: value for name, value in found.items() if value is not None}

    def _add(self, name: str, told: Mapping[str, Any], *, needed: bool) -> None:
        text = self._session.text
        kind, choices = _kind_of(told)
        label = named(self._session, name) + (" *" if needed else "")
        default = told.get("default")
        value = self._given.get(name, default if kind == "boolean" or choices else None)
        element: ValueElement[Any]
        if kind == "boolean":
            element = ui.switch(label, value=bool(value))
        elif choices:
            element = ui.select(choices, label=label, value=value if value in choices else None).props("outlined dense")
        else:
            shown = "" if value is None else _written(value)
            hint = "" if default is None else text("else {value}", value=_written(default))
            element = ui.input(label, value=shown).props("outlined dense").props(_hint(kind, hint))
        self._fields[name] = element, kind


def _kind_of(told: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The JSON type of a parameter, and what may be chosen, where that is all."""
    branches = [told, *told.get("anyOf", ())]
    choices = [one for branch in branches for one in (*branch.get("enum", ()), *_constant(branch))]
    kinds = [branch["type"] for branch in branches if branch.get("type") not in (None, "null")]
    return (kinds[0] if kinds else "string"), [str(one) for one in choices]


def _constant(branch: Mapping[str, Any]) -> tuple[Any, ...]:
    return (branch["const"],) if "const" in branch else ()


def _hint(kind: str, hint: str) -> str:
    mode = {"integer": "inputmode=numeric", "number": "inputmode=decimal"}.get(kind, "")
    return f'{mode} hint="{hint}"' if hint and '"' not in hint else mode


def _written(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _typed(value: object, kind: str) -> Any:
    """A number where one is meant and was given; else the text as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text:
        return None
    if kind == "array":
        return [_typed(part, "number") for part in text.split(",")]
    if kind not in ("integer", "number"):
        return text
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return text
    return (
        int(number)
        if number.is_integer() and abs(number) < 2**53 and (kind == "integer" or "." not in text)
        else number
    )
