"""Train the student on the cached targets for a given number of minutes; checkpoints are exponential averages.

python backbone/targets.py                                           # once: the cache
python backbone/train.py --minutes 90                                # student.pt, in floating point
python backbone/train.py --minutes 10 --quantise-aware --rate 2e-4   # quantised.pt, from student.pt
python backbone/export.py
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from quantise import quantised
from student import Student, StudentConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """The schedule runs on the clock, so that the rate reaches zero when the time is up, on any machine."""

    minutes: float = 90
    batch: int = 16
    peak_rate: float = 2e-3  # from random weights; 8e-4 to go on, 2e-4 for fine-tuning in 8 bits
    warm_up_fraction: float = 0.02
    weight_decay: float = 1e-2
    average_decay: float = 0.998
    held_out: int = 256  # crops of each cache never trained on, for the explained variance
    stride16_weight: float = 0.7
    start: str | None = None  # weights to begin with, a student.pt; None: random ones
    quantise_aware: bool = False  # fine-tune in imitated 8-bit arithmetic, calibrated first
    calibration: int = 208  # crops
    seed: int = 0

    @property
    def product(self) -> str:
        """Name of the files that training leaves, without their endings."""
        return "quantised" if self.quantise_aware else "student"


class Cache:
    """The crops and targets of one or more folders, which share their projections, read whole into memory."""

    def __init__(self, *folders: Path) -> None:
        for folder in folders:
            if not (folder / "cache.json").exists():
                raise SystemExit(f"{folder}: no finished cache here. Run backbone/targets.py first.")
        self.about = [json.loads((folder / "cache.json").read_text()) for folder in folders]
        self.crops = _joined(folders, "crops.npy")  # (N, S, S, 3) uint8
        self.targets = {s: _joined(folders, f"target_{s}.npy") for s in (8, 16)}  # (N, S/s, S/s, K) float16

    def split(self, held_out: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """Indices to train on, and per folder the last `held_out`."""
        indices = np.split(
            np.arange(len(self.crops)), np.cumsum([about["crops"]["count"] for about in self.about])[:-1]
        )
        return np.concatenate([part[:-held_out] for part in indices]), [part[-held_out:] for part in indices]

    def batch(self, indices: np.ndarray, device: str) -> tuple[Tensor, Tensor, Tensor]:
        images = torch.from_numpy(self.crops[indices]).to(device).permute(0, 3, 1, 2).float() / 255
        near, far = (self._targets(stride, indices, device) for stride in (8, 16))
        return images, near, far

    def _targets(self, stride: int, indices: np.ndarray, device: str) -> Tensor:
        """Targets brought to about unit variance per component: Adam's steps are of a size, whatever the scale."""
        stored = torch.from_numpy(self.targets[stride][indices]).to(device).float()
        targets: Tensor = stored.permute(0, 3, 1, 2) * stored.shape[-1] ** 0.5
        return targets


def _joined(folders: Sequence[Path], name: str) -> np.ndarray:
    return np.concatenate([np.load(folder / name, mmap_mode="r") for folder in folders])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    """What one training learns from, and where its results go."""

    cache: Cache
    held_out: list[np.ndarray]
    config: TrainConfig
    student_config: StudentConfig
    folder: Path
    device: str


def train(cache: Cache, student_config: StudentConfig, config: TrainConfig, folder: Path, device: str) -> None:
    """Write a state dict of averaged weights and a log into `folder` as training goes on: `student.pt` and
    `student.json`, or `quantised.pt` and `quantised.json`."""
    torch.manual_seed(config.seed)
    training, held_out = cache.split(config.held_out)
    run = _Run(
        cache=cache,
        held_out=held_out,
        config=config,
        student_config=student_config,
        folder=folder,
        device=device,
    )
    student = _first(run, training)
    average = torch.optim.swa_utils.AveragedModel(
        student, multi_avg_fn=_averaging(config.average_decay), use_buffers=True
    )
    optimizer = torch.optim.AdamW(student.parameters(), lr=config.peak_rate, weight_decay=config.weight_decay)
    start, step, recent = time.monotonic(), 0, 1.0
    for indices in _order(training, config):
        elapsed = (time.monotonic() - start) / max(config.minutes * 60, 1e-9)
        if elapsed >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = config.peak_rate * _rate(elapsed, config)
        images, near, far = cache.batch(indices, device)
        predicted8, predicted16 = student(images.contiguous(memory_format=torch.channels_last))
        loss = _loss(predicted8, near) + config.stride16_weight * _loss(predicted16, far)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(student)
        step += 1
        recent += 0.01 * (float(loss.detach()) - recent)
        if step % 250 == 0:
            _checkpoint(run, average, step, elapsed)
            print(f"running loss {recent:.4f}", flush=True)
    _checkpoint(run, average, step, 1.0)


def _first(run: _Run, training: np.ndarray) -> Student:
    """The network that training begins with, on its device."""
    student = Student(run.student_config)
    if run.config.start:
        student.load_state_dict(torch.load(run.config.start, weights_only=True))
    student = student.to(run.device)
    if run.config.quantise_aware:
        chosen = np.array_split(training[:: max(1, len(training) // run.config.calibration)], 13)
        student = quantised(student, (run.cache.batch(part, run.device)[0] for part in chosen)).to(run.device)
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's own stubs lack it
    return student


def _averaging(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Exponential, but forgetting faster at first, so that a short training's average leaves its start behind."""

    def blend(averages: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        weight = 1 - min(decay, (1 + float(count)) / (10 + float(count)))
        for average, value in zip(averages, current, strict=True):
            if average.is_floating_point():
                average.lerp_(value, weight)
            else:
                average.copy_(value)

    return blend


def _order(indices: np.ndarray, config: TrainConfig) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(config.seed)
    while True:
        shuffled = rng.permutation(indices)
        for first in range(0, len(indices) - config.batch + 1, config.batch):
            yield np.sort(shuffled[first : first + config.batch])


def _rate(elapsed: float, config: TrainConfig) -> float:
    if elapsed < config.warm_up_fraction:
        return elapsed / config.warm_up_fraction
    return 0.5 * (1 + math.cos(math.pi * (elapsed - config.warm_up_fraction) / (1 - config.warm_up_fraction)))


def _error(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean squared error per component; predicting zero everywhere gives about 0.8."""
    return (predicted - target).square().mean()


def _loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Error of the 3 x 3 means, which detectors use, with the rest of the detail at a lower weight."""
    difference = predicted - target
    return (
        torch.nn.functional.avg_pool2d(difference, 3, 1, 1, count_include_pad=False).square().mean()
        + 0.3 * difference.square().mean()
    )


@torch.no_grad()
def _checkpoint(run: _Run, average: torch.optim.swa_utils.AveragedModel, step: int, elapsed: float) -> None:
    average.eval()
    explained = [_explained(average, run.cache, indices, run.device) for indices in run.held_out]
    average.train()
    product = run.folder / run.config.product
    run.folder.mkdir(parents=True, exist_ok=True)
    partial = product.with_suffix(".pt.partial")
    torch.save(average.module.state_dict(), partial)
    partial.replace(product.with_suffix(".pt"))
    log = {
        "step": step,
        "elapsed": round(elapsed, 4),
        "explained_variance_8_16": explained,
        "train": asdict(run.config),
        "student": asdict(run.student_config),
        "caches": run.cache.about,
    }
    product.with_suffix(".json").write_text(json.dumps(log, indent=1))
    print(f"step {step}, {elapsed:.1%} of the time, explained variance {explained}", flush=True)


def _explained(network: torch.nn.Module, cache: Cache, indices: np.ndarray, device: str) -> list[float]:
    """Share of the targets' variance at strides 8 and 16."""
    errors = []
    for first in range(0, len(indices), 32):
        images, near, far = cache.batch(indices[first : first + 32], device)
        predicted8, predicted16 = network(images)
        errors.append([float(_error(p, t) / t.square().mean()) for p, t in ((predicted8, near), (predicted16, far))])
    return [round(1 - float(e), 4) for e in np.mean(errors, axis=0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cache", type=Path, nargs="+", default=[Path("backbone/cache")], help="results go to the first  [%(default)s]"
    )
    parser.add_argument("--minutes", type=float, default=TrainConfig().minutes)
    parser.add_argument("--rate", type=float, default=TrainConfig().peak_rate, help="the highest  [%(default)s]")
    parser.add_argument("--seed", type=int, default=TrainConfig().seed)
    parser.add_argument("--start", help="student.pt to begin with instead of random weights")
    parser.add_argument("--quantise-aware", action="store_true", help="fine-tune in 8-bit arithmetic, from student.pt")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    folder = arguments.cache[0]
    config = TrainConfig(
        minutes=arguments.minutes,
        peak_rate=arguments.rate,
        start=arguments.start or (str(folder / "student.pt") if arguments.quantise_aware else None),
        quantise_aware=arguments.quantise_aware,
        seed=arguments.seed,
    )
    train(Cache(*arguments.cache), StudentConfig(), config, folder, arguments.device)


if __name__ == "__main__":
    main()
