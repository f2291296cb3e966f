"""The disks on which a server keeps things."""

from collections.abc import Mapping
from pathlib import Path

from sightline.service.settings import Settings

STORE, PICTURES = "store", "pictures"


def disks_of(settings: Settings) -> Mapping[str, Path]:
    """A folder on each disk of this machine, by the first that lies there: store, pictures, nearline, and so on.

    What lies on the same disk is told once, and buckets are left out. All folders have been made by then.
    """
    store = settings.store
    shelves = {PICTURES if tier == "hot" else tier: address for tier, address in store.picture_shelves.items()}
    addresses = {**shelves, "models": store.model_shelf, "data": str(settings.jobs.data or store.folder)}
    local = {name: address.removeprefix("file://") for name, address in addresses.items()}
    folders = {STORE: store.folder} | {name: Path(path) for name, path in local.items() if "://" not in path}
    disks: dict[int, tuple[str, Path]] = {}
    for name, folder in folders.items():
        disks.setdefault(_disk(folder), (name, folder))
    return dict(disks.values())


def _disk(folder: Path) -> int:
    return folder.stat().st_dev
