"""Time and memory of training PatchCore on many images of 256 x 256.

    python benchmarks/scale.py [--images 1000 2500 5000 10000] [--memory-mib 2048] [--out DIR]

Each number of images is learnt in a process of its own, whose peak resident memory is what the system counted for it,
interpreter and runtime included. The images are 200 rendered parts under seeded small shifts, noise and changes
of light, made when asked for: no file is read, so decoding comes on top. The table goes to benchmarks/results.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from sightline.models.backbone import load_backbone
from sightline.models.features import FeatureConfig
from sightline.models.patchcore import PatchCoreConfig, fit
from sightline.models.pools import MOST_WHOLE
from sightline.records import Frame
from sightline.synthesis.parts import PartConfig, render
from sightline.training import patch_bytes
from tables import RESULTS, Cell, write_table

_RENDERED = 200  # parts, of which the rest are variations
_SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Varied:
    """Any number of frames from a few rendered ones; each is made anew at every access, always the same."""

    parts: list[Frame]
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int, /) -> Frame:
        """The part under a shift of up to 3 px, light 0.9 to 1.1 times as strong, and noise of 2 grey levels."""
        rng = np.random.default_rng([1, index])
        part = self.parts[index % len(self.parts)].pixels.reshape(_SIDE, _SIDE, -1)
        shift = np.array([[1, 0, rng.uniform(-3, 3)], [0, 1, rng.uniform(-3, 3)]], np.float32)
        moved = cv2.warpAffine(part, shift, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE).reshape(part.shape)
        noise = rng.standard_normal(part.shape, dtype=np.float32)
        return Frame(pixels=np.asarray((rng.uniform(0.9, 1.1) * moved + 2 * noise).clip(0, 255), np.uint8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    images: int
    seconds: float  # of fitting, rendering of the few hundred parts left out
    cpu_s: float  # of the processor, which other work on the machine disturbs less
    cpu_ms_per_image: float
    peak_mib: float  # resident, of the whole process
    bank: int
    kept_whole: str  # whether every patch was held


def learn(images: int, memory_mib: int) -> Row:
    """Fit in this process, as `sightline train` would."""
    rng = np.random.default_rng(0)
    config = PartConfig(size=_SIDE)
    frames = Varied(parts=[Frame(pixels=render(config, rng).pixels) for _ in range(_RENDERED)], count=images)
    clock, processor = time.perf_counter(), time.process_time()
    fitted = fit(frames, load_backbone(), FeatureConfig(), PatchCoreConfig(memory_bytes=patch_bytes(memory_mib)))
    fitted.graph.SerializeToString(deterministic=True)
    seconds, cpu_s = time.perf_counter() - clock, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB
    return Row(
        images=images,
        seconds=round(seconds, 1),
        cpu_s=round(cpu_s, 1),
        cpu_ms_per_image=round(1e3 * cpu_s / images, 1),
        peak_mib=round(peak),
        bank=int(fitted.settings["bank"] or 0),
        kept_whole="no" if fitted.settings["reduced_first"] else "yes",
    )


def learn_apart(images: int, memory_mib: int) -> dict[str, Cell]:
    """The same in a process of its own."""
    words = [sys.executable, __file__, "--one", str(images), "--memory-mib", str(memory_mib)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Cell] = json.loads(done.stdout)
    print(row, flush=True)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[1_000, 2_500, 5_000, 10_000])
    parser.add_argument("--memory-mib", type=int, default=2048)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)  # what a child is called with
    options = parser.parse_args()
    if options.one:
        print(json.dumps(asdict(learn(options.one, options.memory_mib))))
        return 0
    rows = [learn_apart(images, options.memory_mib) for images in options.images]
    notes = [
        f"PatchCore with default settings and `--memory-mib {options.memory_mib}`, cross-calibration included, "
        f"{os.environ.get('OMP_NUM_THREADS', 'all')} BLAS threads; images are made in memory. Up to "
        f"{MOST_WHOLE:,} patches are held whole; of more, each chunk of images is reduced to its own coreset."
    ]
    page = write_table(
        options.out, "scale", rows, title="Training on many images", command="python benchmarks/scale.py", notes=notes
    )
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
