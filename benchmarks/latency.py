"""The graph's latency beside the resnet18 teacher's forward pass to stride 16, in one run, same runtime and threads.

Each round runs every graph in turn, so that all see the same machine; ratios are of medians over all rounds.

    python benchmarks/latency.py [--shared FOLDER] [--rounds 20] [--threads 2]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from shared import shared_folder
from sightline.models.backbone import SHIPPED, load_backbone
from sightline.models.features import FeatureConfig
from sightline.models.graph import open_session
from sightline.models.patchcore import PatchCoreConfig
from sightline.models.patchcore import fit as fit_patchcore
from sightline.records import Frame
from tables import RESULTS, Cell, write_table
from teachers import export_teacher

TEACHER = "resnet18 teacher to stride 16"
DROPPED, KEPT = 3, 5  # runs of each turn
TARGET = 0.6  # of the teacher's time, for 256 x 256 with 4,000 vectors


def sightline_graph(bank: int, dimensions: int, threads: int) -> Callable[[], object]:
    """A run of the whole PatchCore graph on a 256 x 256 grey picture; fitted on noise, which costs the same."""
    rng = np.random.default_rng(0)
    frames = [Frame(pixels=rng.integers(0, 256, (256, 256, 1), np.uint8)) for _ in range(8)]
    config = PatchCoreConfig(bank_limits=(bank, bank), folds=2)
    fitted = fit_patchcore(frames, load_backbone(), FeatureConfig(dimensions=dimensions), config)
    session = open_session(fitted.graph, threads=threads)
    return lambda: session.run(None, {"image": frames[0].pixels})


def network(path: Path, threads: int) -> Callable[[], object]:
    """A run of a bare network on a 256 x 256 picture."""
    session = open_session(path.read_bytes(), threads=threads)
    name = session.get_inputs()[0].name
    image = np.random.default_rng(0).random((1, 3, 256, 256), np.float32)
    return lambda: session.run(None, {name: image})


def interleaved(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Milliseconds per run, (rounds * KEPT,) for each name.

    Each turn is a burst whose first runs do not count: the runtime's threads spin for a while after a run, and those
    of the graph before would take the processor from this one.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            for _ in range(DROPPED):
                run()
            for _ in range(KEPT):
                started = time.perf_counter()
                run()
                times[name].append((time.perf_counter() - started) * 1e3)
    return {name: np.array(values) for name, values in times.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, help="folder with data/ and teachers/  [default: ../shared]")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        teacher = export_teacher(shared_folder(options.shared), "resnet18", Path(scratch))
        runs = {TEACHER: network(teacher, options.threads), "our backbone alone": network(SHIPPED, options.threads)}
    for bank, dimensions in ((1_000, 64), (4_000, 64), (8_000, 64), (4_000, 128)):
        name = f"graph, bank {bank} x {dimensions}"
        runs[name] = sightline_graph(bank, dimensions, options.threads)
    times = interleaved(runs, options.rounds)
    base = float(np.median(times[TEACHER]))
    rows: list[dict[str, Cell]] = [
        {
            "what": name,
            "p50 ms": float(np.median(values)),
            "p99 ms": float(np.quantile(values, 0.99)),
            "of the teacher (p50)": float(np.median(values)) / base,
        }
        for name, values in times.items()
    ]
    notes = [
        f"256 x 256 px, {options.threads} threads, {options.rounds} rounds. Goal: a bank of 4,000 within {TARGET} of "
        "the teacher. The graph is everything from pixels to score and map."
    ]
    command = "python benchmarks/latency.py"
    page = write_table(options.out, "latency", rows, title="Latency of the graph", command=command, notes=notes)
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
