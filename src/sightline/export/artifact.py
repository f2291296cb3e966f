"""What an exporter hands over to be judged: the files' bytes, and those very bytes running in their own runtime."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType

from sightline.errors import OptionError
from sightline.records import AnomalyMap, Frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Artifact:
    """An export that is not written yet."""

    contents: Mapping[str, bytes] = field(repr=False)  # by suffix; "" is the file that was asked for
    score: Callable[[Frame], AnomalyMap]  # as Inspector.score, but by the exported file in its own runtime
    takes: str  # what its input is, in words
    versions: Mapping[str, str]  # of the libraries that made and judged it
    notes: tuple[str, ...] = ()  # what whoever deploys it must know


def library(module: str, extra: str, wanted_for: str) -> ModuleType:
    """A library of an extra; raises OptionError, with the cure, where it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise OptionError(
            f"{wanted_for} needs {error.name or module}, which is not installed. "
            f"Install it: pip install 'sightline[{extra}]'."
        ) from error


def versions_of(*libraries: ModuleType) -> dict[str, str]:
    """By the modules' names, as a build for a GPU is another package."""
    return {found.__name__: str(found.__version__) for found in libraries}
