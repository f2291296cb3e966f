"""Networks for classifiers: size and latency in float and in 8 bits, and the macro F1 of a last layer on each.

    python benchmarks/classifier_backbones.py [--shared FOLDER] [--only sightline resnet18] [--pictures 40]

All at 224 x 224 px, the whole model from a decoded picture on. Latency is a ratio within one run in which all take
turns. Networks with weights learn their last layer on 70 % of at most --pictures of each class of two collections,
choose by 15 % and are judged on 15 %; the head is trained in float, and the same model is then quantised on the
pictures learnt from. Those of timm, where it can be imported, have random weights: size and latency alone are measured.
The pretrained ones end at stride 16, those of timm at 32, so that the same name is not the same work.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch

from bursts import Work, interleaved
from classification import SUBJECTS, divided
from shared import shared_folder
from sightline.bundle import Bundle
from sightline.datasets.dataset import Dataset
from sightline.datasets.labelled import open_classes
from sightline.errors import OptionError
from sightline.export.exporting import ExportConfig, judged, make
from sightline.export.judgement import Judgement
from sightline.export.pictures import of_dataset
from sightline.imaging.decode import read_frame
from sightline.models.class_config import LearningConfig
from sightline.models.classifier import Head, whole_model
from sightline.models.convolutions import in_float, with_named_nodes, without_names
from sightline.models.detector import GraphDetector
from sightline.models.features import FeatureConfig
from sightline.models.integers import quantised
from sightline.models.named_networks import NamedNetwork, timm_library
from sightline.models.prototypes import fit_space
from sightline.records import Frame
from sightline.supervised import ClassifierConfig, train_classifier
from tables import RESULTS, Cell, write_table
from teachers import NAMES, export_teacher

OURS = "sightline"
SIDE = 224
TIMM = ("resnet50", "efficientnet_b0", "mobilenetv2_100")
_CLASSES, _FEWEST = 6, 40
_INT8 = ExportConfig(format="onnx", int8=True, max_loss=0.99)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """One model in both arithmetics."""

    plain: bytes
    integers: bytes
    judgement: Judgement | None = None  # None: its weights are random


def with_weights(name: str, folder: Path, shared: Path) -> Path | None:
    """A pretrained network as a backbone's file, simplified; None: ours."""
    if name == OURS:
        return None
    target = folder / f"{name}.onnx"
    if not target.is_file():
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(target)
        source = export_teacher(shared, name, folder / "as exported")
        ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        onnx.save(without_names(onnx.load(target)), target)  # it declares operator sets that it does not use
    return target


def fewer(dataset: Dataset, each: int) -> Dataset:
    """The first so many pictures of each class, spread over the collection."""
    kept = []
    for label in dataset.labels:
        own = [sample for sample in dataset.samples if sample.label == label]
        kept += [own[place] for place in np.unique(np.linspace(0, len(own) - 1, each).round().astype(int))]
    return replace(dataset, samples=tuple(kept))


def learnt(dataset: Dataset, backbone: Path | None, folder: Path) -> Pair:
    """Train the last layer, quantise, and judge both on the test pictures."""
    config = ClassifierConfig(size=(SIDE, SIDE), backbone=backbone, precision="fp32", learning=LearningConfig(epochs=0))
    bundle: Bundle = train_classifier(dataset, folder / "names.sight", config).bundle
    pictures = of_dataset(dataset, bundle.manifest, _INT8.pictures_for_ranges, config.max_megapixels)
    artifact = make(bundle, _INT8, pictures)
    found = judged(bundle, artifact, _INT8, pictures)
    return Pair(plain=bundle.graph, integers=artifact.contents[""], judgement=found)


def declared() -> torch.library.Library:
    """Two operators that torchvision looks for where it is of another build than torch, declared while this is held."""
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch's
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")  # type: ignore[no-untyped-call]
    return library


def untrained(name: str, frames: list[Frame]) -> Pair:
    """A network of timm with random weights as a classifier of six classes."""
    torch.manual_seed(0)
    model = timm_library(name).create_model(name, pretrained=False, num_classes=0)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)  # some are 0 at first, and what they scale would be stored once
    network = NamedNetwork(name, model.eval(), "")
    head = Head(network.channels, _CLASSES)
    torch.nn.init.normal_(head.linear.weight)
    values = np.random.default_rng(0).normal(size=(_FEWEST, 2 * sum(network.channels))).astype(np.float32)
    space = fit_space(values, np.arange(_FEWEST) % _CLASSES, _CLASSES)
    features = FeatureConfig(height=SIDE, width=SIDE)
    graph = whole_model(network, head, space, features, [f"class {place}" for place in range(_CLASSES)], 1.0)
    named = with_named_nodes(graph)
    feeds = iter([{"image": frame.pixels} for frame in frames])
    return Pair(plain=graph.SerializeToString(), integers=quantised(named, in_float(named, ends=True), feeds))


def times_of(pairs: Mapping[tuple[str, str], Pair], frame: Frame, rounds: int) -> dict[tuple[str, str], float]:
    """(network, arithmetic) -> median milliseconds; all take turns, each network once."""
    works: dict[tuple[str, str], Work] = {}
    for (network, _), pair in pairs.items():
        for kind, graph in (("fp32", pair.plain), ("int8", pair.integers)):
            works.setdefault((network, kind), partial(GraphDetector(graph, 8, threads=2).score, frame))
    names = {" ".join(key): key for key in works}
    measured = interleaved({name: works[key] for name, key in names.items()}, rounds)
    return {names[name]: float(np.median(times)) for name, times in measured.items()}


def rows_of(pairs: Mapping[tuple[str, str], Pair], times: Mapping[tuple[str, str], float]) -> Iterator[dict[str, Cell]]:
    """One row for each; without `times` latencies are left out."""
    base = times.get((OURS, "fp32"))
    for (network, data), pair in pairs.items():
        plain, integers = times.get((network, "fp32")), times.get((network, "int8"))
        found = pair.judgement
        yield {
            "network": network,
            "data": data,
            "MB fp32": len(pair.plain) / 1e6,
            "MB int8": len(pair.integers) / 1e6,
            "times smaller": len(pair.plain) / len(pair.integers),
            "latency fp32 (ours = 1)": plain / base if plain and base else None,
            "int8 times faster": plain / integers if plain and integers else None,
            "macro F1 fp32": found.macro_f1_model if found else None,
            "macro F1 int8": found.macro_f1_export if found else None,
            "verdicts changed": f"{found.changed} of {found.pictures}" if found else None,
        }


def pairs_of(options: argparse.Namespace, shared: Path, folder: Path) -> Iterator[tuple[tuple[str, str], Pair, Frame]]:
    """Each model as it is made, with a picture to time it on."""
    wanted = options.only or [OURS, *NAMES, *TIMM]
    frames: list[Frame] = []
    (folder / "as exported").mkdir()
    for subject in SUBJECTS[:2]:
        dataset = divided(fewer(open_classes(shared / str(subject.folder)), options.pictures), 0)
        frames = [read_frame(sample.path) for sample in dataset.train[::17]]
        for name in (OURS, *NAMES):
            if name in wanted:
                backbone = with_weights(name, folder, shared)
                yield (name, subject.name), learnt(dataset, backbone, folder), frames[0]
    held = declared()
    for name in TIMM:
        if f"timm {name}" in wanted or not options.only:
            try:
                yield (f"timm {name}", "random weights"), untrained(name, frames), frames[0]
            except OptionError as error:
                print(f"timm {name}: left out: {error}", file=sys.stderr)
    del held


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--only", nargs="+", choices=[OURS, *NAMES, *(f"timm {name}" for name in TIMM)])
    parser.add_argument("--pictures", type=int, default=40, help="of each class, at most")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    pairs: dict[tuple[str, str], Pair] = {}
    command = " ".join(["python benchmarks/classifier_backbones.py", *sys.argv[1:]])
    write = partial(write_table, options.out, "classifier-backbones", title="Networks for classifiers", command=command)
    with tempfile.TemporaryDirectory() as folder:
        for key, pair, shown in pairs_of(options, shared_folder(options.shared), Path(folder)):
            pairs[key], frame = pair, shown
            rows = list(rows_of(pairs, {}))
            write(rows)
            print(rows[-1], file=sys.stderr, flush=True)
    if not pairs:
        raise SystemExit("nothing could be measured")
    page = write(list(rows_of(pairs, times_of(pairs, frame, options.rounds))))
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
