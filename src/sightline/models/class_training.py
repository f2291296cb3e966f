"""How a classifier learns: the head first, by embeddings computed once; then what the cells show, where masks say it.

Blocks of the network itself learn only where that is asked for, at a lower rate.

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
from sightline.evaluation.metrics import macro_f1
from sightline.models.album import Album
from sightline.models.augmentation import PRESETS, Changes, augment
from sightline.models.class_checkpoint import Checkpoint, Standing, State, learning, moments, restore, restore_moments
from sightline.models.class_config import IMBALANCES, Imbalance, LearningConfig, Unfreeze
from sightline.models.classifier import Classifier, Head, Labels, embed
from sightline.models.erasure import surviving
from sightline.models.evidence import Evidence, cell_loss
from sightline.models.features import Progress
from sightline.models.gradient import best_device, seeded
from sightline.models.imbalance import class_weights, loss, order
from sightline.models.impressions import Impressions
from sightline.models.lesson import Lesson
from sightline.models.network import Network
from sightline.models.prototypes import Space, fit_space
from sightline.records import FloatArray

_BATCH = 16
_HEAD_EPOCHS, _HEAD_RATE, _HEAD_BATCH = 60, 3e-3, 64
# without batch norms to absorb them, the alike first steps of Adam add up over a kernel's inputs: at 1e-4 one epoch
# took the macro F1 on pictures held out of rendered parts from 0.52 to 0.13
_FINE_HEAD_RATE, _FINE_RATE = 2e-4, 1.5e-5
_SCORES_RATE, _CELLS = 3e-3, 2.0  # of the scores of cells: rate, and weight of their loss beside that of the pictures
_WEIGHT_DECAY = 0.02
_STANDARD = 32  # pictures that say what is usual of the network's maps
_WARM_UP = 0.1  # of the second phase
_LONGEST_GRADIENT = 1.0
_UNBALANCED = 1.5  # times as many pictures in the largest class as in the smallest, from which ways are compared


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
        if lesson.masks is not None and config.epochs:
            network = _with_evidence(network, lesson)
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


def _with_evidence(network: Network, lesson: Lesson) -> Evidence:
    evidence = Evidence(network, len(lesson.defects))
    some = lesson.learn[:: -(-len(lesson.learn) // _STANDARD)]
    with torch.no_grad():
        evidence.standardise(network(lesson.album.batch(some, torch.device("cpu"))))
    return evidence


def _freeze(classifier: Classifier, unfreeze: Unfreeze) -> None:
    network = classifier.network
    late = {id(weight) for weight in network.late_parameters()} if unfreeze == "last" else set[int]()
    late |= {id(weight) for weight in _new(network)}
    for weight in network.parameters():
        weight.requires_grad_(weight.ndim > 0 and (unfreeze == "all" or id(weight) in late))


def _new(network: Network) -> list[nn.Parameter]:
    """What was not part of the network that was given."""
    return network.new_parameters() if isinstance(network, Evidence) else []


def _first_phase(classifier: Classifier, lesson: Lesson, config: LearningConfig, progress: Progress | None) -> Standing:
    """The head alone, on embeddings of the pictures as they are and of each once augmented."""
    started = time.monotonic()
    rng = np.random.default_rng((config.seed, 0))
    plain = _embeddings(classifier, lesson, (*lesson.learn, *lesson.held_out), None, rng, progress)
    learnt, judged = plain[: len(lesson.learn)], plain[len(lesson.learn) :]
    classifier.head.standardise(learnt)
    evidence = classifier.network if isinstance(classifier.network, Evidence) else None
    changes, off = surviving(classifier, lesson, learnt, _changes(lesson, config), rng, progress)
    changed = _embeddings(classifier, lesson, lesson.learn, changes, rng, progress)
    labels = lesson.labels[list(lesson.learn)]
    examples = torch.cat([learnt, changed]), np.concatenate([labels, labels])
    best: tuple[tuple[float, float], Imbalance, State] | None = None
    for way in _ways(lesson.counts, config.imbalance):
        _train_head(classifier.head, *examples, way, lesson.counts, config.seed)
        if evidence:
            evidence.connect(classifier.head, lesson.defects)  # adds nothing before it has learnt
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
    if len(groups := _groups(classifier)) == 1:
        return standing  # nothing learns but the head, and that has
    optimiser = torch.optim.AdamW([{"params": group} for _, group in groups], weight_decay=_WEIGHT_DECAY)
    restore_moments(optimiser, standing.moments)
    changes = _changes(lesson, config)
    for kind in standing.off:
        changes = changes.without(kind)
    course = _Course(
        classifier=classifier,
        lesson=lesson,
        changes=changes,
        impressions=_impressions(classifier, lesson, changes, config),
        optimiser=optimiser,
        rates=[rate for rate, _ in groups],
        config=config,
    )
    while standing.epoch < config.epochs and standing.epoch - standing.best_epoch < config.patience:
        if course.passed(standing, standing.epoch, standing.seconds) >= 1:
            break
        began = time.monotonic()
        course.run_epoch(standing, progress)
        merit = _merit(course.judged(), lesson)
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


def _groups(classifier: Classifier) -> list[tuple[float, list[nn.Parameter]]]:
    """What learns in the second phase, by its rate."""
    new = _new(classifier.network)
    known = {id(weight) for weight in new}
    old = [weight for weight in classifier.network.parameters() if weight.requires_grad and id(weight) not in known]
    groups = [(_FINE_HEAD_RATE, list(classifier.head.parameters())), (_SCORES_RATE, new), (_FINE_RATE, old)]
    return [(rate, group) for rate, group in groups if group]


def _impressions(
    classifier: Classifier, lesson: Lesson, changes: Changes, config: LearningConfig
) -> Impressions | None:
    network = classifier.network
    if config.unfreeze != "none" or lesson.masks is None or not isinstance(network, Evidence):
        return None
    count = len(lesson.learn) + len(lesson.held_out)
    return Impressions(
        network.network, lesson.album, lesson.masks, changes, count=count, room=lesson.room_bytes, seed=config.seed
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Course:
    """The second phase: what every epoch of it needs."""

    classifier: Classifier
    lesson: Lesson
    changes: Changes
    impressions: Impressions | None  # where the network stays as it is
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
            truth = torch.from_numpy(labels[chosen]).to(device)
            with torch.autocast(device.type, dtype=half, enabled=device.type == "cuda"):
                logits, asides = self._looked([lesson.learn[place] for place in chosen], truth, rng)
            value = loss(standing.imbalance, logits.float(), truth, weights) + asides
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

    def _looked(
        self, pictures: Sequence[int], truth: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor | float]:
        """Logits of the pictures, changed, and the loss of their cells where there are masks."""
        lesson, network, device = self.lesson, self.classifier.network, truth.device
        if not isinstance(network, Evidence):
            return self.classifier(augment(lesson.album.batch(pictures, device), self.changes, rng)), 0.0
        if self.impressions:
            versions = rng.integers(self.impressions.versions, size=len(pictures)).tolist()
            maps, share = self.impressions.batch(versions, pictures, device)
        else:
            seen = augment(lesson.marked(pictures, device), self.changes, rng)
            maps = network.network(seen[:, :3])
            share = functional.avg_pool2d(seen[:, 3:], seen.shape[2] // maps[0].shape[2])
        maps = network.judged(maps)
        kinds = torch.full((len(lesson.names),), -1, device=device)
        kinds[list(lesson.defects)] = torch.arange(len(lesson.defects), device=device)
        return self.classifier.head(embed(maps)), _CELLS * cell_loss(maps[-1].float(), share, kinds[truth])

    def judged(self) -> FloatArray:
        """(n, K) logits of the pictures held out."""
        chosen, network = self.lesson.held_out, self.classifier.network
        if not self.impressions or not isinstance(network, Evidence):
            return _logits(self.classifier, self.lesson.album, chosen)
        rows = []
        for at in range(0, len(chosen), _BATCH):
            part = chosen[at : at + _BATCH]
            maps, _ = self.impressions.batch([0] * len(part), part, best_device())
            with torch.inference_mode():
                rows.append(self.classifier.head(embed(network.judged(maps))).cpu().numpy())
        return np.concatenate(rows)


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
