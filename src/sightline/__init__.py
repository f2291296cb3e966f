"""Sightline: learns what good parts look like and finds anything that is not.

import sightline
inspector = sightline.load("tile.sight")
inspection = inspector.inspect("part.png")
"""

import os
from typing import TYPE_CHECKING

# ONNX Runtime's wheels for Linux and macOS report sessions and errors to their maker since 1.29, by a thread and a
# database below ~/.cache; it looks at this once, when it is imported. Nothing leaves the machine by us.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

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
