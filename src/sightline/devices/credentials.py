"""Users and where their passwords are found: never in a recipe, a log or a message."""

import os
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user, with the password in an environment variable or in a file that only the station may read."""

    user: str
    password_env: str | None = None  # name of the variable
    password_file: Path | None = None  # its first line is the password

    def __post_init__(self) -> None:
        if (self.password_env is None) == (self.password_file is None):
            raise OptionError(f"user {self.user}: give one of password_env and password_file.")

    def password(self) -> str:
        """The password, looked up now. Raises OptionError where there is none."""
        if self.password_env is not None:
            found, place = os.environ.get(self.password_env, ""), f"the environment variable {self.password_env}"
        else:
            assert self.password_file is not None
            found, place = _first_line(self.password_file), str(self.password_file)
        if not found:
            raise OptionError(f"{place}: the password of {self.user} is not there. Set it, for this process to read.")
        return found


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: the password cannot be read ({type(error).__name__}).") from error
