"""Whether synthetic pictures helped a classifier: trained with and without them, it judges real test pictures."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.duplicates import duplicates
from sightline.datasets.survey import survey
from sightline.datasets.synthetic import is_synthetic
from sightline.errors import DatasetError, FrameError, StoreError
from sightline.evaluation.comparison import Judged, compare, refuse_unfair
from sightline.files import refuse_unwritable
from sightline.inspector import Inspector
from sightline.models.features import Progress
from sightline.supervised import FEWEST_PICTURES, ClassifierConfig, train_classifier
from sightline.training import Trained


def train_and_judge(
    dataset: Dataset, output: Path, config: ClassifierConfig, progress: Progress | None = None
) -> Trained:
    """As `supervised.train_classifier`, and once more without the synthetic pictures; both judge the test pictures.

    The one without knows no class of which there are fewer real pictures than a classifier needs: its recall is 0.

    Raises:
        As `train_classifier`; also DatasetError: there are no synthetic pictures to learn from, no test pictures, or
        test pictures that prove nothing. FrameError: one of them cannot be judged.
    """
    refuse_unwritable(output)
    synthetic = [sample for sample in dataset.train if is_synthetic(sample.path)]
    real = [sample for sample in dataset.train if sample not in synthetic]
    held_out, labels = dataset.test, dataset.labels
    if not synthetic:
        raise DatasetError(
            f"{dataset.root}: has no synthetic pictures to learn from; make some with `sightline data synth`, and give "
            "the mixed.csv that it writes."
        )
    if not held_out:
        raise DatasetError(
            f"{dataset.root}: has no real test pictures to judge by; divide it with `sightline data split` first."
        )
    refuse_unfair(real, synthetic, held_out, labels)
    try:
        with tempfile.TemporaryDirectory(prefix=".sightline-", dir=output.parent) as folder:
            plain = replace(dataset, samples=_known(real, dataset.validation))
            without = train_classifier(plain, Path(folder) / "without.sight", config, _told("without", progress))
            said = _said(without, held_out, labels, config)
    except OSError as error:
        raise StoreError(f"{output.parent}: cannot be written ({error.strerror or error}). Check the disk.") from error
    trained = train_classifier(dataset, output, config, progress)
    judged = Judged(
        truth=np.array([labels.index(sample.label) for sample in held_out], np.int64),
        without=said,
        with_=_said(trained, held_out, labels, config),
        groups=_groups(dataset, held_out),
    )
    return replace(trained, synthetic=compare([judged], labels, seed=config.learning.seed))


def _known(real: Sequence[Sample], validation: Sequence[Sample]) -> tuple[Sample, ...]:
    """Those of the classes that there are enough real pictures of."""
    labels = [sample.label for sample in real]
    return tuple(sample for sample in (*real, *validation) if labels.count(sample.label) >= FEWEST_PICTURES)


def _said(
    trained: Trained, held_out: Sequence[Sample], labels: Sequence[str], config: ClassifierConfig
) -> NDArray[np.int64]:
    """(n,) the place of each picture's most probable class among the labels."""
    inspector = Inspector(trained.bundle, max_megapixels=config.max_megapixels)
    found = []
    for inspection in inspector.inspect_all((sample.path for sample in held_out), workers=1):
        if inspection.probabilities is None:
            raise FrameError(f"{inspection.fault}")
        shares = inspection.probabilities
        found.append(labels.index(max(shares, key=lambda name: shares[name])))
    return np.array(found, np.int64)


def _groups(dataset: Dataset, held_out: Sequence[Sample]) -> NDArray[np.int64]:
    """(n,) pictures that are nearly the same count as one part."""
    looks = survey(replace(dataset, samples=tuple(held_out)), progress=False).looks
    place = {sample.path: number for number, sample in enumerate(held_out)}
    groups = np.arange(len(held_out))
    for group in duplicates(looks):
        groups[[place[sample.path] for sample in group.samples]] = place[group.samples[0].path]
    return groups


def _told(which: str, progress: Progress | None) -> Progress | None:
    return (lambda stage, done, total: progress(f"{which}: {stage}", done, total)) if progress else None
