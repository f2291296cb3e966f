"""Teach a finished classifier a new class of defect from a few examples, without training it again."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.bundle import Bundle, load, packed, save
from sightline.datasets.dataset import GOOD, label_named
from sightline.errors import OptionError
from sightline.hybrid import piece_of
from sightline.inspector import Inspector
from sightline.manifest import Manifest, printable
from sightline.models.features import Progress
from sightline.models.prototypes import likeness_among, prototype, with_prototype
from sightline.name_rules import Naming, TaughtClass
from sightline.records import FloatArray, Frame

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
    classifier = bundle if bundle.names is None else bundle.names
    naming = _naming(classifier)
    label = _checked(naming, label, pictures)
    shown = _shown(bundle, pictures, max_megapixels)
    inspector = Inspector(classifier)
    placed = _placed(inspector, shown, progress)
    likeness = likeness_among(placed)
    if not likeness.min() > 0:
        odd = pictures[int(likeness.argmin())]
        raise OptionError(f"{odd}: is not like the other examples of {label!r}. Leave it out, or teach it by itself.")
    rule = TaughtClass(name=label, examples=len(placed), similarity=float((1 - _ALLOWANCE) * likeness.min()))
    graph = with_prototype(classifier.graph, prototype(placed))
    manifest = _with_class(classifier.manifest, naming, rule, graph)
    warnings = tuple(_doubts(inspector, naming, shown, likeness))
    if bundle.names is None:
        save(output, graph, manifest)
    else:
        _save_within(bundle, graph, manifest, label, output)
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Example:
    """What the classifier is shown: the whole picture, or the piece that the anomaly model finds in it."""

    frame: Frame
    weights: NDArray[np.uint8] | None = None


def _shown(bundle: Bundle, pictures: Sequence[Path], max_megapixels: float) -> list[_Example]:
    inspector = Inspector(bundle, max_megapixels=max_megapixels)
    frames = [inspector.frame(path) for path in pictures]
    rule = bundle.manifest.regions
    if rule is None:
        return [_Example(frame=frame) for frame in frames]
    pieces = [piece_of(inspector, frame, rule) for frame in frames]
    return [_Example(frame=piece.frame, weights=piece.weights) for piece in pieces]


def _save_within(bundle: Bundle, graph: bytes, manifest: Manifest, label: str, output: Path) -> None:
    """Write the model with another classifier inside."""
    assert bundle.manifest.regions is not None, "a file with names has a rule"
    content = packed(graph, manifest)
    regions = replace(bundle.manifest.regions, names_sha256=hashlib.sha256(content).hexdigest())
    outer = replace(bundle.manifest, labels=(*bundle.manifest.labels, label), regions=regions)
    save(output, bundle.graph, outer, None, content, bundle.exemplars)


def _placed(inspector: Inspector, shown: Sequence[_Example], progress: Progress | None) -> FloatArray:
    """(n, D) embeddings of the examples; OptionError where two are the same picture."""
    rows: list[FloatArray] = []
    for done, example in enumerate(shown):
        row = inspector.embedding(example.frame, example.weights)
        for other, seen in zip(shown, rows, strict=False):
            if np.array_equal(row, seen):
                name = example.frame.source
                raise OptionError(f"{name}: is the same picture as {other.frame.source}; give different examples.")
        rows.append(row)
        if progress:
            progress("examples", done + 1, len(shown))
    return np.stack(rows)


def _with_class(manifest: Manifest, naming: Naming, rule: TaughtClass, graph: bytes) -> Manifest:
    return replace(
        manifest,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        labels=(*manifest.labels, rule.name),
        naming=replace(naming, taught=(*naming.taught, rule)),
    )


def _doubts(inspector: Inspector, naming: Naming, shown: Sequence[_Example], likeness: FloatArray) -> list[str]:
    """What speaks against the class: few examples, or examples that look more like a class already known."""
    doubts = []
    if len(shown) < ENOUGH_EXAMPLES:
        doubts.append(f"{len(shown)} examples are few; from {ENOUGH_EXAMPLES} on a class is found more reliably.")
    for example, own in zip(shown, likeness, strict=True):
        similarities = inspector.score(example.frame, weights=example.weights).similarities
        if similarities is not None and similarities.max() >= own:
            other = naming.names[int(similarities.argmax())]
            doubts.append(f"{example.frame.source}: is more like {other!r} than like the other examples.")
    return doubts
