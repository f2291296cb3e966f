"""How a segmenter learns: excerpts of all pictures of defects, and some of good ones, in every epoch.

The backbone stays as it is and runs in 8 bits, in ONNX Runtime, as it will on the line: that takes a tenth of the time
of a step, so that features are computed anew for every augmented excerpt rather than once and without augmentation.

The loss is binary cross-entropy and soft Dice (Milletari et al. 2016, arXiv 1606.04797, section 3) of defect against no
defect, the latter over the batch, so that large defects count, and for each excerpt, so that small ones do; and the
cross-entropy of the class in the pixels that are defect. AdamW with a cosine. What counts is the IoU of the pixels of
all defects on pictures held out; the best epoch is kept, and training ends when none has been better for a while.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import OptionError
from sightline.models.augmentation import Changes, augment
from sightline.models.backbone import Backbone
from sightline.models.class_checkpoint import (
    Checkpoint,
    Standing,
    learning,
    moments,
    restore,
    restore_moments,
)
from sightline.models.excerpts import Scenes
from sightline.models.features import Progress
from sightline.models.gradient import best_device, seeded
from sightline.models.graph import open_session
from sightline.models.segment_config import SegmentConfig
from sightline.models.segmenter import Decoder, PlainUNet

SIDE_PX = 192  # of an excerpt at most
_BATCH = 16
_FEWEST = 256  # excerpts of an epoch
_GOOD_SHARE = 0.25  # of the pictures of defects: so many good ones in an epoch; as many judge
_RATE, _WEIGHT_DECAY, _WARM_UP, _LONGEST_GRADIENT = 2e-3, 0.01, 0.05, 1.0
_DICE, _CLASS = 0.5, 0.3  # weights beside the cross-entropy's 1
_SEEN_PX = 8  # of defect in an excerpt, from which its own Dice counts
_MARKED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentLesson:
    """What is learnt: pictures with their truth, and which of them only judge."""

    scenes: Scenes
    learn: tuple[int, ...]  # of these, with defects ...
    good: tuple[int, ...]  # ... and without
    judging: tuple[int, ...]
    side: int  # of an excerpt, px
    trunk: Backbone | None  # whose maps the head takes; None: the head takes the picture
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LearntSegments:
    """A trained head, on the CPU, and how it came about."""

    head: Decoder | PlainUNet
    iou: float  # of all defects' pixels, on the pictures held out
    epochs: int  # up to the one that is kept
    seconds: float


class _Learner(nn.Module):
    """The head with what feeds it; only the head has weights that are kept."""

    def __init__(self, lesson: SegmentLesson) -> None:
        super().__init__()
        trunk, classes = lesson.trunk, lesson.scenes.classes
        self.head: Decoder | PlainUNet
        if trunk is None:
            self.head = PlainUNet(classes)
        else:
            self.head = Decoder(trunk.strides, trunk.channels, classes)
        self._session = None if trunk is None else open_session(trunk.model, threads=torch.get_num_threads())
        self._input = "" if trunk is None else trunk.model.graph.input[0].name
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU

    def forward(self, images: Tensor) -> Tensor:
        given = [images]
        if self._session is not None:
            maps = self._session.run(None, {self._input: images.cpu().numpy()})
            given = [torch.from_numpy(m).to(images.device) for m in maps]
        logits: Tensor = self.head(*(x.contiguous(memory_format=torch.channels_last) for x in given))
        return logits


def learn_segments(
    lesson: SegmentLesson, config: SegmentConfig, checkpoint: Checkpoint, progress: Progress | None = None
) -> LearntSegments:
    """Train a head.

    Args:
        checkpoint: where each epoch is kept, and what an interrupted training left.

    Raises:
        OptionError: the loss is no longer finite, or the checkpoint is damaged. StoreError: it cannot be written.
    """
    with seeded(config.seed):
        learner = _Learner(lesson).to(best_device()).eval()
        optimiser = torch.optim.AdamW(learner.parameters(), lr=_RATE, weight_decay=_WEIGHT_DECAY)
        standing = checkpoint.read() or _start(learner)
        restore(learner, standing.weights)
        restore_moments(optimiser, standing.moments)
        while standing.epoch < config.epochs and standing.epoch - standing.best_epoch < config.patience:
            if _passed(config, standing.epoch, standing.seconds) >= 1:
                break
            began = time.monotonic()
            _run_epoch(learner, optimiser, lesson, standing, config, progress)
            merit = _merit(learner, lesson, progress)
            weights = learning(learner)
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
    restore(learner, standing.best_weights)
    return LearntSegments(
        head=learner.head.cpu().eval().to(memory_format=torch.contiguous_format),  # type: ignore[call-overload]
        iou=max(0.0, standing.best[0]),
        epochs=standing.best_epoch,
        seconds=standing.seconds,
    )


def loss(logits: Tensor, share: Tensor, of_class: Tensor) -> Tensor:
    """What is descended.

    Args:
        logits: (N, 1 + K, H, W).
        share: (N, H, W) how much of each pixel is defect.
        of_class: (N, K, H, W) how much of it is of each class; adds up to `share`.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits[:, 0], share)
    found = logits[:, 0].sigmoid()
    both, sizes = (found * share).sum(dim=(1, 2)), (found + share).sum(dim=(1, 2))
    over_batch = 1 - (2 * both.sum() + 1) / (sizes.sum() + 1)
    seen = share.sum(dim=(1, 2)) >= _SEEN_PX
    each = (1 - (2 * both + 1) / (sizes + 1))[seen].sum() / seen.sum().clamp_min(1)
    # by the root of its size: a crack has a hundredth of the pixels of a stain, and a name as well
    weights = of_class / share.sum(dim=(1, 2)).clamp_min(1).sqrt()[:, None, None, None]
    named = -(logits[:, 1:].log_softmax(dim=1) * weights).sum() / weights.sum().clamp_min(1e-6)
    return entropy + _DICE * (over_batch + each) + _CLASS * named


def _start(learner: nn.Module) -> Standing:
    weights = learning(learner)
    return Standing(
        epoch=0,
        seconds=0.0,
        head_seconds=0.0,
        imbalance="none",
        off=(),
        best=(-1.0, 0.0),
        best_epoch=0,
        weights=weights,
        best_weights=weights,
        moments={},
    )


def _passed(config: SegmentConfig, epoch: float, seconds: float) -> float:
    """The share of the training that is over, by epochs or by time, whichever is further."""
    by_time = 0.0 if config.minutes is None else seconds / (60 * config.minutes)
    return max(epoch / config.epochs, by_time)


def _run_epoch(
    learner: nn.Module,
    optimiser: torch.optim.Optimizer,
    lesson: SegmentLesson,
    standing: Standing,
    config: SegmentConfig,
    progress: Progress | None,
) -> None:
    """One pass; what is drawn depends on the seed and the epoch alone, so that it can go on after a break."""
    began, device = time.monotonic(), best_device()
    rng = np.random.default_rng((config.seed, standing.epoch))
    chosen = _chosen(lesson, rng)
    learner.train()
    for at in range(0, len(chosen) - _BATCH + 1, _BATCH):
        epochs, seconds = standing.epoch + at / len(chosen), standing.seconds + time.monotonic() - began
        if (passed := _passed(config, epochs, seconds)) >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1.0, (passed + 1e-3) / _WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * passed))
        planes = lesson.scenes.excerpts(chosen[at : at + _BATCH], lesson.side, rng).to(device)
        planes = augment(planes, lesson.changes, rng)
        value = loss(learner(planes[:, :3]), planes[:, 3], planes[:, 4:])
        if not math.isfinite(value.item()):
            raise OptionError(f"training diverged in epoch {standing.epoch + 1}. Try another seed.")
        optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learner.parameters(), _LONGEST_GRADIENT)
        optimiser.step()
        if progress:
            progress("training", standing.epoch * len(chosen) + at + _BATCH, config.epochs * len(chosen))
    learner.eval()


def _chosen(lesson: SegmentLesson, rng: np.random.Generator) -> list[int]:
    """The pictures of an epoch in the order in which they come: every defect as often, and some good ones."""
    wanted = max(_FEWEST, len(lesson.learn))
    defects = np.concatenate([rng.permutation(lesson.learn) for _ in range(math.ceil(wanted / len(lesson.learn)))])
    good = rng.permutation(np.array(lesson.good, np.int64))[: round(_GOOD_SHARE * wanted)]
    return [int(index) for index in rng.permutation(np.concatenate([defects[:wanted], good]))]


def _merit(learner: nn.Module, lesson: SegmentLesson, progress: Progress | None) -> tuple[float, float]:
    """The IoU of all defects' pixels over the pictures that judge, and its mean over those that show one."""
    both = either = 0
    each: list[float] = []
    for done, index in enumerate(lesson.judging):
        true = lesson.scenes.truth(index)[0] >= _MARKED * 255
        found = marked(learner, lesson.scenes, index)
        inside, around = int((found & true).sum()), int((found | true).sum())
        both, either = both + inside, either + around
        if true.any():
            each.append(inside / around)
        if progress:
            progress("judging", done + 1, len(lesson.judging))
    return both / max(1, either), float(np.mean(each)) if each else 0.0


def marked(learner: Callable[[Tensor], Tensor], scenes: Scenes, index: int) -> np.ndarray:
    """(h, w) bool: what it takes for defect in one whole picture."""
    with torch.inference_mode():
        logits = learner(scenes.album.batch([index], best_device()))
        found: np.ndarray = (logits[0, 0].sigmoid() >= _MARKED).cpu().numpy()
    return found


def judging(held_out: Sequence[int], good: Sequence[int], seed: int) -> tuple[int, ...]:
    """Which held-out pictures judge each epoch: all that show a defect, and as many good ones at most."""
    chosen = np.random.default_rng(seed).permutation(np.array(good, np.int64))[: len(held_out)]
    return (*held_out, *(int(index) for index in np.sort(chosen)))
