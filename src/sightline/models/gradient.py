"""What the models trained by gradient share: frames held out, lessons from the teacher, the descent, the export.

The teacher is the backbone. It runs in ONNX Runtime, before the descent and once for each frame as far as memory
reaches, so that a step costs no more than the small networks that learn.
"""

import io
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from sightline.errors import OptionError
from sightline.models.detector import FittedDetector, GraphDetector, Method
from sightline.models.features import FeatureConfig, Frames, Progress, run_image
from sightline.models.graph import OPSET, GraphBuilder, open_session
from sightline.records import FloatArray

HalfArray = NDArray[np.float16]
Loss = Callable[..., Tensor]  # of the lessons' tensors, (N, ...) float32 each

FEWEST_FRAMES = 10
_HELD_OUT_SHARE, _FEWEST_HELD_OUT = 0.2, 5
_BATCH_PIXELS = 8 * 256 * 256  # of a step, so that it takes as long whatever the working size
_WARM_UP = 0.05  # of the steps
_LARGEST_HALF = 60_000.0
_LEAST_SPREAD = 0.01  # of the median channel's


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientConfig:
    """How long to learn, and from how much memory."""

    steps: int | None = None  # None: the method's own number
    memory_bytes: int = 2 * 2**30  # for what the teacher says of the frames; beyond it, it is asked again
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise OptionError(f"steps must be at least 1, got {self.steps}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which frames the networks learn from, and which only calibrate; both ascending."""

    learn: tuple[int, ...]
    held_out: tuple[int, ...]

    @property
    def calibration(self) -> str:
        return f"held-out {len(self.held_out)} of {len(self.learn) + len(self.held_out)} good images"


def hold_out(count: int, seed: int) -> Split:
    """Hold out a fifth of `count` frames, at least 5; seeded.

    Raises:
        OptionError: fewer than FEWEST_FRAMES frames.
    """
    if count < FEWEST_FRAMES:
        raise OptionError(
            f"{count} good {'image is' if count == 1 else 'images are'} too few for a method that holds some of them "
            f"out; give at least {FEWEST_FRAMES}, better 100 or more."
        )
    held = max(_FEWEST_HELD_OUT, round(_HELD_OUT_SHARE * count))
    order = np.random.default_rng(seed).permutation(count).tolist()
    return Split(learn=tuple(sorted(order[held:])), held_out=tuple(sorted(order[:held])))


class Lessons:
    """What a graph from `image` says of each frame, in float16; kept as far as the memory reaches, else made again."""

    def __init__(self, frames: Frames, model: onnx.ModelProto, config: FeatureConfig, memory_bytes: int) -> None:
        self._frames, self._config = frames, config
        self._session = open_session(model)
        self._room = memory_bytes
        self._kept: dict[int, tuple[HalfArray, ...]] = {}

    def __getitem__(self, index: int) -> tuple[HalfArray, ...]:
        kept = self._kept.get(index)
        if kept is None:
            outputs = run_image(self._session, self._frames[index], self._config)
            kept = tuple(np.clip(values, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16) for values in outputs)
            size = sum(values.nbytes for values in kept)
            if size <= self._room:
                self._room -= size
                self._kept[index] = kept
        return kept

    @property
    def batch_size(self) -> int:
        return max(2, round(_BATCH_PIXELS / (self._config.height * self._config.width)))

    def batch(self, indices: Sequence[int], device: torch.device) -> list[Tensor]:
        """Each of the graph's outputs, (N, ...) float32 on the device; an output's leading axis of 1 becomes N."""
        return [
            torch.from_numpy(np.concatenate(values)).to(device).float()
            for values in zip(*(self[index] for index in indices), strict=True)
        ]

    def moments(
        self, chosen: Sequence[int], first: int, progress: Progress | None = None
    ) -> list[tuple[FloatArray, FloatArray]]:
        """Mean and spread, (C,) each, of every output from the `first`-th on, (1, C, h, w), over the chosen frames.

        A channel that hardly varies gets a hundredth of the median spread, so that dividing does not make it noise.
        """
        sums: list[NDArray[np.float64]] = []
        for done, index in enumerate(chosen):
            planes = [values[0].reshape(values.shape[1], -1).astype(np.float64) for values in self[index][first:]]
            of_frame = [np.stack([p.mean(axis=1), np.square(p).mean(axis=1)]) for p in planes]
            sums = [a + b for a, b in zip(sums, of_frame, strict=True)] if sums else of_frame
            if progress:
                progress("features", done + 1, len(chosen))
        moments = []
        for total in sums:
            mean, square = total / len(chosen)
            spread = np.sqrt(np.maximum(square - mean**2, 0))
            spread = np.maximum(spread, max(_LEAST_SPREAD * float(np.median(spread)), 1e-6))
            moments.append((mean.astype(np.float32), spread.astype(np.float32)))
        return moments


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Weights drawn inside come from the seed; torch's own generator is as before afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def descend(
    network: nn.Module,
    loss: Loss,
    lessons: Lessons,
    learn: Sequence[int],
    *,
    steps: int,
    learning_rate: float,
    seed: int,
    progress: Progress | None = None,
) -> None:
    """Train the network in place by AdamW, the rate rising for a twentieth of the steps, then falling to 0 by a cosine.

    Where there is a GPU it is used, in mixed precision; the network is on the CPU again, for inference, afterwards.

    Raises:
        OptionError: the loss is no longer finite.
    """
    device = best_device()
    network.to(device).train()
    half = torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported(False) else torch.float16
    scaler = torch.amp.GradScaler(device.type, enabled=device.type == "cuda" and half is torch.float16)
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-5)
    batches = _batches(learn, lessons.batch_size, np.random.default_rng(seed))
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * _pace((step + 1) / steps)
        batch = lessons.batch(next(batches), device)
        with torch.autocast(device.type, dtype=half, enabled=device.type == "cuda"):
            value = loss(*batch)
        if not math.isfinite(value.item()):
            raise OptionError(f"training diverged at step {step + 1}: the loss is {value.item()}. Try another seed.")
        optimiser.zero_grad(set_to_none=True)
        scaler.scale(value).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimiser)
        scaler.update()
        if progress:
            progress("training", step + 1, steps)
    network.cpu().eval()


def _pace(passed: float) -> float:
    if passed < _WARM_UP:
        return passed / _WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * (passed - _WARM_UP) / (1 - _WARM_UP))


def _batches(learn: Sequence[int], size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Without end: every frame once before any comes again, but for a rest that does not fill a batch."""
    size = min(size, len(learn))
    while True:
        order = rng.permutation(np.asarray(learn))
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size].tolist()


def exported(network: nn.Module, shape: Sequence[int], outputs: Sequence[str]) -> onnx.ModelProto:
    """The network as ONNX, from one float32 tensor of this very shape to the outputs named."""
    return exported_from(network, [shape], outputs)


def exported_from(network: nn.Module, shapes: Sequence[Sequence[int]], outputs: Sequence[str]) -> onnx.ModelProto:
    """The same for a network that takes several tensors."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the exporter warns of its own successor
        torch.onnx.export(
            network.eval(),
            tuple(torch.zeros(*shape) for shape in shapes),
            file,  # type: ignore[arg-type]  # this exporter writes to open files, too
            dynamo=False,
            opset_version=OPSET,
            input_names=["x", *(f"x{number}" for number in range(1, len(shapes)))],
            output_names=list(outputs),
        )
    return onnx.load_model_from_string(file.getvalue())


def calibrated(
    method: Method,
    frames: Frames,
    features: FeatureConfig,
    graph: onnx.ModelProto,
    split: Split,
    settings: Mapping[str, int | float | str | None],
    progress: Progress | None = None,
) -> FittedDetector:
    """Score the frames held out by the finished graph itself."""
    detector = GraphDetector(graph.SerializeToString(), features.bit_depth)
    scores = np.empty(len(split.held_out), np.float32)
    for done, index in enumerate(split.held_out):
        scores[done] = detector.score(frames[index]).score
        if progress:
            progress("calibration", done + 1, len(scores))
    return FittedDetector(
        method=method,
        features=features,
        graph=graph,
        good_scores=scores,
        calibration=split.calibration,
        settings=dict(settings),
        held_out=split.held_out,
    )


def centred(picture: Tensor) -> Tensor:
    """RGB in 0..1 -> about zero mean and unit variance, from which networks learn in fewer steps."""
    return (picture - 0.5) * 4


def draw_weights(network: nn.Module) -> None:
    """He et al. 2015, arXiv 1502.01852: the signal keeps its size through all layers, so that few steps are enough."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def downsampling(stride: int) -> list[int]:
    """The steps by which a student comes down to the teacher's stride, a power of two: 4 at first, as it is cheap."""
    first = min(stride, 4)
    return [first, *[2] * ((stride // first).bit_length() - 1)]


def down(inputs: int, outputs: int, step: int) -> nn.Conv2d:
    """A convolution that divides height and width by `step`."""
    return nn.Conv2d(inputs, outputs, step + 2, step, padding=1)


def append_planes(builder: GraphBuilder, patches: str, dimensions: int, grid: tuple[int, int]) -> str:
    """(rows * columns, D) patches -> (1, D, rows, columns)."""
    turned = builder.node("Transpose", [patches], {"perm": [1, 0]})
    return builder.node("Reshape", [turned, builder.int64(1, dimensions, *grid)])


def append_standardised(builder: GraphBuilder, planes: str, mean: FloatArray, spread: FloatArray) -> str:
    """(1, C, h, w) -> the same at zero mean and unit variance per channel."""
    centred = builder.node("Sub", [planes, builder.constant(as_planes(mean))])
    return builder.node("Mul", [centred, builder.constant(as_planes(1 / spread))])


def as_planes(values: ArrayLike) -> FloatArray:
    """(C,) -> (1, C, 1, 1) float32."""
    return np.asarray(values, np.float32)[None, :, None, None]
