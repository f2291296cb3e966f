"""Do synthetic defects help where real ones are rare? Macro F1 with and without them, on real held-out pictures.

    python benchmarks/synthetic.py [--data FOLDER] [--real 5] [--per-class 20] [--draws 5]

Magnetic tiles: five kinds of defect and good. Of each kind a few real pictures are learnt from, all others are held
out; pictures of one tile stay on one side. The learner is what one begins with: multinomial logistic regression on the
shipped backbone's pooled features. Nothing is chosen on the held-out pictures.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from shared import shared_folder
from sightline.datasets.dataset import GOOD, Dataset, Sample
from sightline.datasets.duplicates import duplicates
from sightline.datasets.opening import open_dataset
from sightline.datasets.survey import survey
from sightline.evaluation.comparison import Comparison, Judged, compare, judge
from sightline.imaging.decode import read_frame
from sightline.models.backbone import load_backbone
from sightline.models.features import FeatureConfig, append_resize, image_input
from sightline.models.graph import GraphBuilder, open_session
from sightline.synthesis.mixing import Mix
from sightline.synthesis.provenance import MIXED_FILE
from sightline.synthesis.spoiling import Kind, SpoilConfig, write_synthetic
from tables import RESULTS, Cell, write_table

GOOD_LEARNT = 150
PAINTED = {Kind.CRACK: "crack", Kind.MISSING: "break", Kind.STAIN: "fray"}  # by likeness of the names' meaning
_STEPS, _DECAY = 300, 1e-2  # of the regression, on standardised features


@dataclass(slots=True, kw_only=True)
class PooledFeatures:
    """Mean and maximum of each backbone channel over a picture of 256 x 256; kept, as pictures occur in many draws."""

    session: ort.InferenceSession
    known: dict[Path, NDArray[np.float32]] = field(default_factory=dict)

    def of(self, samples: Sequence[Sample]) -> NDArray[np.float32]:
        """(len(samples), D)"""
        for sample in samples:
            if sample.path not in self.known:
                maps = self.session.run(None, {"image": read_frame(sample.path).pixels})
                pooled = [pool(plane, axis=(0, 2, 3)) for plane in maps for pool in (np.mean, np.max)]
                self.known[sample.path] = np.concatenate(pooled).astype(np.float32)
        return np.stack([self.known[sample.path] for sample in samples])


def pooled_features() -> PooledFeatures:
    """With the shipped backbone, on one thread."""
    backbone, config = load_backbone(), FeatureConfig()
    builder = GraphBuilder()
    maps = builder.splice(backbone.model, append_resize(builder, "image", config))
    outputs = []
    for name, channels, stride in zip(maps, backbone.channels, backbone.strides, strict=True):
        builder.rename(name, f"map{stride}")
        outputs.append((f"map{stride}", (1, channels, config.height // stride, config.width // stride)))
    return PooledFeatures(session=open_session(builder.build([image_input(config)], outputs), threads=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """Multinomial logistic regression, classes weighted equally, decay on the weights, full-batch Adam."""

    features: PooledFeatures

    def probabilities(
        self, train: Sequence[Sample], judged: Sequence[Sample], labels: Sequence[str]
    ) -> NDArray[np.float64]:
        x, y = self.features.of(train).astype(np.float64), np.array([list(labels).index(s.label) for s in train])
        mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
        x, wanted = (x - mean) / scale, np.eye(len(labels))[y]
        weight = (1 / np.maximum(wanted.sum(axis=0), 1))[y] / len(labels)
        parameters = np.zeros((x.shape[1] + 1, len(labels)))
        slow, fast = np.zeros_like(parameters), np.zeros_like(parameters)
        inputs = np.hstack([x, np.ones((len(x), 1))])
        for step in range(1, _STEPS + 1):
            off = (softmax(inputs @ parameters) - wanted) * weight[:, None]
            slope = inputs.T @ off + _DECAY * np.vstack([parameters[:-1], np.zeros(len(labels))])
            slow, fast = 0.9 * slow + 0.1 * slope, 0.999 * fast + 0.001 * slope**2
            parameters -= 0.01 * (slow / (1 - 0.9**step)) / (np.sqrt(fast / (1 - 0.999**step)) + 1e-8)
        seen = (self.features.of(judged) - mean) / scale
        return softmax(np.hstack([seen, np.ones((len(seen), 1))]) @ parameters)


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float64)


def parts_of(dataset: Dataset) -> dict[Path, int]:
    """A number for each picture, the same for pictures of one tile: by the name's number, and by likeness."""
    numbers: dict[str, int] = {}
    found = {s.path: numbers.setdefault(re.sub(r"^exp\d+_", "", s.path.stem), len(numbers)) for s in dataset.samples}
    for group in duplicates(survey(dataset, progress=False).looks):
        joined = {found[sample.path] for sample in group.samples}
        found = {path: min(joined) if number in joined else number for path, number in found.items()}
    return found


def divided(dataset: Dataset, parts: dict[Path, int], real: int, seed: int) -> Dataset:
    """`real` pictures of each defect, each of another part, and some good ones in train; no part is on both sides."""
    rng = np.random.default_rng(seed)
    taken: set[int] = set()
    learnt: set[Path] = set()
    for label in dataset.labels:
        stratum = [s for s in (dataset.train if label == GOOD else dataset.test) if s.label == label]
        left = GOOD_LEARNT if label == GOOD else real
        for place in rng.permutation(len(stratum)):
            sample = stratum[place]
            if left and parts[sample.path] not in taken:
                taken.add(parts[sample.path])
                learnt.add(sample.path)
                left -= 1
    samples = [replace(s, split="train") for s in dataset.samples if s.path in learnt]
    samples += [s for s in dataset.test if s.path not in learnt and parts[s.path] not in taken]
    return replace(dataset, samples=tuple(samples))


def arms(per_class: int, seed: int) -> dict[str, SpoilConfig]:
    mix = Mix(per_class=per_class)
    return {
        "painted": SpoilConfig(mix=mix, kinds=PAINTED, seed=seed),
        "pasted": SpoilConfig(mix=mix, kinds={}, seed=seed),
        "painted and pasted": SpoilConfig(mix=mix, kinds=PAINTED, seed=seed),
    }


def judged_draws(dataset: Dataset, options: argparse.Namespace, scratch: Path) -> dict[str, list[Judged]]:
    """Arm -> what was said in each draw."""
    learner, parts = Regression(features=pooled_features()), parts_of(dataset)
    found: dict[str, list[Judged]] = {}
    for seed in range(options.draws):
        draw = divided(dataset, parts, options.real, seed)
        groups = [parts[sample.path] for sample in draw.test]
        for arm, config in arms(options.per_class, seed).items():
            folder = scratch / f"{arm}-{seed}"
            write_synthetic(draw, folder, config, defects=None if arm == "painted" else draw)
            mixed = open_dataset(folder / MIXED_FILE)
            synthetic = [sample for sample in mixed.train if folder in sample.path.parents]
            said = judge(learner, draw.train, synthetic, draw.test, dataset.labels, groups)
            found.setdefault(arm, []).append(said)
            print(f"draw {seed}, {arm}: {len(draw.test)} held out", file=sys.stderr, flush=True)
    return found


def row(arm: str, found: Comparison) -> dict[str, Cell]:
    gap = found.difference
    recalls = {
        f"recall {label}": f"{without:.2f} -> {with_:.2f}"
        for label, without, with_ in zip(found.labels, found.without_recall, found.with_recall, strict=True)
    }
    return {
        "added": arm,
        "macro F1 without": found.without_f1,
        "with": found.with_f1,
        "difference": f"{gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})",
        "verdict": gap.verdict,
        **recalls,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of data sets  [default: ../shared/data]")
    parser.add_argument("--real", type=int, default=5, help="real pictures of each kind of defect learnt from")
    parser.add_argument("--per-class", type=int, default=20, help="synthetic pictures of each class")
    parser.add_argument("--draws", type=int, default=5, help="of what is learnt from")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    dataset = open_dataset((options.data or shared_folder(None) / "data") / "magnetic_tile")
    with tempfile.TemporaryDirectory() as scratch:
        said = judged_draws(dataset, options, Path(scratch))
    rows = [row(arm, compare(draws, dataset.labels)) for arm, draws in said.items()]
    per_draw = sum(len(draw.truth) for draw in next(iter(said.values()))) // options.draws
    notes = [
        f"magnetic_tile; learnt from {options.real} real pictures of each of the five defects and {GOOD_LEARNT} good "
        f"ones, with or without {options.per_class} synthetic ones of each class that can be made; painted are "
        f"{', '.join(f'{kind} as {label}' for kind, label in PAINTED.items())}. {options.draws} draws, about "
        f"{per_draw} real pictures held out in each, no tile on both sides. Means over the draws; "
        "intervals of 95 % by the paired bootstrap over tiles: what is not in them is the luck of which pictures were "
        "learnt from. Logistic regression on the shipped backbone's pooled features at 256 x 256; another learner may "
        "profit more or less.",
    ]
    command = " ".join(["python benchmarks/synthetic.py", *sys.argv[1:]])
    title = "Synthetic defects beside few real ones"
    page = write_table(options.out, "synthetic", rows, title=title, command=command, notes=notes)
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
