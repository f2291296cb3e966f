"""Which changes of a picture would erase a class, so that it must not be learnt from pictures changed like this."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.models.augmentation import CHECKED, Changes, strongest
from sightline.models.classifier import Classifier, Head, Labels
from sightline.models.features import Progress
from sightline.models.lesson import Lesson

_CHECKED_PICTURES = 12  # of each class
_MOST_LOST, _MAY_BE_CHANCE = 1 / 3, 3  # of those recognised before, and as a number
_BATCH = 16


def surviving(
    classifier: Classifier,
    lesson: Lesson,
    embeddings: Tensor,
    changes: Changes,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> tuple[Changes, tuple[str, ...]]:
    """Leave out the kinds of change that would erase a class, such as blur a crack or colour a stain.

    Some pictures of each class are all changed as strongly as the preset may. If more than a third of those of one
    class that were recognised before no longer are, the change has taken away what tells it from the others, and a
    network trained with it would learn to overlook that.

    Args:
        embeddings: (n, D) of the pictures to learn from.
    """
    labels = lesson.labels[list(lesson.learn)]
    chosen = np.concatenate([np.flatnonzero(labels == c)[:_CHECKED_PICTURES] for c in range(len(lesson.names))])
    truth = labels[chosen]
    scaled = _scaled(classifier.head, embeddings[torch.from_numpy(chosen).to(embeddings.device)])
    before = np.bincount(truth[recognised(scaled, truth)], minlength=len(lesson.names))
    off: list[str] = []
    kinds = [kind for kind in CHECKED if getattr(changes, kind)]
    for done, kind in enumerate(kinds):
        for end in _at_ends(classifier, lesson, chosen, kind, changes, rng):
            after = np.bincount(truth[recognised(end, truth)], minlength=len(lesson.names))
            if (before - after > np.maximum(_MAY_BE_CHANCE, _MOST_LOST * before)).any():
                off.append(kind)
                break
        if progress:
            progress("checking changes", done + 1, len(kinds))
    for kind in off:
        changes = changes.without(kind)
    return changes, tuple(off)


def recognised(embeddings: Tensor, labels: Labels) -> NDArray[np.bool_]:
    """Which pictures are nearest to the mean of the other pictures of their own class.

    Args:
        embeddings: (n, D), two of each class at least.
        labels: (n,) from 0 up, each occurring.
    """
    members = [torch.from_numpy(np.flatnonzero(labels == label)).to(embeddings.device) for label in np.unique(labels)]
    means = torch.stack([embeddings[each].mean(dim=0) for each in members])
    distances = torch.cdist(embeddings, means)
    own = torch.from_numpy(labels).to(embeddings.device)
    sizes = torch.tensor([len(each) for each in members], device=embeddings.device)[own]
    # without the picture itself its class's mean is n / (n - 1) times as far from it
    rows = torch.arange(len(own), device=own.device)
    distances[rows, own] *= sizes / (sizes - 1)
    found: NDArray[np.bool_] = (distances.argmin(dim=1) == own).cpu().numpy()
    return found


def _at_ends(
    classifier: Classifier,
    lesson: Lesson,
    chosen: NDArray[np.int64],
    kind: str,
    changes: Changes,
    rng: np.random.Generator,
) -> list[Tensor]:
    """(n, D) standardised embeddings of the chosen pictures at every end of one kind of change."""
    device = next(classifier.parameters()).device
    batches: list[list[Tensor]] = []
    for at in range(0, len(chosen), _BATCH):
        images = lesson.album.batch([lesson.learn[place] for place in chosen[at : at + _BATCH]], device)
        with torch.inference_mode():
            ends = strongest(images, kind, changes, rng)
            batches.append([_scaled(classifier.head, classifier.embedding(end)) for end in ends])
    return [torch.cat(parts) for parts in zip(*batches, strict=True)]


def _scaled(head: Head, embeddings: Tensor) -> Tensor:
    return (embeddings - head.mean) / head.spread
