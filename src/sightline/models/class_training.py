"""How a classifier learns: the head first, by embeddings computed once; then the last blocks with it, at a lower rate.

AdamW with a cosine (Loshchilov and Hutter 2019, arXiv 1711.05101), in mixed precision on a GPU. What counts is the
macro F1 on pictures held out, the mean over classes, so that a rare one weighs as much as a frequent one; among equals
the cross-entropy. The best epoch is kept, and training ends when none has been better for a while.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import OptionError
from sightline.models.album import Album
from sightline.models.augmentation import CHECKED, PRESETS, Changes, augment, strongest
from sightline.models.class_checkpoint import Checkpoint, Standing, State, learning, moments, restore, restore_moments
from sightline.models.class_config import IMBALANCES, Imbalance, LearningConfig, Unfreeze
from sightline.models.classifier import Classifier, Head, Labels
from sightline.models.features import Progress
from sightline.models.gradient import best_device, seeded
from sightline.models.imbalance import class_weights, loss, order
from sightline.models.network import Network
from sightline.models.prototypes import Space, fit_space
from sightline.records import FloatArray

_BATCH = 16
_HEAD_EPOCHS, _HEAD_RATE, _HEAD_BATCH = 60, 3e-3, 64
# without batch norms to absorb them, the alike first steps of Adam add up over a kernel's inputs: at 1e-4 one epoch
# took the macro F1 on pictures held out of rendered parts from 0.52 to 0.13
_FINE_HEAD_RATE, _FINE_RATE = 2e-4, 1.5e-5
_WEIGHT_DECAY = 0.02
_WARM_UP = 0.1  # of the second phase
_LONGEST_GRADIENT = 1.0
_UNBALANCED = 1.5  # times as many pictures in the largest class as in the smallest, from which ways are compared
_CHECKED_PICTURES = 12  # of each class
_MOST_LOST, _MAY_BE_CHANCE = 1 / 3, 3  # of those recognised before, and as a number


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """What is learnt: pictures and the class of each, and which of them only judge."""

    album: Album
    labels: Labels  # (N,) places in `names`
    names: tuple[str, ...]
    learn: tuple[int, ...]
    held_out: tuple[int, ...]

    @property
    def counts(self) -> NDArray[np.int64]:
        return np.bincount(self.labels[list(self.learn)], minlength=len(self.names))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learnt:
    """A trained classifier, on the CPU, and how it came about."""

    classifier: Classifier
    space: Space  # of the pictures learnt from, by which classes are taught later
    logits: FloatArray  # (n, K) of the pictures held out
    macro_f1: float  # on these
    epochs: int  # of the second phase, up to the one that is kept
    imbalance: Imbalance
    off: tuple[str, ...]  # augmentations turned off, as they erased a class
    seconds: float


def learn(
    lesson: Lesson,
    network: Network,
    config: LearningConfig,
    checkpoint: Checkpoint,
    progress: Progress | None = None,
) -> Learnt:
    """Train a head for the network, then the network's last blocks, or all of it, with the head.

    Args:
        network: is changed in place.
        checkpoint: where each epoch is kept, and what an interrupted training left.

    Raises:
        OptionError: the loss is no longer finite, or the checkpoint is damaged. StoreError: it cannot be written.
    """
    device = best_device()
    with seeded(config.seed):
        classifier = Classifier(network, Head(network.channels, len(lesson.names))).to(device).eval()
        _freeze(classifier, config.unfreeze)
        standing = checkpoint.read()
        if standing is None:
            standing = _first_phase(classifier, lesson, config, progress)
            checkpoint.write(standing)
        restore(classifier, standing.weights)
        standing = _second_phase(classifier, lesson, standing, config, checkpoint, progress)
    restore(classifier, standing.best_weights)
    logits = _logits(classifier, lesson.album, lesson.held_out)
    told: Progress | None = (lambda _, done, total: progress("classes", done, total)) if progress else None
    embeddings = _embeddings(classifier, lesson, lesson.learn, None, np.random.default_rng(config.seed), told)
    space = fit_space(embeddings.cpu().numpy(), lesson.labels[list(lesson.learn)], len(lesson.names))
    return Learnt(
        classifier=classifier.cpu().eval(),
        space=space,
        logits=logits,
        macro_f1=macro_f1(logits.argmax(axis=1), lesson.labels[list(lesson.held_out)], len(lesson.names)),
        epochs=standing.best_epoch,
        imbalance=standing.imbalance,
        off=standing.off,
        seconds=standing.seconds,
    )


def macro_f1(predicted: Labels, labels: Labels, classes: int) -> float:
    """The mean over classes of 2 TP / (2 TP + FP + FN); a class that neither occurs nor is predicted is left out."""
    right = np.bincount(labels[predicted == labels], minlength=classes)
    either = np.bincount(labels, minlength=classes) + np.bincount(predicted, minlength=classes)
    return float(np.mean(2 * right[either > 0] / either[either > 0]))


def _freeze(classifier: Classifier, unfreeze: Unfreeze) -> None:
    late = {id(weight) for weight in classifier.network.late_parameters()}
    for weight in classifier.network.parameters():
        weight.requires_grad_(weight.ndim > 0 and (unfreeze == "all" or id(weight) in late))


def _first_phase(classifier: Classifier, lesson: Lesson, config: LearningConfig, progress: Progress | None) -> Standing:
    """The head alone, on embeddings of the pictures as they are and of each once augmented."""
    started = time.monotonic()
    rng = np.random.default_rng((config.seed, 0))
    plain = _embeddings(classifier, lesson, (*lesson.learn, *lesson.held_out), None, rng, progress)
    learnt, judged = plain[: len(lesson.learn)], plain[len(lesson.learn) :]
    classifier.head.standardise(learnt)
    changes, off = surviving(classifier, lesson, learnt, _changes(lesson, config), rng, progress)
    changed = _embeddings(classifier, lesson, lesson.learn, changes, rng, progress)
    labels = lesson.labels[list(lesson.learn)]
    examples = torch.cat([learnt, changed]), np.concatenate([labels, labels])
    best: tuple[tuple[float, float], Imbalance, State] | None = None
    for way in _ways(lesson.counts, config.imbalance):
        _train_head(classifier.head, *examples, way, lesson.counts, config.seed)
        with torch.inference_mode():
            merit = _merit(classifier.head(judged).cpu().numpy(), lesson)
        if best is None or merit > best[0]:
            best = merit, way, learning(classifier)
    assert best is not None, "there is one way at least"
    merit, chosen, weights = best
    return Standing(
        epoch=0,
        seconds=(seconds := time.monotonic() - started),
        head_seconds=seconds,
        imbalance=chosen,
        off=off,
        best=merit,
        best_epoch=0,
        weights=weights,
        best_weights=weights,
        moments={},
    )


def _ways(counts: NDArray[np.int64], asked: Imbalance | None) -> tuple[Imbalance, ...]:
    if asked is not None:
        return (asked,)
    return IMBALANCES if counts.max() > _UNBALANCED * counts.min() else ("none",)


def _changes(lesson: Lesson, config: LearningConfig) -> Changes:
    changes = PRESETS[config.material]
    return changes.without("colour") if lesson.album.is_grey(lesson.learn[:_BATCH]) else changes


def _train_head(
    head: Head, embeddings: Tensor, labels: Labels, way: Imbalance, counts: NDArray[np.int64], seed: int
) -> None:
    nn.init.zeros_(head.linear.weight)
    nn.init.zeros_(head.linear.bias)
    rng, device = np.random.default_rng((seed, 1)), embeddings.device
    weights = class_weights(way, counts)
    weights = None if weights is None else weights.to(device)
    truth = torch.from_numpy(labels).to(device)
    optimiser = torch.optim.AdamW(head.parameters(), lr=_HEAD_RATE, weight_decay=_WEIGHT_DECAY)
    head.train()
    for epoch in range(_HEAD_EPOCHS):
        shuffled = order(way, labels, rng)
        for at in range(0, len(shuffled), _HEAD_BATCH):
            set_rates(optimiser, [_HEAD_RATE], (epoch + at / len(shuffled)) / _HEAD_EPOCHS)
            batch = torch.from_numpy(shuffled[at : at + _HEAD_BATCH]).to(device)
            value = loss(way, head(embeddings[batch]), truth[batch], weights)
            optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    head.eval()


def _second_phase(
    classifier: Classifier,
    lesson: Lesson,
    standing: Standing,
    config: LearningConfig,
    checkpoint: Checkpoint,
    progress: Progress | None,
) -> Standing:
    groups = [list(classifier.head.parameters()), [w for w in classifier.network.parameters() if w.requires_grad]]
    rates = [_FINE_HEAD_RATE, _FINE_RATE]
    optimiser = torch.optim.AdamW([{"params": group} for group in groups if group], weight_decay=_WEIGHT_DECAY)
    restore_moments(optimiser, standing.moments)
    changes = _changes(lesson, config)
    for kind in standing.off:
        changes = changes.without(kind)
    course = _Course(
        classifier=classifier, lesson=lesson, changes=changes, optimiser=optimiser, rates=rates, config=config
    )
    while standing.epoch < config.epochs and standing.epoch - standing.best_epoch < config.patience:
        if course.passed(standing, standing.epoch, standing.seconds) >= 1:
            break
        began = time.monotonic()
        course.run_epoch(standing, progress)
        merit = _merit(_logits(classifier, lesson.album, lesson.held_out), lesson)
        weights = learning(classifier)
        standing = replace(
            standing,
            epoch=standing.epoch + 1,
            seconds=standing.seconds + time.monotonic() - began,
            weights=weights,
            moments=moments(optimiser),
        )
        if merit > standing.best:
            standing = replace(standing, best=merit, best_epoch=standing.epoch, best_weights=weights)
        checkpoint.write(standing)
    return standing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Course:
    """The second phase: what every epoch of it needs."""

    classifier: Classifier
    lesson: Lesson
    changes: Changes
    optimiser: torch.optim.Optimizer
    rates: Sequence[float]
    config: LearningConfig

    def passed(self, standing: Standing, epoch: float, seconds: float) -> float:
        """The share of the second phase that is over, by epochs or by time, whichever is further."""
        share = epoch / max(1, self.config.epochs)
        if self.config.minutes is None:
            return share
        left = max(1e-9, 60 * self.config.minutes - standing.head_seconds)
        return max(share, (seconds - standing.head_seconds) / left)

    def run_epoch(self, standing: Standing, progress: Progress | None) -> None:
        """One pass; what is drawn depends on the seed and the epoch alone, so that it can go on after a break."""
        lesson, device, began = self.lesson, best_device(), time.monotonic()
        rng = np.random.default_rng((self.config.seed, 2, standing.epoch))
        torch.manual_seed(int(rng.integers(2**62)))
        weights = class_weights(standing.imbalance, lesson.counts)
        weights = None if weights is None else weights.to(device)
        labels = lesson.labels[list(lesson.learn)]
        shuffled = order(standing.imbalance, labels, rng)
        self.classifier.head.train()  # the network's norms stay as they are: batches are small
        half = torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported(False) else torch.float16
        scaler = torch.amp.GradScaler(device.type, enabled=device.type == "cuda" and half is torch.float16)
        for at in range(0, len(shuffled), _BATCH):
            chosen = shuffled[at : at + _BATCH]
            passed = self.passed(
                standing, standing.epoch + at / len(shuffled), standing.seconds + time.monotonic() - began
            )
            if passed >= 1:
                break
            set_rates(self.optimiser, self.rates, passed, _WARM_UP)
            images = lesson.album.batch([lesson.learn[place] for place in chosen], device)
            with torch.autocast(device.type, dtype=half, enabled=device.type == "cuda"):
                logits = self.classifier(augment(images, self.changes, rng))
            value = loss(standing.imbalance, logits.float(), torch.from_numpy(labels[chosen]).to(device), weights)
            if not math.isfinite(value.item()):
                raise OptionError(f"training diverged in epoch {standing.epoch + 1}. Try another seed.")
            self.optimiser.zero_grad(set_to_none=True)
            scaler.scale(value).backward()  # type: ignore[no-untyped-call]
            scaler.unscale_(self.optimiser)
            torch.nn.utils.clip_grad_norm_(self.classifier.parameters(), _LONGEST_GRADIENT)
            scaler.step(self.optimiser)
            scaler.update()
            if progress:
                done = standing.epoch * len(shuffled) + min(at + _BATCH, len(shuffled))
                progress("fine-tuning", done, self.config.epochs * len(shuffled))
        self.classifier.eval()


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


def _embeddings(
    classifier: Classifier,
    lesson: Lesson,
    chosen: Sequence[int],
    changes: Changes | None,
    rng: np.random.Generator,
    progress: Progress | None,
) -> Tensor:
    """(n, D), of the pictures as they are or each changed once."""
    device = next(classifier.parameters()).device
    rows = []
    for at in range(0, len(chosen), _BATCH):
        images = lesson.album.batch(chosen[at : at + _BATCH], device)
        with torch.inference_mode():
            rows.append(classifier.embedding(images if changes is None else augment(images, changes, rng)))
        if progress:
            stage = "features" if changes is None else "features of changed pictures"
            progress(stage, min(at + _BATCH, len(chosen)), len(chosen))
    return torch.cat(rows).clone()


def _logits(classifier: Classifier, album: Album, chosen: Sequence[int]) -> FloatArray:
    device = next(classifier.parameters()).device
    batches = [chosen[at : at + _BATCH] for at in range(0, len(chosen), _BATCH)]
    with torch.inference_mode():
        return np.concatenate([classifier(album.batch(batch, device)).cpu().numpy() for batch in batches])


def _merit(logits: FloatArray, lesson: Lesson) -> tuple[float, float]:
    labels = lesson.labels[list(lesson.held_out)]
    entropy = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    return macro_f1(logits.argmax(axis=1), labels, len(lesson.names)), -float(entropy)


def set_rates(optimiser: torch.optim.Optimizer, rates: Sequence[float], passed: float, warm_up: float = 0.0) -> None:
    """A cosine from the full rate to 0, after a linear rise over the first share `warm_up`."""
    pace = passed / warm_up if passed < warm_up else 0.5 + 0.5 * math.cos(math.pi * (passed - warm_up) / (1 - warm_up))
    for group, rate in zip(optimiser.param_groups, rates, strict=False):
        group["lr"] = rate * pace
