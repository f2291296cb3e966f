"""The settings that this server runs with."""

import json
import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from sightline.service.access import Caller, needs
from sightline.service.rights import Right
from sightline.service.settings import Settings, explained

router = APIRouter(prefix="/api/v1/settings", tags=["settings"])
_SECRETS = re.compile(r"(?<=//)[^/@]*@")  # of an address: a user and a password


class Setting(BaseModel):
    """One setting; secrets in it are hidden."""

    section: str = Field(examples=["server"])
    key: str = Field(examples=["port"])
    value: str = Field(description="As the settings' file has it; empty: none", examples=["8000"])
    changed: bool = Field(description="Whether it is not the default")
    told: str = Field(examples=["TCP port; 0 takes a free one"])
    variable: str = Field(description="In the environment", examples=["SIGHTLINE_SERVER_PORT"])


@router.get("")
def in_force(_: Annotated[Caller, Depends(needs(Right.ADMINISTER))], request: Request) -> list[Setting]:
    """All of them, in the order of the settings' file."""
    settings: Settings = request.app.state.settings
    found = []
    for one in explained():
        value = getattr(getattr(settings, one.key[0]), one.key[1])
        found.append(
            Setting(
                section=one.key[0],
                key=one.key[1],
                value=_written(value),
                changed=value != one.default,
                told=one.told,
                variable=one.variable,
            )
        )
    return found


def _written(value: object) -> str:
    if value is None or value == "":
        return ""
    shown = _bare(str(value)) if isinstance(value, str | Path) else value
    return json.dumps(shown, default=str, ensure_ascii=False)


def _bare(text: str) -> str:
    """Without the password of an address."""
    try:
        return make_url(text).render_as_string(hide_password=True) if "://" in text else text
    except (ArgumentError, ValueError):
        return _SECRETS.sub("***@", text)
