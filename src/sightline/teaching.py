"""Teach a finished classifier a new class of defect from a few examples, without training it again."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sightline.bundle import Bundle, load, save
from sightline.datasets.dataset import GOOD, label_named
from sightline.errors import OptionError
from sightline.inspector import Inspector
from sightline.manifest import Manifest, Naming, TaughtClass, printable
from sightline.models.features import Progress
from sightline.models.prototypes import likeness_among, prototype, with_prototype
from sightline.records import FloatArray

FEWEST_EXAMPLES = 3
ENOUGH_EXAMPLES = 5
_ALLOWANCE = 0.2  # of the least likeness among the examples, by which a picture may be less like them


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """The model with one class more, and what a person should know about it."""

    bundle: Bundle
    rule: TaughtClass
    warnings: tuple[str, ...]


def teach(
    bundle: Bundle,
    label: str,
    pictures: Sequence[Path],
    output: Path,
    *,
    max_megapixels: float = 50.0,
    progress: Progress | None = None,
) -> Taught:
    """Add a class of defect and write the model to `output`, which may be the model's own file, in one step.

    The class is the mean of its examples. A picture is of it if it is no more than a fifth less like that mean than the
    least typical example is to the mean of the others, and liker to it than to any class the model learnt.

    Raises:
        OptionError: the model gives no names, has the class already, or there are too few examples, or none alike.
        FrameError: an example cannot be read. StoreError: the file cannot be written.
    """
    naming = _naming(bundle)
    label = _checked(naming, label, pictures)
    placed = _placed(bundle, pictures, max_megapixels, progress)
    likeness = likeness_among(placed)
    if not likeness.min() > 0:
        odd = pictures[int(likeness.argmin())]
        raise OptionError(f"{odd}: is not like the other examples of {label!r}. Leave it out, or teach it by itself.")
    rule = TaughtClass(name=label, examples=len(placed), similarity=float((1 - _ALLOWANCE) * likeness.min()))
    graph = with_prototype(bundle.graph, prototype(placed))
    manifest = _with_class(bundle.manifest, naming, rule, graph)
    warnings = tuple(_doubts(bundle, naming, pictures, likeness, max_megapixels))
    save(output, graph, manifest)
    return Taught(bundle=load(output), rule=rule, warnings=warnings)


def _naming(bundle: Bundle) -> Naming:
    if bundle.manifest.naming is None:
        raise OptionError(
            f"{bundle.path}: a {bundle.manifest.method} model gives no names, so none can be taught; train a "
            "classifier with --method classifier."
        )
    return bundle.manifest.naming


def _checked(naming: Naming, label: str, pictures: Sequence[Path]) -> str:
    name = label_named(printable(label).strip())
    if not name:
        raise OptionError("the class has no name; give one, such as bent_pin.")
    if name == GOOD:
        raise OptionError("good parts are not taught from a few examples; train again with more of them.")
    if name in naming.names:
        raise OptionError(f"the model knows {name!r} already; give the new class another name.")
    if len(pictures) < FEWEST_EXAMPLES:
        raise OptionError(
            f"{len(pictures)} examples are too few; give at least {FEWEST_EXAMPLES}, better {ENOUGH_EXAMPLES} to 10."
        )
    return name


def _placed(bundle: Bundle, pictures: Sequence[Path], max_megapixels: float, progress: Progress | None) -> FloatArray:
    """(n, D) embeddings of the examples; OptionError where two are the same picture."""
    inspector = Inspector(bundle, max_megapixels=max_megapixels)
    rows: list[FloatArray] = []
    for done, path in enumerate(pictures):
        row = inspector.embedding(path)
        for other, seen in zip(pictures, rows, strict=False):
            if np.array_equal(row, seen):
                raise OptionError(f"{path}: is the same picture as {other}; give different examples.")
        rows.append(row)
        if progress:
            progress("examples", done + 1, len(pictures))
    return np.stack(rows)


def _with_class(manifest: Manifest, naming: Naming, rule: TaughtClass, graph: bytes) -> Manifest:
    return replace(
        manifest,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        labels=(*manifest.labels, rule.name),
        naming=replace(naming, taught=(*naming.taught, rule)),
    )


def _doubts(
    bundle: Bundle, naming: Naming, pictures: Sequence[Path], likeness: FloatArray, max_megapixels: float
) -> list[str]:
    """What speaks against the class: few examples, or examples that look more like a class already known."""
    doubts = []
    if len(pictures) < ENOUGH_EXAMPLES:
        doubts.append(f"{len(pictures)} examples are few; from {ENOUGH_EXAMPLES} on a class is found more reliably.")
    inspector = Inspector(bundle, max_megapixels=max_megapixels)
    for path, own in zip(pictures, likeness, strict=True):
        similarities = inspector.score(inspector.frame(path)).similarities
        if similarities is not None and similarities.max() >= own:
            other = naming.names[int(similarities.argmax())]
            doubts.append(f"{path}: is more like {other!r} than like the other examples.")
    return doubts
