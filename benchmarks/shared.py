"""Where the real images and the teachers lie; nothing of them is part of the project."""

import os
from pathlib import Path


def shared_folder(given: Path | None) -> Path:
    """The folder with data/ and teachers/: as given, or SIGHTLINE_SHARED, or beside the project."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = given or Path(os.environ.get("SIGHTLINE_SHARED", beside))
    if not (folder / "data").is_dir():
        raise SystemExit(f"{folder}: no data/ here. Point --shared or SIGHTLINE_SHARED at the folder that holds it.")
    return folder
