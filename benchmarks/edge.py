"""Models in the formats of `sightline export`: size, latency, and verdicts that are not the model's.

Latency is that of judging a decoded picture, resize included, as a ratio to the ONNX graph of the same model in the
same run: all formats of a model run in bursts, in turn. Verdicts are counted on the pictures given, whatever the loss.

    python benchmarks/edge.py MODEL... --images DATASET [--formats onnx openvino] [--rounds 10]
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from bursts import Work, interleaved
from sightline.bundle import Bundle, load
from sightline.datasets.opening import open_dataset
from sightline.errors import OptionError
from sightline.export.artifact import Artifact
from sightline.export.exporting import FORMATS, INTEGER_FORMATS, ExportConfig, Format, judged, make
from sightline.export.judgement import Judgement
from sightline.export.pictures import Pictures, of_dataset
from tables import RESULTS, Cell, write_table

_BASE: Format = "onnx"
_MEGAPIXELS = 50.0


def configs(formats: Sequence[Format]) -> dict[str, ExportConfig]:
    """What is made of each model, by the name that its row has; the base always."""
    kinds = dict.fromkeys([_BASE, *formats])
    return {
        f"{kind}{' int8' if int8 else ''}": ExportConfig(format=kind, int8=int8)
        for kind in kinds
        for int8 in (False, True)
        if not int8 or kind in INTEGER_FORMATS
    }


def made(
    bundle: Bundle, pictures: Pictures, wanted: Mapping[str, ExportConfig]
) -> tuple[dict[str, tuple[Artifact, Judgement]], dict[str, str]]:
    """By format, what was made and how it was judged; and why the others were not."""
    found: dict[str, tuple[Artifact, Judgement]] = {}
    reasons: dict[str, str] = {}
    for name, config in wanted.items():
        try:
            artifact = make(bundle, config, pictures)
        except OptionError as error:
            reasons[name] = str(error)
            continue
        found[name] = artifact, judged(bundle, artifact, config, pictures)
    return found, reasons


def rows_of(
    path: Path, bundle: Bundle, pictures: Pictures, wanted: Mapping[str, ExportConfig], rounds: int
) -> list[dict[str, Cell]]:
    """One row per format."""
    found, reasons = made(bundle, pictures, wanted)
    frame = pictures.judged[0]
    works: dict[str, Work] = {name: partial(artifact.score, frame) for name, (artifact, _) in found.items()}
    middle = {name: float(np.median(times)) for name, times in interleaved(works, rounds).items()}
    rows: list[dict[str, Cell]] = [
        {
            "model": path.stem,
            "format": name,
            "MB": round(sum(map(len, artifact.contents.values())) / 1e6, 2),
            "latency (onnx = 1)": middle[name] / middle[_BASE],
            "changed verdicts": f"{judgement.changed} of {judgement.pictures}",
            "largest move, % of threshold": 100 * judgement.largest_deviation,
            "AUROC": judgement.auroc_export,
            "written": f"no: {judgement.refusal}" if judgement.refusal else "yes",
        }
        for name, (artifact, judgement) in found.items()
    ]
    blank: dict[str, Cell] = dict.fromkeys(rows[0])
    return rows + [
        blank | {"model": path.stem, "format": name, "written": f"no: {reason}"} for name, reason in reasons.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    parser.add_argument("--images", required=True, type=Path, help="a data set to calibrate and judge on")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    dataset = open_dataset(options.images)
    rows: list[dict[str, Cell]] = []
    for path in options.models:
        bundle = load(path)
        pictures = of_dataset(dataset, bundle.manifest, ExportConfig(format="onnx").calibrating, _MEGAPIXELS)
        rows += rows_of(path, bundle, pictures, configs(options.formats), options.rounds)
    command = " ".join(["python benchmarks/edge.py", *sys.argv[1:]])
    page = write_table(options.out, "edge", rows, title="Exports", command=command)
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
