"""How the graph's latency grows with the bank and with the picture: two tables and two plots.

    python benchmarks/scaling.py [--threads 1 2] [--rounds 10] [--only bank size] [--images FOLDER]

PatchCore with default settings but for what is varied, learnt from rendered parts: banks of 500 to 16,000 vectors at
256 x 256, and 128 to 1,024 px with 4,000 vectors. All of a row's graphs take turns in bursts.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from bursts import interleaved
from chart import IMAGES, Panel, Series, write_chart
from models import graph_run, our_model
from tables import RESULTS, Cell, write_table

BANKS = (500, 1_000, 2_000, 4_000, 8_000, 16_000)
SIDES = (128, 192, 256, 384, 512, 768, 1_024)
USUAL_BANK, USUAL_SIDE = 4_000, 256
_LABELS = {"bank": "vectors in the bank", "size": "side of the picture, px"}


def measure(what: str, threads: list[int], rounds: int) -> list[dict[str, Cell]]:
    """Rows of (what is varied, threads, latency); `what` is "bank" or "size"."""
    varied = BANKS if what == "bank" else SIDES
    graphs = {}
    for value in varied:
        side, bank = (USUAL_SIDE, value) if what == "bank" else (value, USUAL_BANK)
        graphs[value] = side, our_model(side=side, bank=bank).graph
        print(f"{what} {value}: learnt", file=sys.stderr, flush=True)
    rows: list[dict[str, Cell]] = []
    for count in threads:
        works = {str(value): graph_run(graph, side, count) for value, (side, graph) in graphs.items()}
        for name, times in interleaved(works, rounds).items():
            row: dict[str, Cell] = {_LABELS[what]: int(name), "threads": count}
            rows.append(row | {"p50 ms": float(np.median(times)), "p99 ms": float(np.quantile(times, 0.99))})
    return rows


def plot(what: str, rows: list[dict[str, Cell]], folder: Path) -> None:
    """Latency against what is varied, a line for each number of threads."""
    series = []
    for count in sorted({int(row["threads"] or 0) for row in rows}):
        points = [
            (float(row[_LABELS[what]] or 0), float(row["p50 ms"] or 0)) for row in rows if row["threads"] == count
        ]
        series.append(Series(name=f"{count} thread{'s' if count > 1 else ''}", points=points))
    fixed = f"{USUAL_SIDE} x {USUAL_SIDE} px" if what == "bank" else f"{USUAL_BANK:,} vectors"
    panel = Panel(title=f"Latency of the graph, {fixed}", labels=(_LABELS[what], "p50, ms"), series=series, log_y=True)
    write_chart(folder / f"latency-{what}.svg", [panel])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=tuple(_LABELS), default=tuple(_LABELS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--images", type=Path, default=IMAGES, help="folder for the plots")
    options = parser.parse_args()
    command = " ".join(["python benchmarks/scaling.py", *sys.argv[1:]])
    for what in options.only:
        rows = measure(what, options.threads, options.rounds)
        title = f"Latency of the graph against the {'bank' if what == 'bank' else 'size of the picture'}"
        page = write_table(options.out, f"latency-{what}", rows, title=title, command=command)
        plot(what, rows, options.images)
        print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
