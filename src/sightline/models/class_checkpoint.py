"""What an interrupted training goes on from: weights, the optimiser's moments and the best epoch, without pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sightline.errors import OptionError
from sightline.files import write_bytes
from sightline.models.class_config import Imbalance
from sightline.models.safetensors import read_tensors, to_bytes

_KEY = "training"  # the text in the file that holds the state's plain values

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """Where a training stands after an epoch of the second phase; 0: after the first phase."""

    epoch: int
    seconds: float  # learnt so far
    imbalance: Imbalance
    off: tuple[str, ...]  # augmentations that were turned off
    best: tuple[float, float]  # macro F1 and minus the cross-entropy of the best epoch, on the pictures held out
    best_epoch: int
    weights: State  # of all that learns, now
    best_weights: State
    moments: State  # of the optimiser; empty after the first phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A file beside the model being made, for one data set and one set of options."""

    path: Path | None  # None: nothing is kept
    identity: str  # of the data and the options: one of another training is not used

    def read(self) -> Standing | None:
        """What was left; None where there is nothing, or it belongs to another training.

        Raises:
            OptionError: the file is damaged.
        """
        if self.path is None or not self.path.exists():
            return None
        tensors, texts = read_tensors(self.path)
        try:
            said = json.loads(texts[_KEY])
            if said.pop("identity") != self.identity:
                return None
            parts: dict[str, State] = {"weights": {}, "best_weights": {}, "moments": {}}
            for name, values in tensors.items():
                part, _, rest = name.partition("/")
                parts[part][rest] = torch.from_numpy(np.array(values))
            (merit, entropy), state = said["best"], parts
            return Standing(
                epoch=int(said["epoch"]),
                seconds=float(said["seconds"]),
                imbalance=said["imbalance"],
                off=tuple(said["off"]),
                best=(float(merit), float(entropy)),
                best_epoch=int(said["best_epoch"]),
                weights=state["weights"],
                best_weights=state["best_weights"],
                moments=state["moments"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise OptionError(f"{self.path}: is not what a training left behind. Delete it and train again.") from error

    def write(self, standing: Standing) -> None:
        """Keep this in the place of what was kept; raises StoreError."""
        if self.path is None:
            return
        tensors = {
            f"{part}/{name}": values.detach().cpu().numpy()
            for part in ("weights", "best_weights", "moments")
            for name, values in getattr(standing, part).items()
        }
        plain = ("epoch", "seconds", "imbalance", "off", "best", "best_epoch")
        said: Mapping[str, Any] = {"identity": self.identity, **{key: getattr(standing, key) for key in plain}}
        write_bytes(self.path, to_bytes(tensors, {_KEY: json.dumps(said)}))

    def remove(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def learning(module: nn.Module) -> State:
    """Copies of the weights and buffers that training changes: those that need a gradient, and the head's."""
    kept = {name for name, weight in module.named_parameters() if weight.requires_grad}
    return {
        name: values.detach().clone()
        for name, values in module.state_dict().items()
        if name in kept or name.startswith("head.")
    }


def restore(module: nn.Module, state: State) -> None:
    module.load_state_dict(state, strict=False)


def moments(optimiser: torch.optim.Optimizer) -> State:
    """What AdamW remembers of each weight."""
    return {
        f"{number}/{name}": value
        for number, of_weight in optimiser.state_dict()["state"].items()
        for name, value in of_weight.items()
    }


def restore_moments(optimiser: torch.optim.Optimizer, state: State) -> None:
    whole = optimiser.state_dict()
    for key, value in state.items():
        number, _, name = key.partition("/")
        whole["state"].setdefault(int(number), {})[name] = value
    optimiser.load_state_dict(whole)
