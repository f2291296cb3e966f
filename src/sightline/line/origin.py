"""The lot and the tool that parts are of from now on, as people or a control system last said; kept over a restart."""

import json
import logging
import threading
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from sightline.errors import OptionError, StoreError
from sightline.files import write_bytes

LOG = logging.getLogger("sightline.line")
LONGEST = 64  # characters of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where parts come from, for comparing lots and tools later; what is empty is not known."""

    lot: str = ""  # of material, or the order
    tool: str = ""  # mould and cavity, die, spindle or the like

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable() or value != value.strip():
                raise OptionError(
                    f"{name} {value!r:.80}: give at most {LONGEST} printable characters without space around them; "
                    "nothing where it is not known."
                )


class Origins:
    """What was last said, in a file. Any thread may read `now` and call `change`."""

    def __init__(self, path: Path) -> None:
        """A file that cannot be used is as if nothing had been said, and is told of in the log."""
        self._path, self._lock = path, threading.Lock()
        self.now = _stored(path)

    def change(self, *, lot: str | None = None, tool: str | None = None) -> Origin:
        """Parts that are announced from now on are of these; None leaves one as it is.

        Raises:
            OptionError: one cannot be a lot or a tool. StoreError: the file cannot be written. Nothing was changed.
        """
        with self._lock:
            said = {name: value for name, value in (("lot", lot), ("tool", tool)) if value is not None}
            wanted = replace(self.now, **said)
            write_bytes(self._path, json.dumps(asdict(wanted)).encode())
            self.now = wanted
        LOG.info("parts are of lot %r, tool %r from now on", wanted.lot, wanted.tool)
        return wanted


def origin_changes(document: object) -> dict[str, str | None]:
    """The arguments of `Origins.change` in a JSON document; OptionError where it has anything else."""
    names = {one.name for one in fields(Origin)}
    if not isinstance(document, dict) or not document or document.keys() - names:
        raise OptionError('give a JSON object such as {"lot": "L-4711", "tool": "cavity 2"}; either may be left out.')
    for name, value in document.items():
        if not isinstance(value, str):
            raise OptionError(f"{name}: {value!r:.40}; expected a text.")
    return document


def _stored(path: Path) -> Origin:
    try:
        return Origin(**origin_changes(json.loads(path.read_bytes())))  # type: ignore[arg-type]
    except FileNotFoundError:
        return Origin()
    except (OSError, ValueError, OptionError, StoreError) as error:
        LOG.warning("%s: cannot be used (%s); lot and tool are not known until they are said again", path, error)
        return Origin()
