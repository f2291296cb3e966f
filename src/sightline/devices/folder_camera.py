"""A watched folder: pictures that another program, or a camera's FTP client, writes there.

It is looked at 20 times a second rather than watched by the system, whose notices do not come from network shares
(SMB, NFS), where most of these folders lie, and which would be one more dependency.
"""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from sightline.datasets.pictures import is_picture
from sightline.devices.camera import Shot
from sightline.devices.frame_buffer import THREAD_ENDED, FrameBuffer
from sightline.errors import DeviceLost, FrameError, OptionError
from sightline.imaging.decode import read_frame
from sightline.records import Frame

MOST_FILES = 20_000  # in the folder; more make each look slow, and are a sign that nobody clears it up
_EVERY_S = 0.05
_LONGEST_S = 10.0  # that a file may take to be written, and later ones wait for it
_SELF_EVIDENT = (".png", ".jpg", ".jpeg")  # have an end of their own: what decodes is all there


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderConfig:
    """Where pictures appear, and what becomes of them."""

    path: Path
    done: Path | None = None  # folder on the same disk that taken pictures are moved to; None: they are left
    backlog: bool = False  # take also what lies there at the beginning, oldest first, instead of ignoring it
    settle_s: float = 0.5  # unchanged for so long, a file is complete whatever it holds
    max_megapixels: float = 50.0

    def __post_init__(self) -> None:
        if not 0 < self.settle_s <= _LONGEST_S:
            raise OptionError(f"settle_s is {self.settle_s}; give a number above 0, at most {_LONGEST_S:g}.")
        if self.done is not None and self.done.absolute() == self.path.absolute():
            raise OptionError(f"done is the watched folder itself, {self.path}; give another one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What tells one version of a file from another."""

    size: int
    mtime_ns: int


@dataclass(slots=True, kw_only=True)
class _Growing:
    """A file that is not complete yet."""

    state: _State
    since_s: float  # when it was first seen
    unchanged_s: float  # when it was first seen like this


class FolderCamera:
    """A folder that is watched by a thread of its own."""

    def __init__(self, name: str, config: FolderConfig) -> None:
        """Raises DeviceLost if the folder is not there."""
        self._name = name
        self._config = config
        self._buffer = FrameBuffer(name)
        self._seen: dict[str, _State] = {}  # of files that are still there
        self._growing: dict[str, _Growing] = {}
        self._closing = threading.Event()
        found = self._files()
        if config.done and not config.done.is_dir():
            raise DeviceLost(name, f"there is no folder {config.done} to move pictures to. Make it first.")
        if not config.backlog:
            self._seen = dict(found)
        self._thread = threading.Thread(target=self._run, name=f"camera {name}", daemon=True)
        self._thread.start()

    def trigger(self) -> None:
        self._buffer.check()

    def grab(self, timeout_s: float) -> Shot:
        return self._buffer.take(timeout_s)

    def close(self) -> None:
        self._buffer.close()
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._look()
                self._closing.wait(_EVERY_S)
        except DeviceLost as error:
            self._buffer.lose(str(error).removeprefix(f"{self._name}: "))
        finally:
            self._buffer.lose(THREAD_ENDED)

    def _look(self) -> None:
        """Take what is complete, oldest first, up to the first that is not."""
        found = self._files()
        self._seen = {name: state for name, state in self._seen.items() if name in found}
        self._growing = {name: growing for name, growing in self._growing.items() if name in found}
        fresh = sorted(
            (item for item in found.items() if self._seen.get(item[0]) != item[1]),
            key=lambda item: (item[1].mtime_ns, item[0]),
        )
        for name, state in fresh:
            if self._closing.is_set() or not self._taken(name, state):
                return

    def _files(self) -> dict[str, _State]:
        """The pictures in the folder by name; raises DeviceLost if they cannot be listed."""
        found: dict[str, _State] = {}
        try:
            with os.scandir(self._config.path) as entries:
                for entry in entries:
                    if is_picture(Path(entry.name)) and entry.is_file():
                        try:
                            status = entry.stat()
                        except FileNotFoundError:  # renamed meanwhile
                            continue
                        found[entry.name] = _State(size=status.st_size, mtime_ns=status.st_mtime_ns)
                        if len(found) > MOST_FILES:
                            raise DeviceLost(
                                self._name, f"{self._config.path} holds more than {MOST_FILES} pictures. Clear it up."
                            )
        except OSError as error:
            raise DeviceLost(
                self._name, f"{self._config.path} cannot be read ({error.strerror}). Check the folder and its share."
            ) from error
        return found

    def _taken(self, name: str, state: _State) -> bool:
        """Whether this one is done with; False while it may still grow."""
        path, now = self._config.path / name, time.monotonic()
        growing = self._growing.setdefault(name, _Growing(state=state, since_s=now, unchanged_s=now))
        first, changed = growing.since_s == now, growing.state != state
        if changed:
            growing.state, growing.unchanged_s = state, now
        settled = now - growing.unchanged_s >= self._config.settle_s or now - growing.since_s >= _LONGEST_S
        if not settled and not (path.suffix.lower() in _SELF_EVIDENT and (first or changed)):
            return False
        picture: Frame | FrameError
        try:
            picture = read_frame(path, max_megapixels=self._config.max_megapixels)
        except FrameError as error:
            if not settled or not path.exists():
                return not path.exists()
            picture = error
        del self._growing[name]
        self._seen[name] = state
        if self._buffer.put(picture) is not None and self._config.done:
            self._move(path, self._config.done)
        return True

    def _move(self, path: Path, folder: Path) -> None:
        target = folder / path.name
        if target.exists():
            target = folder / f"{path.stem}-{time.time_ns()}{path.suffix}"
        try:
            path.rename(target)
        except FileNotFoundError:  # its writer took it away
            return
        except OSError as error:
            raise DeviceLost(
                self._name, f"{path} cannot be moved to {folder} ({error.strerror}). Give a folder on the same disk."
            ) from error
