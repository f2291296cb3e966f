"""What must be well before the server is given requests."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import text

from sightline.errors import StoreError
from sightline.service.disks import PICTURES, STORE
from sightline.service.plant import Plant
from sightline.service.settings import Settings

LEAST_FREE = 0.02  # of the disk; below it nothing is promised any more
OK = "ok"
Check = Callable[[Plant, Settings], str]  # `ok`, or what is the matter


def readiness(plant: Plant, settings: Settings) -> dict[str, str]:
    """Each part, and whether it is well."""
    return {name: check(plant, settings) for name, check in CHECKS.items()}


def _database(plant: Plant, _: Settings) -> str:
    try:
        with plant.database.reading() as session:
            session.execute(text("SELECT 1"))
    except StoreError:
        return "does not answer"  # why stands in the log; the address may hold names
    return OK


def _storage(plant: Plant, _: Settings) -> str:
    """Of what each request needs; a full disk of colder pictures is an alert, and no reason to take none."""
    found = {name: _disk(plant.disks[name]) for name in (STORE, PICTURES) if name in plant.disks}
    return next((f"{name}: {what}" for name, what in found.items() if what != OK), OK)


def _disk(folder: Path) -> str:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return "the folder is not there"
    if not os.access(folder, os.W_OK):
        return "the folder cannot be written"
    return OK if usage.free > LEAST_FREE * usage.total else "the disk is full"


def _model(plant: Plant, _: Settings) -> str:
    """Well where nothing is promoted, too: there is nothing to judge by yet."""
    failed = sorted(plant.hosting.failed)  # why stands in the log, and on the models' page
    return f"does not judge: {', '.join(failed[:5])}" if failed else OK


CHECKS: Mapping[str, Check] = {"database": _database, "storage": _storage, "model": _model}
