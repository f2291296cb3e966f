"""What is written of a synthetic picture: its marked file, its mask, and where it comes from."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sightline.datasets import csv_file
from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.synthetic import file_digest, marked
from sightline.files import write_bytes
from sightline.imaging.writing import png
from sightline.synthesis.composing import Spoilt

PROVENANCE_FILE, MIXED_FILE = "synthetic.json", "mixed.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One synthetic picture, as `synthetic.json` tells it; paths are in the data set unless said otherwise."""

    path: str
    mask: str
    label: str
    method: str  # "pasted", or the kind that was painted
    severity: float  # of what was painted, or how strong the change by pasting is; 0..1
    source: str  # the good picture, as its data set names it
    source_sha256: str  # of its file
    defect: str | None  # the picture that the defect was cut from; None if it was painted
    defect_sha256: str | None


def write_picture(
    root: Path, name: str, spoilt: Spoilt, *, deep: bool, method: str, sample: Sample, donor: Sample | None, label: str
) -> Made:
    """Write one picture with its mark, and its mask, below `root`; raises OSError.

    Args:
        name: of the file, without suffix.
        deep: 16 bits per channel, not 8.
        sample: the good picture that was spoilt.
        donor: the picture that the defect was cut from; None if it was painted.
    """
    white, kind = (65535, np.uint16) if deep else (255, np.uint8)
    pixels = np.rint(spoilt.values * np.float32(white)).astype(kind)
    digests = [file_digest(each.path) for each in (sample, donor) if each]
    path, mask = f"train/{label}/{name}.png", f"ground_truth/{label}/{name}_mask.png"
    for place in (path, mask):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(marked(png(pixels), digests))
    (root / mask).write_bytes(png(spoilt.mask.astype(np.uint8) * 255))
    return Made(
        path=path,
        mask=mask,
        label=label,
        method=method,
        severity=round(spoilt.severity, 3),
        source=str(sample.path),
        source_sha256=digests[0],
        defect=str(donor.path) if donor else None,
        defect_sha256=digests[1] if donor else None,
    )


def write_lists(built: Path, mixed: Dataset, made: Sequence[Made], seed: int) -> None:
    """Write `synthetic.json` and `mixed.csv`; `mixed` holds the real pictures beside which these go."""
    document = {"synthetic": 1, "seed": seed, "pictures": [asdict(one) for one in made]}
    write_bytes(built / PROVENANCE_FILE, json.dumps(document, indent=1).encode())
    added = [Sample(path=built / one.path, label=one.label, mask=built / one.mask) for one in made]
    together = Dataset(name=mixed.name, root=built, samples=(*mixed.samples, *added), layout="csv")
    csv_file.write(together, built / MIXED_FILE)
