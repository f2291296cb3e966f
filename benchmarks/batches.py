"""What a graph that takes several pictures at once would bring: the backbone alone, fed with 1 to 16 pictures.

    python benchmarks/batches.py [--batches 1 2 4 8 16] [--rounds 10]

The backbone takes most of the graph's time and has a free batch axis; the search for the nearest patch works on blocks
of patches already, so that more pictures give it more blocks and nothing else. Throughput is best with one thread for
each core (`streams.py`), so what counts is the processor time of a picture on one thread. It also holds on a machine
with other work, but for what that takes of the caches. The batches take turns, each after a run that does not count.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sightline.models.backbone import load_backbone
from sightline.models.graph import open_session
from tables import RESULTS, Cell, write_table

SIDE_PX = 256


def backbone_run(batch: int) -> Callable[[], object]:
    """A run of the shipped backbone on so many pictures, on one thread."""
    model = load_backbone(None).model
    session = open_session(model, threads=1)
    pictures = np.random.default_rng(0).random((batch, 3, SIDE_PX, SIDE_PX), np.float32)
    return lambda: session.run(None, {model.graph.input[0].name: pictures})


def processor_ms(run: Callable[[], object]) -> float:
    """Of one run, after one that does not count."""
    run()
    started = time.process_time()
    run()
    return 1e3 * (time.process_time() - started)


def measure(batches: list[int], rounds: int) -> list[dict[str, Cell]]:
    """One row per batch: processor time of a picture."""
    runs = {batch: backbone_run(batch) for batch in batches}
    turns = [{batch: processor_ms(run) / batch for batch, run in runs.items()} for _ in range(rounds)]
    medians = {batch: float(np.median([turn[batch] for turn in turns])) for batch in batches}
    return [
        {
            "pictures at once": batch,
            "processor ms per picture, median": medians[batch],
            "least": min(turn[batch] for turn in turns),
            "throughput against the first": medians[batches[0]] / medians[batch],
        }
        for batch in batches
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = measure(options.batches, options.rounds)
    command = " ".join(["python benchmarks/batches.py", *sys.argv[1:]])
    notes = [f"The shipped backbone alone, {SIDE_PX} x {SIDE_PX} px, one thread; throughput by the medians."]
    page = write_table(options.out, "batches", rows, title="The backbone in batches", command=command, notes=notes)
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
