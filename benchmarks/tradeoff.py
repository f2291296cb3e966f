"""Accuracy against latency: PatchCore at several working sizes and banks, beside every method and peer.

    python benchmarks/tradeoff.py [--data FOLDER] [--datasets NAME ...] [--sides 128 192 256 320 384]
                                  [--banks 1000 4000 8000] [--seeds 0] [--resume] [--plot-only]

A working size is named by its short side; the long side follows the shape of the training pictures. The methods at
their default settings and the peers are taken from the table that benchmarks/accuracy.py wrote into --out, where there
is one; run it first. This is a report: the default settings are not chosen from it.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from accuracy import measure_all
from chart import BLACK, GREY, IMAGES, Panel, Series, write_chart
from collection import Found, content, find_datasets
from runs import Run, read_rows
from shared import shared_folder
from sightline.datasets.dataset import Dataset
from sightline.errors import DatasetError
from sightline.imaging.decode import read_frame
from summary import PEER, summarise
from tables import RESULTS, Cell, stem, write_table

_MULTIPLE = 32  # px, of both sides
_LOOKED_AT = 50  # training pictures whose shape is taken
_SAME_SHAPE = 0.10  # shapes that differ by less are one; others are squared
_LONGEST_PX = 1_536


def working_size(dataset: Dataset, side: int) -> tuple[int, int]:
    """Height and width with this short side, in the shape of the training pictures; a square where they differ."""
    frames = [read_frame(sample.path) for sample in dataset.train_good[:_LOOKED_AT]]
    ratios = np.array([frame.width / frame.height for frame in frames])
    ratio = float(np.median(ratios))
    if np.abs(np.log(ratios / ratio)).max() > np.log1p(_SAME_SHAPE):
        return side, side
    long = max(side, min(_LONGEST_PX, round(side * max(ratio, 1 / ratio) / _MULTIPLE) * _MULTIPLE))
    return (side, long) if ratio >= 1 else (long, side)


def planned(found: Sequence[Found], options: argparse.Namespace) -> Iterator[Run]:
    """The grid, the quick ones first."""
    for one in found:
        root = str(one.dataset.root.resolve())
        for side in options.sides:
            size = working_size(one.dataset, side)
            for bank in options.banks:
                for seed in options.seeds:
                    yield Run(name=one.name, root=root, method="patchcore", seed=seed, size=size, bank=bank)


def panels(grid: Sequence[dict[str, Cell]], others: Sequence[dict[str, Cell]]) -> list[Panel]:
    """One plot for each data set of the grid."""
    found = []
    for name in sorted({str(row["data set"]) for row in grid}):
        lines: dict[str, list[tuple[float, float]]] = {}
        for row in grid:
            if row["data set"] == name and (point := _point(row)):
                lines.setdefault(str(row["setting"]).rpartition("bank ")[2], []).append(point)
        series = [
            Series(name=f"bank {int(bank):,}", points=sorted(points), at_point=True)
            for bank, points in sorted(lines.items(), key=lambda line: int(line[0]))
        ]
        for row in others:
            if row["data set"] == name and row["setting"] == "default" and (point := _point(row)):
                colour = GREY if str(row["method"]).startswith(PEER) else BLACK
                series.append(Series(name=str(row["method"]), points=[point], line=False, at_point=True, colour=colour))
        labels = ("latency of the graph, ms", "image AUROC")
        found.append(Panel(title=name, labels=labels, series=series))
    return found


def _point(row: dict[str, Cell]) -> tuple[float, float] | None:
    across, up = row["graph ms"], row["image AUROC"]
    return (float(across), float(up)) if across is not None and up is not None else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of data sets  [default: ../shared/data]")
    parser.add_argument("--datasets", nargs="+", help="only these, by name  [default: all that are found]")
    parser.add_argument("--sides", type=int, nargs="+", default=[128, 192, 256, 320, 384])
    parser.add_argument("--banks", type=int, nargs="+", default=[1_000, 4_000, 8_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--hours", type=float, default=6, help="that one run may take  [default: 6]")
    parser.add_argument("--resume", action="store_true", help="keep the rows that still hold")
    parser.add_argument("--plot-only", action="store_true", help="measure nothing; draw what the tables hold")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--images", type=Path, default=IMAGES, help="folder for the plot")
    options = parser.parse_args()
    table = options.out / f"{stem('tradeoff-runs')}.csv"
    try:
        if not options.plot_only:
            found = find_datasets(options.data or shared_folder(None) / "data")
            found = [one for one in found if not options.datasets or one.name in options.datasets]
            contents = {one.name: content(one.dataset) for one in found}
            measure_all(list(planned(found, options)), contents, {}, table, options)
        grid = summarise(read_rows(table))
        write_chart(options.images / "tradeoff.svg", panels(grid, _defaults(options.out)))
    except (DatasetError, ValueError) as error:
        raise SystemExit(str(error)) from error
    command = " ".join(["python benchmarks/tradeoff.py", *sys.argv[1:]])
    page = write_table(options.out, "tradeoff", grid, title="Accuracy against latency", command=command)
    print(page.read_text(encoding="utf-8"))
    return 0


def _defaults(folder: Path) -> list[dict[str, Cell]]:
    return summarise(read_rows(folder / f"{stem('accuracy')}.csv"))


if __name__ == "__main__":
    sys.exit(main())
