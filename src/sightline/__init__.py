"""Sightline: learns what good parts look like and finds anything that is not.

import sightline
inspector = sightline.load("tile.sight")
inspection = inspector.inspect("part.png")
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["__version__", "load"]

if TYPE_CHECKING:
    from sightline.inspector import load


def __getattr__(name: str) -> object:
    # lazy, so that `import sightline` costs milliseconds and loads no inference runtime
    if name == "load":
        from sightline.inspector import load

        return load
    raise AttributeError(f"module 'sightline' has no attribute {name!r}")
