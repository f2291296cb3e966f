"""Servers of one PostgreSQL work on the same files: a file in each folder names the database that it belongs to."""

import uuid
from collections.abc import Iterable
from pathlib import Path

from sightline.errors import OptionError, StoreError
from sightline.files import write_bytes
from sightline.store.database import Database
from sightline.store.schema import Fact
from sightline.store.turns import take_turn

MARK = "plant-id"  # file in the folder
_FACT = "plant-id"


def check_shared(database: Database, folders: Iterable[Path]) -> None:
    """See that this server's folders are those of the database's other servers; the first server marks its own.

    Archives that wait for their jobs, what jobs leave, and the projects of other systems' clients lie there. A database
    of SQLite has one server, and its folder may be copied and moved at will.

    Raises:
        OptionError: a folder is of another plant, or not the one that the other servers have.
    """
    if database.is_sqlite:
        return
    plant, is_first = _plant(database)
    for folder in folders:
        mark = folder / MARK
        found = _read(mark)
        if not found and is_first:
            write_bytes(mark, f"{plant}\n".encode())
        elif not found:
            raise OptionError(
                f"{folder}: is not the folder of this database's other servers; all need the same one, say a network "
                f"drive. Where it is to take the other's place, write {plant} into {mark}."
            )
        elif found != plant:
            raise OptionError(
                f"{folder}: is of another plant ({found:.40}); give this server's settings another folder."
            )


def _plant(database: Database) -> tuple[str, bool]:
    """The database's id, and whether it was just made."""
    with database.writing() as session:
        take_turn(session, _FACT)
        known = session.get(Fact, _FACT)
        if known is not None:
            return known.value, False
        made = str(uuid.uuid4())
        session.add(Fact(name=_FACT, value=made))
        return made, True


def _read(mark: Path) -> str:
    try:
        return mark.read_text("utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{mark}: cannot be read ({error}). Check the disk and its permissions.") from error
