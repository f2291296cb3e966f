"""The graph's latency as ratios within one run: to the resnet18 teacher, and to PatchCore with the resnet50 teacher.

Targets, on 2 cores at 256 x 256: with the bank that default settings keep of 200 pictures, at most 0.3 of the resnet18
teacher's forward pass to stride 16 (float32, same runtime), and at most 1/50 of PatchCore with the resnet50 teacher, a
10 % coreset of 200 pictures (20,480 vectors of 1,536 dimensions) and the plain distance matrix.

Each round runs every one in bursts, in turn, so that all see the same machine; ratios are of medians over all rounds.

    python benchmarks/latency.py [--shared FOLDER] [--rounds 20] [--threads 2] [--no-peer]

Set OPENBLAS_NUM_THREADS to --threads for the NumPy variant of the peer.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from bursts import Times, Work, interleaved
from coreset import blas
from models import (
    LINE_IMAGES,
    PEER_BANK,
    PEER_DIMENSIONS,
    bank_of,
    graph_run,
    network_run,
    our_model,
    peer_graph_run,
    peer_numpy_run,
)
from shared import shared_folder
from sightline.models.backbone import SHIPPED
from tables import RESULTS, Cell, write_table
from teachers import export_teacher

TEACHER = "resnet18 teacher to stride 16"
PEERS = ("PatchCore with resnet50, one ONNX graph", "PatchCore with resnet50, distances in NumPy")
BANKS = (1_000, 4_000, 8_000)
TEACHER_TARGET, PEER_TARGET = 0.3, 50


def rows_of(times: dict[str, Times]) -> list[dict[str, Cell]]:
    """One row each; how many times faster than the peer is against its faster variant."""
    middle = {name: float(np.median(values)) for name, values in times.items()}
    slowest = min((middle[name] for name in PEERS if name in middle), default=None)
    return [
        {
            "what": name,
            "p50 ms": middle[name],
            "p99 ms": float(np.quantile(values, 0.99)),
            "runs": len(values),
            "of the teacher (p50)": middle[name] / middle[TEACHER],
            "times faster than the peer (p50)": slowest / middle[name] if slowest else None,
        }
        for name, values in times.items()
    ]


def works(shared: Path, threads: int, *, peer: bool) -> dict[str, Work]:
    """Everything that is timed, by the name that its row has."""
    default = our_model()
    found = {"our backbone alone": network_run(SHIPPED, threads)}
    found[f"graph, default: {bank_of(default)} vectors"] = graph_run(default.graph, 256, threads)
    for bank in BANKS:
        found[f"graph, {bank} vectors"] = graph_run(our_model(bank=bank).graph, 256, threads)
    with tempfile.TemporaryDirectory() as scratch:
        found[TEACHER] = network_run(export_teacher(shared, "resnet18", Path(scratch)), threads)
        if peer:
            large = export_teacher(shared, "resnet50", Path(scratch))
            runs = (peer_graph_run(large, threads), peer_numpy_run(large, threads))
            found |= dict(zip(PEERS, runs, strict=True))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, help="folder with data/ and teachers/  [default: ../shared]")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    times = interleaved(works(shared_folder(options.shared), options.threads, peer=options.peer), options.rounds)
    notes = [
        f"256 x 256 px, {options.threads} threads, {options.rounds} rounds; {blas()}. The graph is everything from "
        f"pixels to score and map. Goals: the default, learnt from {LINE_IMAGES} pictures, within {TEACHER_TARGET} of "
        f"the teacher and {PEER_TARGET} times faster than the peer, which keeps {PEER_BANK:,} vectors of "
        f"{PEER_DIMENSIONS:,} dimensions and counts with the faster of its two variants."
    ]
    command = " ".join(["python benchmarks/latency.py", *sys.argv[1:]])
    page = write_table(
        options.out, "latency", rows_of(times), title="Latency of the graph", command=command, notes=notes
    )
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
