"""How a detector of boxes learns: the head first, from maps computed once; then the backbone's last blocks with it.

AdamW with a cosine over both phases. What is kept is a running average of the weights (Tarvainen and Valpola 2017,
arXiv 1703.01780, section 3), which is steadier than any single step, at the epoch whose mean average precision on
pictures held out is best. Training ends when none has been better for a while.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from sightline.errors import OptionError
from sightline.evaluation.average_precision import average_precision
from sightline.models.album import Album
from sightline.models.augmentation import PRESETS
from sightline.models.box_config import BoxLearningConfig
from sightline.models.box_detector import BoxDetector, BoxHead, check_strides
from sightline.models.box_graph import Suppressor
from sightline.models.box_loss import Truth, box_loss
from sightline.models.box_views import drawn_move, moved, moved_boxes, relit
from sightline.models.class_checkpoint import Checkpoint, Standing, State, moments, restore, restore_moments
from sightline.models.class_training import set_rates
from sightline.models.features import Progress
from sightline.models.gradient import best_device, seeded
from sightline.models.network import Network
from sightline.records import Boxes

_BATCH, _LEAST_BATCH = 16, 4
_LEAST_BATCHES = 20  # of few pictures, by making them smaller
_LEAST_STEPS = 50  # of an epoch, by passing over few pictures several times
_FROZEN_SHARE = 0.4  # of all epochs: the head alone
_VARIANTS = 4  # of each picture whose maps are computed once for the head
_RATE, _LATE_RATE = 2e-3, 2e-4
_WEIGHT_DECAY, _LONGEST_GRADIENT = 0.02, 10.0
_WARM_UP = 0.05
_AVERAGED = 0.998  # of the running average is kept at each step, less at first
_SCALED_PICTURES = 64  # from which the head takes the maps' means and spreads


_AVERAGE = "average/"  # before the names of averaged weights in a checkpoint

_Key = tuple[int, int]  # a picture, and the number of one of the ways in which it is changed
_Seen = tuple[tuple[Tensor, ...], Boxes]  # the network's maps of it in half precision, and its boxes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxLesson:
    """What is learnt: pictures with their boxes, and which of them only judge."""

    album: Album
    size: tuple[int, int]  # height, width of the working picture, px
    truths: tuple[Boxes, ...]  # of each picture, in px of the working picture
    classes: int
    learn: tuple[int, ...]
    held_out: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxLearnt:
    """A trained detector, on the CPU, and how it came about."""

    detector: BoxDetector
    map50: float  # on the pictures held out
    epochs: int  # up to the one that is kept
    seconds: float


def learn_boxes(
    lesson: BoxLesson,
    network: Network,
    config: BoxLearningConfig,
    checkpoint: Checkpoint,
    memory_bytes: int,
    progress: Progress | None = None,
) -> BoxLearnt:
    """Train a head for the network, then the network's last blocks with it.

    Args:
        network: is changed in place.
        checkpoint: where each epoch is kept, and what an interrupted training left.
        memory_bytes: for maps that are kept; beyond it they are computed again.

    Raises:
        OptionError: the backbone does not suit, the loss is no longer finite, or the checkpoint is damaged.
        StoreError: it cannot be written.
    """
    check_strides(network)
    device = best_device()
    with seeded(config.seed):
        detector = BoxDetector(network, BoxHead(network.channels, lesson.classes)).to(device).eval()
        detector.head.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third less time
        late = {id(weight) for weight in network.late_parameters()}
        for weight in network.parameters():
            weight.requires_grad_(id(weight) in late)
        course = _Course(detector, lesson, config, memory_bytes)
        standing = course.run(checkpoint, progress)
    restore(detector, standing.best_weights)
    return BoxLearnt(
        detector=detector.cpu().eval(),
        map50=standing.best[0],
        epochs=standing.best_epoch,
        seconds=standing.seconds,
    )


def found_boxes(detector: BoxDetector, album: Album, chosen: Sequence[int], size: tuple[int, int]) -> list[Boxes]:
    """What a detector finds in some of the pictures, the most confident first; confidences are not calibrated."""
    device, single, found = next(detector.parameters()).device, Suppressor(detector.head.classes, size), list[Boxes]()
    for at in range(0, len(chosen), _BATCH):
        with torch.inference_mode():
            logits, places = detector(album.batch(chosen[at : at + _BATCH], device))
        found += [single(*pair) for pair in zip(logits.cpu().numpy(), places.cpu().numpy(), strict=True)]
    return found


class _Course:
    """Both phases: what every epoch of them needs."""

    def __init__(self, detector: BoxDetector, lesson: BoxLesson, config: BoxLearningConfig, memory_bytes: int) -> None:
        self._detector, self._lesson, self._config = detector, lesson, config
        self._device = best_device()
        self._cells = detector.cells(*lesson.size, self._device)
        groups = [list(detector.head.parameters()), [w for w in detector.network.parameters() if w.requires_grad]]
        self._optimiser = torch.optim.AdamW([{"params": group} for group in groups], weight_decay=_WEIGHT_DECAY)
        self._kept: dict[_Key, _Seen] = {}
        self._room = memory_bytes
        self._average: State = {}

    def run(self, checkpoint: Checkpoint, progress: Progress | None) -> Standing:
        """Learn until the epochs or the minutes are over, or no epoch is better for a while."""
        config, standing = self._config, self._begun(checkpoint.read())
        while standing.epoch < config.epochs and standing.epoch - standing.best_epoch < config.patience:
            if self._passed(standing.epoch, standing.seconds) >= 1:
                break
            began = time.monotonic()
            self._run_epoch(standing, progress)
            merit = self._merit()
            standing = replace(
                standing,
                epoch=standing.epoch + 1,
                seconds=standing.seconds + time.monotonic() - began,
                weights=self._state(),
                moments=moments(self._optimiser),
            )
            if merit > standing.best:
                standing = replace(standing, best=merit, best_epoch=standing.epoch, best_weights=_copied(self._average))
            checkpoint.write(standing)
        return standing

    def _begun(self, standing: Standing | None) -> Standing:
        """Where to go on from: an interrupted training, or the head's first weights."""
        if standing is not None:
            restore(self._detector, standing.weights)
            restore_moments(self._optimiser, standing.moments)
            averaged = {name: value for name, value in standing.weights.items() if name.startswith(_AVERAGE)}
            self._average = {name.removeprefix(_AVERAGE): value.clone() for name, value in averaged.items()}
            return standing
        album, some = self._lesson.album, self._lesson.learn[:: max(1, len(self._lesson.learn) // _SCALED_PICTURES)]
        with torch.inference_mode():
            maps = self._detector.network(album.batch(some[:_SCALED_PICTURES], self._device))
        self._detector.head.standardise([values.clone() for values in maps])
        self._average = _floats(self._detector)
        return Standing(
            epoch=0,
            seconds=0.0,
            head_seconds=0.0,
            imbalance="none",
            off=(),
            best=(-1.0, -math.inf),
            best_epoch=0,
            weights=self._state(),
            best_weights=_copied(self._average),
            moments={},
        )

    def _state(self) -> State:
        """The weights now, and their running average beside them."""
        return {
            **_floats(self._detector),
            **{f"{_AVERAGE}{name}": value for name, value in _copied(self._average).items()},
        }

    def _passed(self, epoch: float, seconds: float) -> float:
        """The share of the training that is over, by epochs or by time, whichever is further."""
        share = epoch / self._config.epochs
        return share if self._config.minutes is None else max(share, seconds / (60 * self._config.minutes))

    def _run_epoch(self, standing: Standing, progress: Progress | None) -> None:
        """One pass; what is drawn depends on the seed and the epoch alone, so that it can go on after a break."""
        lesson, began = self._lesson, time.monotonic()
        rng = np.random.default_rng((self._config.seed, standing.epoch))
        batches = _batches(lesson.learn, rng)
        self._detector.head.train()  # the network has no norms
        for number, chosen in enumerate(batches):
            done = standing.epoch + number / len(batches)
            passed = self._passed(done, standing.seconds + time.monotonic() - began)
            if passed >= 1:
                break
            is_frozen = passed < _FROZEN_SHARE
            set_rates(self._optimiser, [_RATE, 0.0 if is_frozen else _LATE_RATE], passed, _WARM_UP)
            fresh = _VARIANTS + standing.epoch * len(batches) + number
            keys = [(picture, int(rng.integers(_VARIANTS)) if is_frozen else fresh) for picture in chosen]
            self._step(keys, is_frozen=is_frozen, steps=standing.epoch * len(batches) + number)
            if progress:
                total = self._config.epochs * len(batches)
                progress("learning boxes", standing.epoch * len(batches) + number + 1, total)
        self._detector.eval()

    def _step(self, keys: Sequence[_Key], *, is_frozen: bool, steps: int) -> None:
        maps, boxes = self._looked_at(keys, is_frozen=is_frozen)
        maps = [level.contiguous(memory_format=torch.channels_last) for level in maps]
        logits, sides = self._detector.head(maps)
        loss = box_loss(logits, sides, self._cells, [_truth(one, self._device) for one in boxes])
        if not math.isfinite(loss.item()):
            raise OptionError(f"training diverged at step {steps + 1}: the loss is {loss.item()}. Try another seed.")
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._detector.parameters(), _LONGEST_GRADIENT)
        self._optimiser.step()
        kept = min(_AVERAGED, (1 + steps) / (10 + steps))
        for name, value in _values(self._detector):
            self._average[name].lerp_(value, 1 - kept)

    def _looked_at(self, keys: Sequence[_Key], *, is_frozen: bool) -> tuple[list[Tensor], list[Boxes]]:
        """The network's maps of these pictures, each changed in its own way, and their boxes."""
        if not is_frozen:
            self._kept.clear()
            images, boxes = self._changed(keys)
            return self._detector.network(images), boxes
        seen = {key: self._kept[key] for key in keys if key in self._kept}
        if new := [key for key in keys if key not in seen]:
            images, boxes = self._changed(new)
            with torch.no_grad():
                levels = [values.half().cpu() for values in self._detector.network(images)]
            for place, key in enumerate(new):
                seen[key] = self._keep(key, tuple(level[place].clone() for level in levels), boxes[place])
        maps = zip(*(seen[key][0] for key in keys), strict=True)
        stacked = [torch.stack(level).to(self._device).float() for level in maps]
        return stacked, [seen[key][1] for key in keys]

    def _keep(self, key: _Key, maps: tuple[Tensor, ...], boxes: Boxes) -> _Seen:
        """Keep it as far as the memory reaches."""
        size = sum(values.nbytes for values in maps)
        if size <= self._room:
            self._room -= size
            self._kept[key] = maps, boxes
        return maps, boxes

    def _changed(self, keys: Sequence[_Key]) -> tuple[Tensor, list[Boxes]]:
        """The pictures, each changed as its key alone says, and their boxes."""
        lesson, changes = self._lesson, PRESETS[self._config.material]
        rngs = [np.random.default_rng((self._config.seed, 1, *key)) for key in keys]
        moves = [drawn_move(changes, rng) for rng in rngs]
        images = moved(lesson.album.batch([picture for picture, _ in keys], self._device), moves)
        boxes = [
            moved_boxes(lesson.truths[picture], move, lesson.size)
            for (picture, _), move in zip(keys, moves, strict=True)
        ]
        return relit(images, changes, rngs), boxes

    def _merit(self) -> tuple[float, float]:
        """Mean average precision at 0.5, then over all levels, of the averaged weights on the pictures held out."""
        lesson, detector = self._lesson, self._detector
        now = _floats(detector)
        restore(detector, self._average)
        found = found_boxes(detector, lesson.album, lesson.held_out, lesson.size)
        restore(detector, now)
        truths = [lesson.truths[place] for place in lesson.held_out]
        precisions = average_precision(truths, found, lesson.classes)
        return precisions.at(0), precisions.mean


def _batches(learn: Sequence[int], rng: np.random.Generator) -> list[list[int]]:
    """Every picture once, or as often as it takes for enough steps."""
    size = min(_BATCH, max(_LEAST_BATCH, len(learn) // _LEAST_BATCHES))
    passes = -(-_LEAST_STEPS * size // len(learn))
    shuffled = np.concatenate([rng.permutation(learn) for _ in range(passes)])
    return [shuffled[at : at + size].tolist() for at in range(0, len(shuffled), size)]


def _truth(boxes: Boxes, device: torch.device) -> Truth:
    return torch.from_numpy(boxes.corners).to(device), torch.from_numpy(boxes.classes).to(device)


def _values(detector: BoxDetector) -> Iterator[tuple[str, Tensor]]:
    """What training changes, by name: weights that need a gradient, and the head's running figures."""
    for name, value in detector.state_dict(keep_vars=True).items():
        if value.is_floating_point() and (value.requires_grad or name.startswith("head.")):
            yield name, value.detach()


def _floats(detector: BoxDetector) -> State:
    return _copied(dict(_values(detector)))


def _copied(state: State) -> State:
    """Training changes its tensors in place."""
    return {name: value.clone() for name, value in state.items()}
